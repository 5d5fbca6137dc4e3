"""Dependencies point one way, and loading the definitions stays light."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FORBIDDEN = {
    "polyguard_env": {"polyguard_assets", "polyguard_serving", "dagster", "torch", "fastapi", "gradio", "openenv"},
    "polyguard_serving": {"polyguard_assets", "dagster", "torch", "transformers", "trl", "peft"},
    "polyguard_assets": {"gradio", "fastapi", "openenv"},
}
HEAVY = ("torch", "transformers", "trl", "peft", "unsloth", "matplotlib", "gradio")
TRAINING = {"torch", "transformers", "trl", "peft", "unsloth"}
# The process a model answers from: nothing else of the service may import it or what it loads.
MODEL_WORKER = "polyguard_serving/policy/model_worker"


def imported(path: Path) -> set[str]:
    """Top-level packages a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("package", FORBIDDEN)
def test_packages_import_only_what_they_may(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    offences = {
        str(f.relative_to(ROOT)): imported(f) & FORBIDDEN[package] for f in files if MODEL_WORKER not in f.as_posix()
    }
    assert {name: found for name, found in offences.items() if found} == {}


def test_the_model_worker_is_imported_by_nobody_else() -> None:
    files = [f for f in sorted((ROOT / "polyguard_serving").rglob("*.py")) if MODEL_WORKER not in f.as_posix()]
    importing = [f.name for f in files if "policy.model_worker import" in f.read_text(encoding="utf-8")]
    assert files and importing == []


def test_the_asset_graph_reaches_the_server_only_over_the_network() -> None:
    files = sorted((ROOT / "polyguard_assets").rglob("*.py"))
    importing = [f.name for f in files if "polyguard_serving" in imported(f)]
    assert importing == []


def test_only_the_training_folder_imports_the_training_stack() -> None:
    files = [f for f in (ROOT / "polyguard_assets").rglob("*.py") if "training" not in f.parts]
    assert {f.name: imported(f) & TRAINING for f in files if imported(f) & TRAINING} == {}


def test_loading_the_definitions_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys, polyguard_assets.definitions as d; d.defs.resolve_asset_graph();"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True, cwd=ROOT,
        env=os.environ | {"DAGSTER_HOME": str(tmp_path)},
    )  # fmt: skip
    assert ran.stdout.strip() == "[]"
