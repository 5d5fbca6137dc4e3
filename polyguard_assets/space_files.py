"""Which files each Space is sent: what git tracks of the folders it needs, its Dockerfile and its card."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from polyguard_assets.paths import project_root
from polyguard_env.environment.messages import DISCLAIMER
from polyguard_env.errors import PolyGuardError

SHARED = (".dockerignore", "LICENSE", "pyproject.toml", "uv.lock", "openenv.yaml", "__init__.py", "client.py",
          "models.py", "server", "polyguard_env", "polyguard_serving")  # fmt: skip
ENVIRONMENT = ("Dockerfile", "README.md", *SHARED)
WHOLE = (*SHARED, "polyguard_assets", "dagster.yaml", "workspace.yaml")
RUNNER_DOCKERFILE = "polyguard_assets/container/space.Dockerfile"
SKIPPED = {"__pycache__"}
TYPES = {".py", ".csv", ".toml", ".yaml", ".lock", ".md", ".json", ".parquet", ".npz", ".css", ".js", ".html", ".svg",
         ".png", ".txt", ".gz", ""}  # fmt: skip


def environment_files() -> dict[str, bytes]:
    """The environment server: what its image copies, with the README as card."""
    return collect(project_root(), ENVIRONMENT)


def runner_files(title: str, about: str, extra: Mapping[str, bytes]) -> dict[str, bytes]:
    """The sweep or evaluation runner: the whole project, its own Dockerfile and card, and `extra` files."""
    files = collect(project_root(), WHOLE)
    files["Dockerfile"] = (project_root() / RUNNER_DOCKERFILE).read_bytes()
    files["README.md"] = card(title, about).encode()
    return files | dict(extra)


def evidence_files(reports: Path) -> dict[str, bytes]:
    """Reports and charts as files below evidence/.

    Raises:
        PolyGuardError: there are none.
    """
    found = {
        f"evidence/{path.relative_to(reports).as_posix()}": path.read_bytes()
        for pattern in ("*.json", "charts/*.png")
        for path in sorted(reports.glob(pattern))
    }
    if not found:
        raise PolyGuardError("reports", str(reports), "make them first: run 'make demo'")
    return found


def collect(root: Path, parts: Sequence[str]) -> dict[str, bytes]:
    """Path to content of the named files and of everything tracked below the named folders.

    Raises:
        PolyGuardError: a part is missing.
    """
    tracked = _tracked(root)
    found: dict[str, bytes] = {}
    for part in parts:
        path = root / part
        if path.is_file():
            found[part] = path.read_bytes()
            continue
        if not path.is_dir():
            raise PolyGuardError("space files", str(path), "run it from a whole checkout: set POLYGUARD_ROOT to one")
        for file in sorted(path.rglob("*")):
            name = file.relative_to(root).as_posix()
            if file.is_file() and not SKIPPED & set(file.parts) and (name in tracked if tracked else _wanted(file)):
                found[name] = file.read_bytes()
    return found


def _tracked(root: Path) -> set[str]:
    """What git tracks; empty outside a repository (an installed copy), where the file types decide."""
    try:
        ran = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        return set()
    return set(ran.stdout.split("\0")) - {""} if ran.returncode == 0 else set()


def _wanted(file: Path) -> bool:
    return file.suffix in TYPES or file.name == "Dockerfile"


def card(title: str, about: str) -> str:
    """A Space's README: the front matter the hub reads, then what it is."""
    front = {
        "title": title, "emoji": "💊", "colorFrom": "blue", "colorTo": "green", "sdk": "docker", "app_port": 7860,
        "license": "mit", "short_description": "Research system, not a medical device",
    }  # fmt: skip
    matter = yaml.safe_dump(front, allow_unicode=True, sort_keys=False)
    return f"---\n{matter}---\n\n# {title}\n\n{about}\n\n**{DISCLAIMER}**\n"


def front_matter(readme: str) -> dict[str, object]:
    """The front matter of a card.

    Raises:
        PolyGuardError: it has none.
    """
    found = re.match(r"---\n(.*?)\n---\n", readme, re.DOTALL)
    if found is None:
        raise PolyGuardError("README.md", readme[:40], "begin it with the Space's front matter between two --- lines")
    return dict(yaml.safe_load(found.group(1)))
