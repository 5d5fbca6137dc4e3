"""The page beside the server's own routes: loaded when opened, and by nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import sys
from fastapi.testclient import TestClient
from polyguard_serving.app import create
from polyguard_serving.settings import Settings
with TestClient(create(Settings(log_format="off"))) as client:
    seen = []
    for method, path in (("GET", "/nowhere"), ("POST", "/state"), ("DELETE", "/cases"), ("GET", "/health")):
        answer = client.request(method, path)
        seen.append((answer.status_code, answer.json().get("error", {}).get("code")))
    print(seen, [n for n in ("gradio", "matplotlib", "torch") if n in sys.modules])
    front = client.get("/")
    assert "Research only" in front.text and "gradio" in sys.modules and client.get("/config").status_code == 200
"""


def test_mistaken_addresses_are_refused_and_load_nothing() -> None:
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", CODE], capture_output=True, text=True, cwd=ROOT)
    refusals = "[(404, 'NOT_FOUND'), (405, 'METHOD_NOT_ALLOWED'), (405, 'METHOD_NOT_ALLOWED'), (200, None)]"
    assert ran.stdout.strip() == f"{refusals} []", ran.stderr[-2000:]
    assert ran.returncode == 0, ran.stderr[-2000:]
