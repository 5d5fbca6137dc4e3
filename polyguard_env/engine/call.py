"""A call of the compiled rules: the arrays it works on, and the table that tells them where these are."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine import machine_code
from polyguard_env.engine.facts import FactTable
from polyguard_env.engine.folder import kept
from polyguard_env.engine.machine_code import CodeError, Run


class Workspace:
    """Spare memory of one thread: a WORK record, a state, and that state as words."""

    def __init__(self) -> None:
        self.work = np.zeros(1, dtype=at.WORK)
        self.scratch = np.zeros(1, dtype=at.STATE)
        self.arrays = {"work": self.work, "scratch": self.scratch, "scratch_words": words_of(self.scratch)}


_LOCAL = threading.local()
_FIRST = threading.Lock()
_RULES: list[Run] = []


def compile_rules() -> float:
    """Load or compile the rules; seconds it took, next to nothing when they are loaded."""
    with _FIRST:
        began = time.perf_counter()
        if not _RULES:
            _RULES.append(_rules())
        return time.perf_counter() - began


def _rules() -> Run:
    """The rules: their kept machine code, or the compiler's where there is none or it cannot be placed."""
    if not kept():
        from polyguard_env.engine.compiling import compile_whole

        return compile_whole()
    try:
        return machine_code.load()
    except CodeError as error:
        from polyguard_env.engine.compiling import compile_whole

        print(f"polyguard: the rules' machine code: {error}; loading the compiler", file=sys.stderr, flush=True)
        return compile_whole()


def workspace() -> Workspace:
    """This thread's spare memory."""
    found: Workspace | None = getattr(_LOCAL, "workspace", None)
    if found is None:
        compile_rules()
        found = _LOCAL.workspace = Workspace()
    return found


def words_of(states: np.ndarray) -> np.ndarray:
    """States as words, shape (states, words)."""
    return states.view(np.int64).reshape(len(states), -1)


class Call:
    """What a call of the compiled rules works on; made once and used again.

    Args:
        table: the knowledge base.
        arrays: one array for every other field of `layout.CALL` but the workspace's.

    Attributes:
        table: where the compiled rules find the arrays.
    """

    def __init__(self, table: FactTable, arrays: Mapping[str, np.ndarray]) -> None:
        self.table = at.CALL.table()
        self._address = self.table.ctypes.data
        self._workspace: Workspace | None = None
        self._rules: Run
        self._held: dict[str, np.ndarray] = {}
        self.put("facts", table.block)
        for name, array in arrays.items():
            self.put(name, array)
        missing = at.CALL.places.keys() - self._held.keys() - Workspace().arrays.keys()
        if missing:
            raise TypeError(f"no array for {sorted(missing)}")

    def put(self, name: str, array: np.ndarray) -> None:
        """Let a field be this array."""
        at.CALL.put(self.table, name, array)
        self._held[name] = array

    def run(self, operation: int, address: int | None = None) -> Workspace:
        """Do one of the kernel's operations on this thread; its workspace holds what is not in the arrays.

        Args:
            address: of the table of a block that holds the call's own, for operations that need more than a call.
        """
        space = workspace()
        if space is not self._workspace:
            for name, array in space.arrays.items():
                self.put(name, array)
            self._workspace, self._rules = space, _RULES[0]
        self._rules(operation, self._address if address is None else address)
        return space


def rooms(episodes: int, columns: int) -> dict[str, np.ndarray]:
    """The arrays of a call over so many episodes, all but its scenarios and their states."""
    return {
        "which": np.zeros(episodes, dtype=np.int64),
        "span": np.array([0, episodes], dtype=np.int64),
        "seeds": np.zeros(episodes, dtype=np.int64),
        "choices": np.zeros(episodes, dtype=np.int64),
        "reasons": np.zeros(episodes, dtype=np.int64),
        "confidence": np.full(episodes, np.nan),
        "cited": np.zeros(episodes, dtype=np.int64),
        "hits": np.zeros(episodes, dtype=np.int64),
        "rewards": np.zeros(episodes),
        "counts": np.zeros(3, dtype=np.int64),
        "columns": np.zeros((episodes, columns)),
        "done": np.zeros(episodes, dtype=np.int8),
    }
