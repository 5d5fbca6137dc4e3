"""Compiles the rules and keeps their machine code. Importing this loads the compiler."""

from __future__ import annotations

from typing import Any

from numba import types

from polyguard_env.engine import kernel
from polyguard_env.engine.compiled import ready
from polyguard_env.engine.machine_code import Run, callable_at, keep

SIGNATURE = (types.int64, types.int64)


def compile_whole() -> Run:
    """Load the compiler's own copy of the rules, or compile them and keep their machine code."""
    ready(kernel.run, SIGNATURE, _keep)
    made = kernel.run.overloads[SIGNATURE]
    return callable_at(made.library.get_pointer_to_function(made.fndesc.llvm_func_name))


def _keep(function: Any) -> None:
    made = function.overloads[SIGNATURE]
    keep(made.fndesc.llvm_func_name, bytes(made.library._get_compiled_object()))
