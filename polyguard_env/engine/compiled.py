"""How the rules are compiled: once, as one unit, kept on disk, without the interpreter lock or reference counts.

Compiled functions allocate nothing: what they need beside a state is in the caller's workspace. Importing this loads
the compiler; a process that only runs the rules takes their machine code as it is (`machine_code.py`).
"""

from __future__ import annotations

import fcntl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numba
from numba import njit

from polyguard_env.engine.folder import FOLDER, kept
from polyguard_env.engine.linking import PartCompiler, WholeCompiler, widened

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


def ready(function: Any, signature: tuple[Any, ...], after: Callable[[Any], None] = lambda function: None) -> float:
    """Load an entry point, or compile it once for this and later processes; seconds it took.

    Processes that come while another compiles wait for what it makes. A line on standard error says so.

    Args:
        after: called with the compiled function where it was compiled just now, before others are let in.
    """
    began = time.perf_counter()
    if kept():
        function.compile(signature)
        return time.perf_counter() - began
    with alone():
        first = not kept()
        if first:
            print("polyguard: compiling the rules (once, under a minute)", file=sys.stderr, flush=True)
            for half in FOLDER.rglob("*.nb?"):
                half.unlink()
        function.compile(signature)
        if first:
            after(function)
    return time.perf_counter() - began


@contextmanager
def alone() -> Iterator[None]:
    """Hold the folder's lock."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
