"""How many sessions or episodes may run at once: in one process, or over all workers of a server."""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from pathlib import Path
from typing import Protocol

COUNT = struct.Struct("q")


class Slots(Protocol):
    """A bounded number of places.

    Attributes:
        most: places there are.
    """

    most: int

    def take(self) -> bool:
        """Take a slot; False when there is none."""

    def give(self) -> None:
        """Give a slot back."""

    def taken(self) -> int:
        """Slots taken, by all workers."""


class OwnSlots:
    """The slots of one process.

    Args:
        most: places there are.
    """

    def __init__(self, most: int) -> None:
        self.most, self._taken = most, 0

    def take(self) -> bool:
        if self._taken >= self.most:
            return False
        self._taken += 1
        return True

    def give(self) -> None:
        self._taken -= 1

    def taken(self) -> int:
        return self._taken


class SharedSlots:
    """The slots of all workers: a count for each worker in shared memory, under a lock the system frees.

    Args:
        most: places there are, over all workers.
        workers: how many there are.
        lock: a file to lock.
    """

    def __init__(self, most: int, workers: int, lock: Path) -> None:
        self.most, self.workers, self.path = most, workers, lock
        self._memory = mmap.mmap(-1, COUNT.size * workers)
        self._lock: int | None = None
        self.me = 0

    def join(self, me: int) -> None:
        """Be worker `me` from here on; what a former one of that number held is free again."""
        # A lock belongs to an open file, so each worker opens its own.
        self.me, self._lock = me, os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        self._set(0)

    def take(self) -> bool:
        assert self._lock is not None
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            if self.taken() >= self.most:
                return False
            self._set(self._get(self.me) + 1)
            return True
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def give(self) -> None:
        self._set(self._get(self.me) - 1)

    def taken(self) -> int:
        return sum(self._get(worker) for worker in range(self.workers))

    def clear(self, worker: int) -> None:
        """Free what a dead worker held."""
        COUNT.pack_into(self._memory, COUNT.size * worker, 0)

    def _get(self, worker: int) -> int:
        return int(COUNT.unpack_from(self._memory, COUNT.size * worker)[0])

    def _set(self, count: int) -> None:
        COUNT.pack_into(self._memory, COUNT.size * self.me, count)
