"""OpenEnv's own validators, and the entry points they look for."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import yaml

from polyguard_env.reward.columns import HIGH, LOW

ROOT = Path(__file__).resolve().parents[2]
TOOL = Path(sys.executable).with_name("openenv")


def test_it_validates_the_running_server(server_url: str) -> None:
    ran = subprocess.run([TOOL, "validate", "--url", server_url], capture_output=True, text=True)
    assert ran.returncode == 0 and "Verdict: PASS" in ran.stdout, ran.stdout + ran.stderr


def test_it_validates_the_package() -> None:
    command = [TOOL, "validate", ".", "--level", "static", "--skip-build"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 0 and "Verdict: PASS" in ran.stdout, ran.stdout + ran.stderr


def test_the_manifest_declares_what_the_environment_does() -> None:
    manifest = yaml.safe_load((ROOT / "openenv.yaml").read_text(encoding="utf-8"))
    assert manifest["validation"]["reward"]["range"] == [LOW, HIGH]
    assert manifest["version"] == version("polyguard")
    assert "not a medical device" in manifest["description"]


def test_the_entry_points_are_where_openenv_looks() -> None:
    text = (ROOT / "server" / "app.py").read_text(encoding="utf-8")
    assert "def main(" in text and 'if __name__ == "__main__":' in text
    for name in ("__init__.py", "client.py", "models.py", "Dockerfile", "uv.lock", "README.md"):
        assert (ROOT / name).is_file()


def test_both_dockerfiles_are_one() -> None:
    root, package = (ROOT / "Dockerfile").read_text(), (ROOT / "polyguard_serving" / "Dockerfile").read_text()
    assert root == package


def test_the_image_installs_the_versions_the_project_pins() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    words = (ROOT / "Dockerfile").read_text(encoding="utf-8").split()
    pins = [word for word in words if "==" in word and not word.startswith("setuptools")]
    assert len(pins) >= 8
    assert [pin for pin in pins if f'"{pin}' not in project] == []
