"""Several workers of one server: forked from a process that has loaded the knowledge once, restarted when one dies.

All accept on the same socket. Each episode has one owner among them (see `episodes.py`), so HTTP callers may reach
any of them; a websocket stays with the worker that accepted it.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from polyguard_env.errors import PolyGuardError
from polyguard_serving.settings import Settings
from polyguard_serving.slots import SharedSlots

# A worker that dies this soon after its start, this often, will not come up at all.
SHORT_LIFE_SECONDS, MOST_SHORT_LIVES = 5.0, 5


def serve_together(settings: Settings, listener: socket.socket) -> int:
    """Serve with several workers until a signal ends them; 2 with one clear line when it cannot."""
    try:
        if not hasattr(os, "fork"):
            raise PolyGuardError("workers", settings.workers, "use 1 on this system: it cannot fork")
        _load()
    except PolyGuardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    from polyguard_serving.server import announce

    folder = Path(tempfile.mkdtemp(prefix="polyguard-"))
    try:
        sessions = SharedSlots(settings.sessions, settings.workers, folder / "sessions.lock")
        episodes = SharedSlots(settings.episodes, settings.workers, folder / "episodes.lock")
        announce(listener)
        return _Supervisor(settings, listener, folder, (sessions, episodes)).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _load() -> None:
    """Load what workers share, so that a new one starts in milliseconds and most of its memory is common."""
    import uvicorn  # noqa: F401

    import polyguard_serving.app  # noqa: F401
    from polyguard_env.environment.env import PolyGuardEnv

    PolyGuardEnv().reset(seed=0)
    gc.collect()
    gc.freeze()


class _Supervisor:
    """Starts the workers, restarts those that die, ends them all."""

    def __init__(
        self, settings: Settings, listener: socket.socket, folder: Path, slots: tuple[SharedSlots, ...]
    ) -> None:
        self.settings, self.listener, self.folder, self.slots = settings, listener, folder, slots
        self.running: dict[int, tuple[int, float]] = {}
        self.ending = False
        self.short_lives = 0

    def run(self) -> int:
        for kind in (signal.SIGINT, signal.SIGTERM):
            signal.signal(kind, self._end)
        for number in range(self.settings.workers):
            self._start(number)
        while self.running:
            try:
                pid, _ = os.wait()
            except ChildProcessError:
                break
            except InterruptedError:
                continue
            self._ended(pid)
        print("stopped", flush=True)
        return 0 if self.short_lives < MOST_SHORT_LIVES else 1

    def _start(self, number: int) -> None:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                status = _work(self.settings, self.listener, self.folder, number, self.slots)
            finally:
                os._exit(status)
        self.running[pid] = (number, time.monotonic())

    def _ended(self, pid: int) -> None:
        number, began = self.running.pop(pid)
        for slots in self.slots:
            slots.clear(number)
        if self.ending:
            return
        if time.monotonic() - began < SHORT_LIFE_SECONDS:
            self.short_lives += 1
            if self.short_lives >= MOST_SHORT_LIVES:
                print("error: workers: they end as soon as they start; see their log", file=sys.stderr, flush=True)
                self._end(signal.SIGTERM, None)
                return
        self._start(number)

    def _end(self, kind: int, frame: FrameType | None) -> None:
        self.ending = True
        for pid in self.running:
            os.kill(pid, signal.SIGTERM)


def _work(
    settings: Settings, listener: socket.socket, folder: Path, number: int, slots: tuple[SharedSlots, ...]
) -> int:
    """Be a worker."""
    from polyguard_serving.app import create
    from polyguard_serving.peers import Peers
    from polyguard_serving.server import run
    from polyguard_serving.service import Place

    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, signal.SIG_DFL)
    # The terminal's interrupt reaches every process of the group; the supervisor passes the end on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for each in slots:
        each.join(number)
    try:
        run(create(settings, Place(Peers(folder, number, settings.workers), *slots)), listener, settings)
    except KeyboardInterrupt:
        return 0
    return 0
