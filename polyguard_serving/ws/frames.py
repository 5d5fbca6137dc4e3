"""Websocket frames (RFC 6455), read straight from the bytes as they arrive.

A step's answer takes less time than a general library takes to read its question: hence this small reader.
It takes text, binary, fragmented messages, ping, pong and close from a client, no extensions.
"""

from __future__ import annotations

from websockets.frames import Opcode, apply_mask  # type: ignore[attr-defined]

CONT, TEXT, BINARY, CLOSE, PING, PONG = (
    int(code) for code in (Opcode.CONT, Opcode.TEXT, Opcode.BINARY, Opcode.CLOSE, Opcode.PING, Opcode.PONG)
)
PROTOCOL_ERROR, BAD_DATA, TOO_BIG = 1002, 1007, 1009
LONGEST_CONTROL = 125


class FrameError(Exception):
    """What a client sent is no websocket frame, or too long.

    Args:
        code: the close code that says so.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class FrameReader:
    """Splits a client's bytes into messages.

    Args:
        longest: bytes a message may have.
    """

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self._bytes = b""
        self._at = 0
        self._parts: list[bytes] = []
        self._size = 0
        self._kind = 0
        self._needed = 2
        self._waiting: list[bytes] = []
        self._held = 0

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        if self._at < len(self._bytes) or self._waiting:
            self._waiting.append(data)
            self._held += len(data)
        else:
            self._bytes, self._at = data, 0

    def next(self) -> tuple[int, bytes] | None:
        """The next message or control frame as (opcode, payload); None until more bytes come.

        Raises:
            FrameError: the connection must be closed.
        """
        while True:
            frame = self._frame()
            if frame is None:
                return None
            final, opcode, payload = frame
            if opcode >= CLOSE:
                return opcode, payload
            if opcode != CONT:
                if self._kind:
                    raise FrameError(PROTOCOL_ERROR, "a new message before the last one ended")
                if final:
                    return opcode, payload
                self._kind = opcode
            elif not self._kind:
                raise FrameError(PROTOCOL_ERROR, "a continuation of nothing")
            self._parts.append(payload)
            self._size += len(payload)
            if self._size > self.longest:
                raise FrameError(TOO_BIG, f"a message may have {self.longest} bytes")
            if final:
                kind, whole = self._kind, b"".join(self._parts)
                self._kind, self._size = 0, 0
                self._parts.clear()
                return kind, whole

    def _frame(self) -> tuple[int, int, bytes] | None:
        if self._waiting:
            if len(self._bytes) - self._at + self._held < self._needed:
                return None
            self._bytes = b"".join((self._bytes[self._at :], *self._waiting))
            self._at, self._held = 0, 0
            self._waiting.clear()
        data, at = self._bytes, self._at
        left = len(data) - at
        if left < 2:
            self._needed = 2
            return None
        first, length = data[at], data[at + 1]
        opcode = first & 15
        if first & 0x70 or opcode not in (CONT, TEXT, BINARY, CLOSE, PING, PONG) or not length & 0x80:
            raise FrameError(PROTOCOL_ERROR, "not a client's frame")
        length &= 0x7F
        start = at + 2
        if opcode >= CLOSE and (length > LONGEST_CONTROL or not first & 0x80):
            raise FrameError(PROTOCOL_ERROR, "a control frame must be short and whole")
        if length >= 126:
            wide = 2 if length == 126 else 8
            if left < 2 + wide:
                self._needed = 2 + wide
                return None
            length = int.from_bytes(data[start : start + wide], "big")
            start += wide
        if length > self.longest:
            raise FrameError(TOO_BIG, f"a message may have {self.longest} bytes")
        end = start + 4 + length
        if len(data) < end:
            self._needed = end - at
            return None
        self._needed = 2
        self._at = end
        payload = apply_mask(data[start + 4 : end], data[start : start + 4])
        return first & 0x80, opcode, payload


def text_frame(payload: bytes) -> bytes:
    """A whole text message, as a server sends it."""
    size = len(payload)
    if size < 126:
        return b"\x81" + bytes((size,)) + payload
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def control_frame(opcode: int, payload: bytes = b"") -> bytes:
    """A ping, pong or close frame, as a server sends it; payload up to 125 bytes."""
    return bytes((0x80 | opcode, len(payload))) + payload


def close_payload(code: int, reason: str = "") -> bytes:
    """The payload of a close frame."""
    return code.to_bytes(2, "big") + reason.encode()[: LONGEST_CONTROL - 2]
