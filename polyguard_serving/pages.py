"""Pages that load when first asked for: what a browser page needs is large, and an idle server should not hold it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack
from typing import Any

from fastapi import FastAPI

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class LazyPage:
    """An ASGI application built on its first request, off the event loop, with its own start and end.

    Args:
        build: makes the application; runs on a thread.
    """

    def __init__(self, build: Callable[[], Any]) -> None:
        self.build = build
        self._app: Any = None
        self._lock = asyncio.Lock()
        self._ends = AsyncExitStack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            async with self._lock:
                if self._app is None:
                    app = await asyncio.get_running_loop().run_in_executor(None, self.build)
                    if isinstance(app, FastAPI):
                        await self._ends.enter_async_context(app.router.lifespan_context(app))
                    self._app = app
        await self._app(scope, receive, send)

    async def close(self) -> None:
        """End the application, if it was built."""
        await self._ends.aclose()
