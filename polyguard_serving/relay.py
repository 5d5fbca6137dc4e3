"""Pages of several workers: what a person sees is remembered by one worker, and the others pass requests on to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from polyguard_serving.pages import Receive, Scope, Send
from polyguard_serving.refusals import Refusal

if TYPE_CHECKING:
    import httpx

# The worker that holds the pages.
FIRST = 0
ANSWER_SECONDS = 120.0
GOODBYE_SECONDS = 1
# Headers of one connection, not of what is passed on.
OF_CONNECTION = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)


class Relay:
    """An ASGI application that passes requests on to the worker that holds the pages.

    Args:
        socket: where that worker listens.
    """

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self._client: httpx.AsyncClient | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive()).get("body", b"")
        passing = asyncio.ensure_future(self._pass(scope, body, send))
        # A caller who leaves must not keep an endless answer open.
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait({passing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if passing.done():
                passing.result()
        finally:
            for task in (passing, leaving):
                task.cancel()

    async def _pass(self, scope: Scope, body: bytes, send: Send) -> None:
        import httpx

        if self._client is None:
            # Its times are the answer's beginning and the gaps in it: pages send a sign of life every few seconds.
            transport = httpx.AsyncHTTPTransport(uds=str(self.socket), limits=httpx.Limits(max_connections=None))
            self._client = httpx.AsyncClient(transport=transport, timeout=ANSWER_SECONDS, trust_env=False)
        query = scope.get("query_string", b"").decode("latin-1")
        address = f"http://pages{scope['path']}" + (f"?{query}" if query else "")
        headers = [(name, value) for name, value in scope["headers"] if name not in OF_CONNECTION]
        request = self._client.build_request(scope["method"], address, headers=headers, content=body)
        try:
            answer = await self._client.send(request, stream=True)
        except httpx.TransportError as error:
            fix = "the worker that holds the pages is being restarted: try again"
            raise Refusal("BUSY", "page", scope["path"], fix, retry_after=1) from error
        try:
            kept = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in OF_CONNECTION]
            await send({"type": "http.response.start", "status": answer.status_code, "headers": kept})
            async for part in answer.aiter_raw():
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await answer.aclose()

    async def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            await self._client.aclose()


class PageServer(uvicorn.Server):
    """Serves the pages to the other workers, on a socket of their own inside this worker.

    Args:
        app: the pages.
        socket: where to listen.
    """

    def __init__(self, app: Any, socket: Path) -> None:
        super().__init__(
            uvicorn.Config(
                app, uds=str(socket), lifespan="off", ws="none", log_level="critical", access_log=False,
                server_header=False, date_header=False, timeout_graceful_shutdown=GOODBYE_SECONDS,
            )
        )  # fmt: skip
        self._serving: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the server around it."""
        yield

    def begin(self) -> None:
        """Serve from now on."""
        self._serving = asyncio.create_task(self.serve())

    async def end(self) -> None:
        """Serve no longer."""
        self.should_exit = True
        if self._serving is not None:
            await self._serving


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
