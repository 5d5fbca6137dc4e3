"""Structured logs: one JSON object a line on standard error, with episode ids.

Lines are gathered and written by a thread: a reader that is slow or gone costs lines, counted, never a step.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections import deque
from typing import IO, Any

import orjson

from polyguard_serving.tally import Tally

MOST_WAITING = 20_000
FLUSH_SECONDS = 0.2
LONGEST_TRACE = 8000


class Log:
    """Writes events.

    Args:
        tally: counts the lines that were dropped.
        sink: where lines go; nowhere when None.
    """

    def __init__(self, tally: Tally | None = None, sink: IO[bytes] | None = None) -> None:
        self.tally, self.sink = tally, sink
        self._waiting: deque[dict[str, Any]] = deque()
        self._ends = threading.Event()
        self._writer: threading.Thread | None = None

    @classmethod
    def to_standard_error(cls, tally: Tally) -> Log:
        """A log on standard error."""
        return cls(tally, sys.stderr.buffer)

    def event(self, name: str, **fields: Any) -> None:
        """Write an event; never a token, a header or a body."""
        if self.sink is None:
            return
        if len(self._waiting) >= MOST_WAITING:
            if self.tally is not None:
                self.tally.add("polyguard_log_lines_dropped")
            return
        self._waiting.append({"time": time.time(), "event": name, **fields})
        if self._writer is None:
            self._writer = threading.Thread(target=self._write, name="log", daemon=True)
            self._writer.start()

    def fault(self, error: BaseException, **fields: Any) -> None:
        """Write a fault of the server with its trace, which no client sees."""
        trace = "".join(traceback.format_exception(error))
        self.event("fault", error=type(error).__name__, trace=trace[-LONGEST_TRACE:], **fields)

    def close(self) -> None:
        """Write what waits, as far as the reader lets it within a second."""
        self._ends.set()
        if self._writer is not None:
            self._writer.join(1.0)

    def _write(self) -> None:
        assert self.sink is not None
        while True:
            ending = self._ends.wait(FLUSH_SECONDS)
            lines = []
            while self._waiting:
                lines.append(orjson.dumps(self._waiting.popleft(), default=str, option=orjson.OPT_APPEND_NEWLINE))
            if lines:
                try:
                    self.sink.write(b"".join(lines))
                    self.sink.flush()
                except (OSError, ValueError):
                    return  # nobody reads any more
            if ending:
                return
