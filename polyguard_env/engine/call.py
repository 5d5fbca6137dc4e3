"""A call of the compiled rules: the arrays it works on, and the table that tells them where these are."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine import machine_code
from polyguard_env.engine.blocks import address_of
from polyguard_env.engine.facts import FactTable
from polyguard_env.engine.folder import kept
from polyguard_env.engine.machine_code import CodeError, Run

# A state and the start it is copied from: one and the same for a single episode.
OF_STATE = ("states", "starts")
OF_THREAD = ("work", "scratch")


class Workspace:
    """Spare memory of one thread: a WORK record for each episode that it steps abreast, and a state."""

    def __init__(self) -> None:
        self.work = np.zeros(at.ABREAST, dtype=at.WORK)
        self.scratch = np.zeros(1, dtype=at.STATE)
        arrays = (self.work, self.scratch)
        self.entries = [(at.CALL.span(name), at.CALL.entry(name, array)) for name, array in zip(OF_THREAD, arrays)]


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


class Call:
    """What a call of the compiled rules works on; made once and used again.

    Args:
        table: the knowledge base.
        arrays: one array for every other field of `layout.CALL` but the workspace's.

    Attributes:
        table: where the compiled rules find the arrays.
    """

    def __init__(self, table: FactTable, arrays: Mapping[str, np.ndarray]) -> None:
        self._begin(at.CALL.table(), {"facts": table.block, **arrays})
        for name, array in self._held.items():
            self.put(name, array)
        missing = at.CALL.places.keys() - self._held.keys() - set(OF_THREAD)
        if missing:
            raise TypeError(f"no array for {sorted(missing)}")

    def _begin(self, words: np.ndarray, held: dict[str, np.ndarray]) -> None:
        self.table, self._held = words, held
        self._address = address_of(words)
        self._workspace: Workspace | None = None
        self._rules: Run

    def put(self, name: str, array: np.ndarray) -> None:
        """Let a field be this array."""
        at.CALL.put(self.table, name, array)
        self._held[name] = array

    def run(self, operation: int, address: int | None = None) -> Workspace:
        """Do one of the kernel's operations on this thread; its workspace holds what is not in the arrays.

        Args:
            address: of the table of a block that holds the call's own, for operations that need more than a call.
        """
        space: Workspace | None = getattr(_LOCAL, "workspace", None)
        if space is None or space is not self._workspace:
            space = workspace()
            for place, entry in space.entries:
                self.table[place] = entry
            self._workspace, self._rules = space, _RULES[0]
        self._rules(operation, self._address if address is None else address)
        return space


class OneCall(Call):
    """A call over one episode, with all it works on in one piece of memory but the scenario, which is `put`.

    Attributes:
        memory: a record with a field for each of the call's arrays, and the state in `states`; shape (1,).
    """

    def __init__(self, table: FactTable) -> None:
        form = _form(len(table.facts.weights))
        self.memory = np.frombuffer(bytearray(form.memory), dtype=form.dtype)
        words = self.memory["words"][0]
        self._begin(words, {"facts": table.block})
        words[form.relative] += self._address - form.start
        self.put("facts", table.block)


@dataclass(frozen=True, slots=True)
class _Form:
    """What the memory of every call over one episode looks like.

    Attributes:
        memory: its arrays as they are at first; the table counts addresses from the start of the memory.
        relative: which words of the table are such addresses.
        start: where the table begins.
    """

    dtype: np.dtype
    memory: bytes
    relative: np.ndarray
    start: int


@cache
def _form(columns: int) -> _Form:
    parts = rooms(1, columns)
    table = at.CALL.table()
    dtype = np.dtype(
        [("words", table.dtype, table.shape), ("states", at.STATE)]
        + [(name, array.dtype, array.shape) for name, array in parts.items()],
        align=True,
    )
    fields = dtype.fields
    assert fields is not None
    states = np.zeros(1, dtype=at.STATE)
    relative = []
    for name, array in (*parts.items(), *((name, states) for name in OF_STATE)):
        place = at.CALL.span(name)
        table[place] = at.CALL.entry(name, array)
        table[place.start] = fields[name if name in parts else "states"][1]
        relative.append(place.start)
    missing = at.CALL.places.keys() - parts.keys() - {"facts", "scenarios", *OF_STATE, *OF_THREAD}
    if missing:
        raise TypeError(f"no array for {sorted(missing)}")
    memory = np.zeros(1, dtype=dtype)
    memory["words"][0] = table
    for name, array in parts.items():
        memory[name][0] = array
    return _Form(dtype, memory.tobytes(), np.array(relative), int(fields["words"][1]))


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
