"""The image: what it installs, as whom it runs, and that a read-only root file system is enough."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import httpx
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from polyguard_serving import container
from tests.deploy.contained import USER, contained, refused

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PORT = "7860"
# Loaded only when the policy API loads a model: those services run the image with the whole project.
MODEL_PACKAGES = {"torch", "transformers", "peft", "safetensors"}


def front_matter() -> dict[str, object]:
    found = re.match(r"---\n(.*?)\n---\n", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return dict(yaml.safe_load(found.group(1)))


def test_image_card_and_manifest_agree_on_the_port() -> None:
    manifest = yaml.safe_load((ROOT / "openenv.yaml").read_text(encoding="utf-8"))
    assert front_matter()["app_port"] == manifest["port"] == int(PORT)
    assert front_matter()["sdk"] == "docker"
    assert f"EXPOSE {PORT}" in DOCKERFILE and f"PORT={PORT}" in DOCKERFILE


def test_the_image_ends_as_an_ordinary_user_with_a_health_check() -> None:
    users = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)
    assert users == ["user"] and f"--uid {USER}" in DOCKERFILE
    after = DOCKERFILE[DOCKERFILE.index("USER user") :]
    assert "HEALTHCHECK" in after and "RUN" not in after and "COPY" not in after


def test_nothing_private_is_sent_to_the_build() -> None:
    ignored = set((ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines())
    assert ignored >= {".git", ".env", "data_lake", ".venv", "tests", "**/*.pem", "**/*.key"}


def imports_of(path: Path) -> Iterator[str]:
    """Dotted names a file imports, those within functions too; of `from a import b` both a and a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def file_of(name: str) -> Path | None:
    """The project's file of a module."""
    path = ROOT / name.replace(".", "/")
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def served_imports() -> set[str]:
    """Top-level names of everything that serving imports, directly or through the project's own modules."""
    waiting, seen, outside = list((ROOT / "polyguard_serving").rglob("*.py")), set(), set()
    while waiting:
        file = waiting.pop()
        if file in seen:
            continue
        seen.add(file)
        for name in imports_of(file):
            if name.startswith(("polyguard_env", "polyguard_serving")):
                waiting += [found] if (found := file_of(name)) else []
            else:
                outside.add(name.partition(".")[0])
    return outside - set(sys.stdlib_module_names)


def closure(pins: list[str]) -> set[str]:
    """Every distribution that installing the pins brings along."""
    found: set[str] = set()
    waiting = [Requirement(pin) for pin in pins]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name in found:
            continue
        found.add(name)
        try:
            needs = requires(wanted.name) or []
        except PackageNotFoundError:
            continue
        for text in needs:
            need = Requirement(text)
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *wanted.extras)):
                waiting.append(need)
    return found


def test_the_image_installs_whatever_serving_imports() -> None:
    installed = closure([word for word in DOCKERFILE.split() if "==" in word])
    owners = packages_distributions()
    wanted = {canonicalize_name(owner) for name in served_imports() for owner in owners.get(name, [])}
    missing = wanted - installed - MODEL_PACKAGES - {"polyguard"}
    assert len(wanted) > 8 and missing == set()


def test_without_a_writable_folder_it_says_what_to_mount(monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                                                         capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(container.CACHE_VARIABLE, str(tmp_path / "file" / "cache"))
    assert container.main(["serve"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "--tmpfs /tmp" in told


def test_an_unhealthy_server_fails_the_health_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9")
    assert container.main(["healthy"]) == 1


@pytest.mark.skipif(bool(refused()), reason=refused())
def test_it_serves_as_nobody_on_a_read_only_root(tmp_path: Path, free_port: int) -> None:
    compiled = tmp_path / "compiled"
    variables = {"POLYGUARD_COMPILED": str(compiled), "NUMBA_CACHE_DIR": str(compiled), "NUMBA_CPU_NAME": "generic"}
    subprocess.run(
        [sys.executable, "-m", "polyguard_serving.container", "compile"], env=os.environ | variables, cwd=ROOT,
        check=True, capture_output=True, timeout=240,
    )  # fmt: skip
    for folder in compiled.parents:
        if folder.stat().st_uid == os.geteuid() and "pytest" in str(folder):
            folder.chmod(0o755)
    port, log = str(free_port), tmp_path / "log"
    environment = {
        "HOST": "127.0.0.1", "PORT": port, "PYTHONPATH": str(ROOT), "POLYGUARD_COMPILED": str(compiled),
        "NUMBA_CPU_NAME": "generic", "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    command = [sys.executable, "-m", "polyguard_serving.container", "serve"]
    with contained(command, environment, log) as process:
        deadline = time.monotonic() + 90
        while not container.healthy(port) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
        assert process.poll() is None and container.healthy(port), log.read_text()
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert re.search(rf"^Uid:\s+{USER}\s+{USER}", status, re.MULTILINE)
        assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
        root = next(line for line in Path(f"/proc/{process.pid}/mounts").read_text().splitlines() if " / " in line)
        assert root.split()[3].split(",")[0] == "ro"
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as http:
            begun = http.post("/reset", json={"seed": 3, "episode_id": "mine"})
            assert begun.status_code == 200, begun.text
            stepped = http.post("/step", json={"episode_id": "mine", "action": {"text": "finish"}})
            assert stepped.status_code == 200 and 0.0 < stepped.json()["reward"] < 1.0
    assert "Traceback" not in log.read_text() and "Read-only" not in log.read_text()
