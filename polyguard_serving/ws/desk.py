"""Where websocket sessions come in: capacity, the idle ones' end, and the connection under each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from polyguard_serving.host import Host
from polyguard_serving.limits import Bucket
from polyguard_serving.pages import Receive, Scope, Send
from polyguard_serving.refusals import Refusal
from polyguard_serving.settings import Settings
from polyguard_serving.slots import Slots
from polyguard_serving.ws.protocol import EXTENSION, Connection
from polyguard_serving.ws.session import EpisodeSession, refusal

IDLE, TRY_AGAIN_LATER = 4408, 1013
RETRY_SECONDS = 5


class Desk:
    """The application's websocket endpoint.

    Args:
        make_host: makes the host of a session's batches.
        mcp: answers JSON-RPC messages.
    """

    def __init__(
        self, settings: Settings, slots: Slots, make_host: Callable[[], Host], mcp: Callable[[Any], Any]
    ) -> None:
        self.settings, self.slots, self.make_host, self.mcp = settings, slots, make_host, mcp
        self.open: dict[EpisodeSession, Callable[[], None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        host = self.make_host()
        if not self.slots.take():
            host.tally.add("polyguard_refusals", "CAPACITY_REACHED")
            await self._refuse(send)
            return
        host.tally.add("polyguard_sessions_opened")
        cause = "fault"
        connection = scope.get("extensions", {}).get(EXTENSION)
        bucket = scope.get("polyguard.bucket")
        try:
            if isinstance(connection, Connection):
                cause = await self._straight(connection, host, bucket)
            else:
                cause = await self._plain(receive, send, host, bucket)
        finally:
            self.slots.give()
            host.tally.add("polyguard_sessions_closed", cause)

    def checkpoints(self, episode_id: str) -> list[dict[str, Any]]:
        """Checkpoints of the episodes of this id that the open sessions play; ids are a session's own."""
        found = (session.checkpoint_of(episode_id) for session in self.open)
        return [saved for saved in found if saved is not None]

    def close_idle(self) -> int:
        """End the sessions that have idled too long; how many there were."""
        idle = []
        for session, end in self.open.items():
            if session.host.store.clock() - session.used > self.settings.session_timeout:
                idle.append(end)
        for end in idle:
            end()
        return len(idle)

    async def _straight(self, connection: Connection, host: Host, bucket: Bucket | None) -> str:
        session = EpisodeSession(host, self.mcp, connection.answer, self.settings.json_depth, bucket)
        cause = "client"

        def end() -> None:
            nonlocal cause
            cause = "idle"
            connection.tell(refusal(self._idle()))
            connection.end(IDLE, "idle")

        self.open[session] = end
        try:
            await connection.take_over(session)
        finally:
            del self.open[session]
        return cause

    async def _plain(self, receive: Receive, send: Send, host: Host, bucket: Bucket | None) -> str:
        """The same over a server of another make."""
        answers: asyncio.Queue[bytes] = asyncio.Queue()
        session = EpisodeSession(host, self.mcp, answers.put_nowait, self.settings.json_depth, bucket)
        task = asyncio.current_task()
        idle = False

        def end() -> None:
            nonlocal idle
            idle = True
            if task is not None:
                task.cancel()

        self.open[session] = end
        try:
            while True:
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    return "client"
                text = message.get("text")
                answer = session.receive(text.encode() if text is not None else message.get("bytes") or b"")
                if answer is None:
                    if session.wants_close:
                        await send({"type": "websocket.close", "code": 1000})
                        return "client"
                    answer = await answers.get()
                await send({"type": "websocket.send", "text": answer.decode()})
        except asyncio.CancelledError:
            if not idle:
                raise
            await send({"type": "websocket.send", "text": refusal(self._idle()).decode()})
            await send({"type": "websocket.close", "code": IDLE})
            return "idle"
        finally:
            del self.open[session]
            session.lost()

    async def _refuse(self, send: Send) -> None:
        active, most = self.slots.taken(), self.settings.sessions
        fix = f"{most} sessions are open already: close one, or try again later"
        error = Refusal("CAPACITY_REACHED", "sessions", active, fix, retry_after=RETRY_SECONDS)
        more = {"active_sessions": active, "max_sessions": most, "retry_after_s": RETRY_SECONDS}
        await send({"type": "websocket.send", "text": refusal(error, **more).decode()})
        await send({"type": "websocket.close", "code": TRY_AGAIN_LATER, "reason": "CAPACITY_REACHED"})

    def _idle(self) -> Refusal:
        seconds = self.settings.session_timeout
        fix = f"the session was idle for {seconds:g} s: connect again and restore a checkpoint"
        return Refusal("SESSION_ERROR", "session", "idle", fix)
