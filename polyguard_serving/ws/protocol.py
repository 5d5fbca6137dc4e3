"""Uvicorn's websocket protocol with a short way for episodes.

The handshake goes through the application as any request does (guard, capacity). Once it is accepted, a session
may take the connection over: its messages are then answered in the very call that brings their bytes, without a
queue or a task in between.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode

from polyguard_serving.ws.frames import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    PROTOCOL_ERROR,
    TEXT,
    FrameError,
    FrameReader,
    close_payload,
    control_frame,
    text_frame,
)

EXTENSION = "polyguard.connection"
NORMAL, GOING_AWAY = 1000, 1012
MESSAGES = (TEXT, BINARY)


class Session(Protocol):
    """Who answers a connection's messages.

    Attributes:
        wants_close: the client asked for the end.
    """

    wants_close: bool

    def receive(self, message: bytes) -> bytes | None:
        """The answer at once, or None when it comes later through `Connection.answer`."""

    def lost(self) -> None:
        """The connection is gone."""


class Connection(WebSocketsSansIOProtocol):
    """A websocket connection that a session may take over."""

    session: Session | None = None

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            self.scope["extensions"][EXTENSION] = self  # type: ignore[index,assignment]

    def take_over(self, session: Session) -> asyncio.Future[None]:
        """Hand the accepted connection to a session; the result is done when the connection is gone."""
        self.reader = FrameReader(self.config.ws_max_size)
        self.busy = self.full = self.ended = self.deaf = False
        self.gone: asyncio.Future[None] = self.loop.create_future()
        self.session = session
        return self.gone

    def data_received(self, data: bytes) -> None:
        if self.session is None:
            super().data_received(data)
            return
        self.reader.feed(data)
        if not self.busy:
            self._advance()

    def answer(self, payload: bytes) -> None:
        """Send the answer that `receive` did not give, and go on with the next message."""
        self.busy = False
        if self.ended or self.transport.is_closing():
            return
        self.transport.write(text_frame(payload))
        self._advance()

    def tell(self, payload: bytes) -> None:
        """Send a message of the session's own accord."""
        if not self.ended and not self.transport.is_closing():
            self.transport.write(text_frame(payload))

    def end(self, code: int = NORMAL, reason: str = "") -> None:
        """Close the connection; a client that no longer reads is cut off."""
        if self.ended:
            return
        self.ended = True
        self.stop_keepalive()
        if self.transport.is_closing():
            return
        self.transport.write(control_frame(CLOSE, close_payload(code, reason)))
        if self.full:
            self.transport.abort()
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.session is not None:
            # A client that does not read gets no more answers, and no more of its questions are taken.
            self.full = True
            self._listen(False)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.session is not None:
            self.full = False
            if not self.busy:
                self._advance()

    def shutdown(self) -> None:
        if self.session is None:
            super().shutdown()
        else:
            self.end(GOING_AWAY, "the server is stopping")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.session is not None:
            self.ended = True
            self.session.lost()
            if not self.gone.done():
                self.gone.set_result(None)

    def _listen(self, wanted: bool) -> None:
        """Read from the client, or stop reading."""
        if self.deaf == wanted and not self.transport.is_closing():
            self.deaf = not wanted
            (self.transport.resume_reading if wanted else self.transport.pause_reading)()

    def _advance(self) -> None:
        """Answer the messages that are here, one after the other."""
        session = self.session
        assert session is not None
        try:
            while not (self.busy or self.full or self.ended):
                message = self.reader.next()
                if message is None:
                    if self.deaf:
                        self._listen(True)
                    return
                opcode, payload = message
                if opcode in MESSAGES:
                    self.busy = True
                    answer = session.receive(payload)
                    if answer is not None:
                        self.busy = False
                        self.transport.write(text_frame(answer))
                    elif session.wants_close:
                        self.end()
                    elif self.busy:
                        self._listen(False)
                elif opcode == PING:
                    self.transport.write(control_frame(PONG, payload))
                elif opcode == PONG:
                    self.handle_pong(Frame(Opcode.PONG, payload))
                else:
                    self.end(_echoed(payload))
        except FrameError as error:
            self.end(error.code, error.reason)


def _echoed(payload: bytes) -> int:
    """The close code to answer a close frame with."""
    if len(payload) < 2:
        return NORMAL if not payload else PROTOCOL_ERROR
    code = int.from_bytes(payload[:2], "big")
    return code if 1000 <= code < 5000 and code not in (1004, 1005, 1006, 1015) else PROTOCOL_ERROR
