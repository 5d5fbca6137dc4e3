"""How the rules are compiled: cached on disk, without the interpreter lock, without reference counts.

Compiled functions allocate nothing: what they need beside a state is in the caller's workspace.
"""

from __future__ import annotations

from typing import Any

from numba import njit

OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}
compiled = njit(**OPTIONS)
inlined = njit(**OPTIONS, inline="always")
