"""Slow work (a policy model's answer) off the event loop: few threads, a bounded queue, a time limit.

A model that hangs holds its thread and nothing else: callers past the queue or the limit are refused,
and environment sessions, which run on the event loop, never wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from polyguard_serving.refusals import Refusal

Result = TypeVar("Result")


class Offload:
    """Runs calls on its own threads.

    Args:
        name: of the work, for errors and metrics.
        threads: calls at once.
        waiting: calls that may wait for a thread.
        timeout_s: seconds a caller waits for its answer.
    """

    def __init__(self, name: str, threads: int = 1, waiting: int = 16, timeout_s: float = 60.0) -> None:
        self.name, self.timeout_s, self.most = name, timeout_s, threads + waiting
        self.calls = 0
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        # A call is handed over only when a thread is free: behind a hung model nothing piles up.
        self._free = asyncio.Semaphore(threads)

    async def run(
        self, call: Callable[..., Result], *arguments: Any, timeout_s: float | None = None, **named: Any
    ) -> Result:
        """The call's result.

        Raises:
            Refusal: BUSY (503) when too many calls wait; TIMEOUT (504) when the answer takes too long. A call that
                already runs then runs on; its thread takes no other call until it ends.
        """
        if self.calls >= self.most:
            raise Refusal("BUSY", self.name, self.calls, "too many calls wait for it: try again later", retry_after=1)
        limit = self.timeout_s if timeout_s is None else min(timeout_s, self.timeout_s)
        self.calls += 1
        try:
            async with asyncio.timeout(limit):
                await self._free.acquire()
                running = asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *arguments, **named))
                running.add_done_callback(self._ended)
                return await asyncio.shield(running)
        except TimeoutError as error:
            fix = "it did not answer in time: try again later or allow more time"
            raise Refusal("TIMEOUT", self.name, limit, fix) from error
        finally:
            self.calls -= 1

    def _ended(self, running: asyncio.Future[Any]) -> None:
        self._free.release()
        if not running.cancelled():
            running.exception()  # read it: nobody may be waiting any more

    def close(self) -> None:
        """Stop taking calls; those that run are left to end."""
        self._threads.shutdown(wait=False, cancel_futures=True)
