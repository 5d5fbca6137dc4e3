"""How the rules are compiled: once, as one unit, cached on disk, without the interpreter lock or reference counts.

Compiled functions allocate nothing: what they need beside a state is in the caller's workspace. Codes and places of
parameters are constants to the compiler, and its cache looks at one source file at a time; so the cache lives in a
folder named after all that the code follows from, and a change of any of it compiles everything anew.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numba
from llvmlite import binding as llvm
from numba import njit

from polyguard_env.engine.linking import PartCompiler, WholeCompiler, widened

HERE = Path(__file__).resolve().parent
SOURCES = (
    *sorted(HERE.glob("*.py")),
    HERE.parent / "reward" / "columns.py",
    HERE.parent / "environment" / "messages.py",
)
ENTRY = HERE / "kernel.py"


def source_hash() -> str:
    """Hash of all that the compiled rules follow from: 16 hex digits. The cache asks for an entry point's time, too."""
    processor = numba.config.CPU_NAME or f"{llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"  # type: ignore[attr-defined]
    digest = sha256(f"{numba.__version__} {processor} {ENTRY.stat().st_mtime_ns}".encode())
    for file in SOURCES:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Where compiled code is kept, writable: NUMBA_CACHE_DIR, else beside the sources, else with the user's caches."""
    own = os.environ.get("NUMBA_CACHE_DIR")
    roots = [Path(own)] if own else [HERE / "__pycache__", Path.home() / ".cache" / "polyguard", Path(gettempdir())]
    for root in roots:
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(root, os.W_OK):
            return root / f"numba-{source_hash()}"
    return Path(roots[0]) / f"numba-{source_hash()}"


FOLDER = cache_folder()
numba.config.CACHE_DIR = str(FOLDER)  # type: ignore[attr-defined]

OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
PART = OPTIONS | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "pipeline_class": PartCompiler}
WHOLE = OPTIONS | {"cache": True, "no_cfunc_wrapper": True, "pipeline_class": WholeCompiler}
entry = njit(**WHOLE)


def compiled(function: Callable[..., Any]) -> Any:
    """A part of the compiled rules; called from other parts and entry points alone.

    It is compiled once for all widths of whole numbers and all lengths of arrays that it is called with.
    """
    part = njit(**PART)(function)
    template = part.get_call_template
    part.get_call_template = lambda args, kws: template(
        tuple(widened(kind) for kind in args), {name: widened(kind) for name, kind in kws.items()}
    )
    return part


def kept() -> bool:
    """True when this machine's compiled code is on disk."""
    return any(FOLDER.rglob("*.nbi"))


def ready(function: Any, signature: tuple[Any, ...]) -> float:
    """Load an entry point, or compile it once for this and later processes; seconds it took.

    Processes that come while another compiles wait for what it makes. A line on standard error says so.
    """
    began = time.perf_counter()
    if kept():
        function.compile(signature)
        return time.perf_counter() - began
    with _alone():
        if not kept():
            print("polyguard: compiling the rules (once, under a minute)", file=sys.stderr, flush=True)
        function.compile(signature)
    return time.perf_counter() - began


@contextmanager
def _alone() -> Iterator[None]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
