"""How the rules are compiled: cached on disk, without the interpreter lock, without reference counts.

Compiled functions allocate nothing: what they need beside a state is in the caller's workspace.
"""

from __future__ import annotations

from numba import njit

compiled = njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
inlined = njit(cache=True, nogil=True, error_model="numpy", _nrt=False, inline="always")
