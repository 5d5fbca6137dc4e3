"""`python -m polyguard_serving.container`: the server inside an image whose root file system is read-only.

    compile  at image build: play episodes until everything is compiled, into POLYGUARD_COMPILED
    serve    at start: copy what was compiled to a writable folder, then serve
    healthy  the health check: 0 when the server on this host's PORT says it is healthy

Compiled code is looked up in a folder that the process can write to (numba refuses any other), so the image's own
copy cannot be used in place.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from polyguard_env.errors import PolyGuardError
from polyguard_env.net import checked_port

COMPILED_VARIABLE, CACHE_VARIABLE = "POLYGUARD_COMPILED", "NUMBA_CACHE_DIR"
HEALTH_SECONDS = 4.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one of the commands; 2 with one clear line when it cannot."""
    parser = argparse.ArgumentParser(prog="polyguard_serving.container", description="The server in its container.")
    parser.add_argument("command", choices=("compile", "serve", "healthy"))
    arguments, rest = parser.parse_known_args(argv)
    try:
        if arguments.command == "healthy":
            return 0 if healthy(os.environ.get("PORT", "8000")) else 1
        if arguments.command == "compile":
            compile_into(Path(os.environ.get(COMPILED_VARIABLE) or "compiled"))
            return 0
        prepare_cache()
    except PolyGuardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    from polyguard_serving.server import main as serve

    return serve(rest)


def compile_into(folder: Path) -> int:
    """Fill a folder with the compiled code of every kind of episode; the number of files in it.

    Raises:
        PolyGuardError: the folder cannot be written.
    """
    _make_writable(folder)
    os.environ[CACHE_VARIABLE] = str(folder)
    from polyguard_env.environment.env import PolyGuardEnv
    from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS, make_id
    from polyguard_env.knowledge.base import KnowledgeBase
    from polyguard_env.policies import POLICIES
    from polyguard_env.rollouts import run_episode

    env = PolyGuardEnv(KnowledgeBase.default())
    for sub_environment in SUB_ENVIRONMENTS:
        for difficulty in DIFFICULTIES:
            for name in ("random_legal", "rule_based", "oracle"):
                run_episode(env, POLICIES[name](), make_id("train", sub_environment, difficulty, 0), seed=1)
    count = sum(1 for path in folder.rglob("*") if path.is_file())
    # Every user of the image may read it, whatever umask built it.
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    print(f"compiled into {folder}: {count} files")
    return count


def prepare_cache() -> Path:
    """Give this process a writable copy of what the image compiled; where it is.

    Raises:
        PolyGuardError: there is no writable folder to copy it to.
    """
    target = Path(os.environ.get(CACHE_VARIABLE) or Path(tempfile.gettempdir()) / "polyguard" / "compiled")
    _make_writable(target)
    compiled = os.environ.get(COMPILED_VARIABLE)
    if compiled:
        if not Path(compiled).is_dir():
            raise PolyGuardError(COMPILED_VARIABLE, compiled, "name a folder that 'compile' filled, or leave it unset")
        shutil.copytree(compiled, target, dirs_exist_ok=True)
    os.environ[CACHE_VARIABLE] = str(target)
    return target


def _make_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        fix = f"give a folder this user can write to, as with docker run --tmpfs /tmp ({error.strerror})"
        raise PolyGuardError(CACHE_VARIABLE, str(folder), fix) from error


def healthy(port: str) -> bool:
    """Whether the server on this host's port says it is healthy."""
    url = f"http://127.0.0.1:{checked_port(port)}/health"
    try:
        with urllib.request.urlopen(url, timeout=HEALTH_SECONDS) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    sys.exit(main())
