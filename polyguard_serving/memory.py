"""Memory given back to the system, where the C library offers to (glibc); elsewhere nothing happens."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

M_ARENA_MAX = -8


def _library() -> Any:
    return ctypes.CDLL(None) if sys.platform == "linux" else None


def one_arena() -> bool:
    """Let all threads allocate from one pool: the thread that loads the knowledge would keep a half empty one.

    Returns:
        True where the library took it.
    """
    option = getattr(_library(), "mallopt", None)
    return option is not None and option(M_ARENA_MAX, 1) == 1


def trim() -> bool:
    """Give back what was freed; True where some of it could be."""
    give_back = getattr(_library(), "malloc_trim", None)
    return give_back is not None and give_back(ctypes.c_size_t(0)) == 1
