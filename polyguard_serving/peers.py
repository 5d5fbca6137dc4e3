"""Calls between the workers of one server, over sockets in a folder of their own.

A message is a length, a number that pairs it with its answer, a flag, and JSON. Nothing but the server's own
user can reach the folder.
"""

from __future__ import annotations

import asyncio
import itertools
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson

from polyguard_env.errors import PolyGuardError
from polyguard_serving.refusals import Refusal, problem

HEAD = struct.Struct("!IQB")
ANSWER, REFUSED = 1, 2
LONGEST_MESSAGE = 256 * 2**20
CONNECT_TRIES, CONNECT_WAIT_SECONDS = 20, 0.1
Answer = Callable[[str, bytes], Awaitable[bytes]]


class Peers:
    """This worker among the others.

    Args:
        folder: where the workers' sockets are.
        me: this worker's number, from 0.
        count: of workers.
    """

    def __init__(self, folder: Path, me: int, count: int) -> None:
        self.folder, self.me, self.count = folder, me, count
        self.others = [other for other in range(count) if other != me]
        self._lines: dict[int, Line] = {}
        self._server: asyncio.Server | None = None

    async def listen(self, answer: Answer) -> None:
        """Answer the other workers' calls.

        Args:
            answer: takes an operation and its JSON, returns JSON.
        """
        path = self.folder / f"{self.me}.sock"
        path.unlink(missing_ok=True)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks: set[asyncio.Task[None]] = set()
            try:
                while True:
                    number, _, body = await _read(reader)
                    operation, _, text = body.partition(b" ")
                    task = asyncio.create_task(_reply(writer, number, answer(operation.decode(), text)))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
            except (asyncio.IncompleteReadError, ConnectionError):
                pass  # the other worker is gone; its calls die with it
            finally:
                writer.close()

        self._server = await asyncio.start_unix_server(serve, path)

    async def ask(self, owner: int, operation: str, body: bytes) -> bytes:
        """Another worker's answer.

        Raises:
            PolyGuardError: what the other worker refused with.
            Refusal: BUSY: it is being restarted.
        """
        line = self._lines.get(owner)
        if line is None or line.broken:
            line = self._lines[owner] = Line()
            line.opening = asyncio.ensure_future(line.open(self.folder / f"{owner}.sock"))
        assert line.opening is not None
        await asyncio.shield(line.opening)
        return await line.ask(operation, body)

    async def gather(self, operation: str, body: bytes = b"{}") -> list[bytes]:
        """All other workers' answers, without those that are being restarted."""
        answers = await asyncio.gather(
            *(self.ask(other, operation, body) for other in self.others), return_exceptions=True
        )
        return [answer for answer in answers if isinstance(answer, bytes)]

    async def close(self) -> None:
        """Stop listening and hang up."""
        if self._server is not None:
            self._server.close()
        for line in self._lines.values():
            line.close()


class Line:
    """A connection to another worker; many calls may be on their way."""

    def __init__(self) -> None:
        self.broken = False
        self.opening: asyncio.Future[None] | None = None
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._numbers = itertools.count()
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None

    async def open(self, path: Path) -> None:
        """Connect; a worker that is being restarted gets a moment."""
        for _ in range(CONNECT_TRIES):
            try:
                reader, self._writer = await asyncio.open_unix_connection(path)
            except OSError:
                await asyncio.sleep(CONNECT_WAIT_SECONDS)
                continue
            self._reading = asyncio.create_task(self._read(reader))
            return
        self.broken = True
        raise _restarting()

    async def ask(self, operation: str, body: bytes) -> bytes:
        """The answer to one call."""
        if self.broken or self._writer is None:
            raise _restarting()
        number = next(self._numbers)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        message = operation.encode() + b" " + body
        self._writer.write(HEAD.pack(len(message), number, 0) + message)
        try:
            return await waiting
        finally:
            self._waiting.pop(number, None)

    def close(self) -> None:
        """Hang up."""
        self.broken = True
        if self._reading is not None:
            self._reading.cancel()
        if self._writer is not None:
            self._writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                number, kind, body = await _read(reader)
                waiting = self._waiting.get(number)
                if waiting is None or waiting.done():
                    continue
                if kind == ANSWER:
                    waiting.set_result(body)
                else:
                    told = orjson.loads(body)
                    refusal = Refusal(
                        told["code"], told["field"], Told(told["value"]), told["fix"], told.get("retry_after")
                    )
                    waiting.set_exception(refusal)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.broken = True
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(_restarting())


class Told:
    """A value as another worker has already shown it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


async def _reply(writer: asyncio.StreamWriter, number: int, answer: Awaitable[bytes]) -> None:
    try:
        kind, body = ANSWER, await answer
    except PolyGuardError as error:
        kind, body = REFUSED, orjson.dumps(problem(error) | {"retry_after": getattr(error, "retry_after", None)})
    except Exception as error:  # a fault here must reach the caller, who would wait for ever
        told: dict[str, Any] = {"code": "INTERNAL_ERROR", "field": "server", "value": type(error).__name__}
        kind, body = REFUSED, orjson.dumps(told | {"fix": "report this: it is a fault of the server"})
    writer.write(HEAD.pack(len(body), number, kind) + body)
    await writer.drain()


async def _read(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    length, number, kind = HEAD.unpack(await reader.readexactly(HEAD.size))
    if length > LONGEST_MESSAGE:
        raise ConnectionError("message too long")
    return number, kind, await reader.readexactly(length)


def _restarting() -> Refusal:
    fix = "the worker that holds it is being restarted: try again; restore a checkpoint if the episode is gone"
    return Refusal("BUSY", "episode_id", None, fix, retry_after=1)
