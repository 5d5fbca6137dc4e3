"""How the rules are compiled: cached on disk, without the interpreter lock, without reference counts.

Compiled functions allocate nothing: what they need beside a state is in the caller's workspace. Codes and places of
parameters are constants to the compiler, and its cache looks at one source file at a time; so the cache lives in a
folder named after a hash of all sources, and a change of any of them compiles everything anew.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numba
from numba import njit

HERE = Path(__file__).resolve().parent
SOURCES = (
    *sorted(HERE.glob("*.py")),
    HERE.parent / "reward" / "columns.py",
    HERE.parent / "environment" / "messages.py",
)


def source_hash() -> str:
    """Hash of every source that the compiled rules follow from: 16 hex digits."""
    digest = sha256(numba.__version__.encode())
    for file in SOURCES:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Where compiled code is kept: NUMBA_CACHE_DIR, else beside the sources, else with the user's caches."""
    own = os.environ.get("NUMBA_CACHE_DIR")
    roots = [Path(own)] if own else [HERE / "__pycache__", Path.home() / ".cache" / "polyguard", Path(gettempdir())]
    for root in roots:
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(root, os.W_OK) or any(root.glob("numba-*")):
            return root / f"numba-{source_hash()}"
    return Path(roots[0]) / f"numba-{source_hash()}"


numba.config.CACHE_DIR = str(cache_folder())  # type: ignore[attr-defined]

OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}
compiled = njit(**OPTIONS)
inlined = njit(**OPTIONS, inline="always")
