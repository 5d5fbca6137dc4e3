"""The frame reader: what a general library sends it understands, however it is cut; what is no frame it refuses."""

from __future__ import annotations

import random

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.streams import StreamReader
from websockets.uri import parse_uri

from polyguard_serving.ws.frames import FrameError, FrameReader, text_frame


def client() -> ClientProtocol:
    """A library's client past its handshake."""
    protocol = ClientProtocol(parse_uri("ws://localhost/ws"), max_size=None)
    protocol.state = State.OPEN
    return protocol


def sent(protocol: ClientProtocol) -> bytes:
    return b"".join(protocol.data_to_send())


def messages(reader: FrameReader, data: bytes, rng: random.Random) -> list[tuple[int, bytes]]:
    """What the reader finds in data that arrives in pieces of any size."""
    found = []
    while data:
        cut = rng.choice((1, 2, 3, 7, 100, 5000, len(data)))
        reader.feed(data[:cut])
        data = data[cut:]
        while (message := reader.next()) is not None:
            found.append(message)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_messages_come_out_as_they_went_in(seed: int) -> None:
    rng, protocol = random.Random(seed), client()
    expected, wire = [], b""
    for _ in range(12):
        payload = rng.randbytes(rng.choice((0, 1, 60, 125, 126, 127, 4000, 65535, 65536, 70000)))
        kind = rng.choice(("text", "binary", "fragments", "ping", "pong"))
        if kind == "text":
            protocol.send_text(payload)
            expected.append((Opcode.TEXT, payload))
        elif kind == "binary":
            protocol.send_binary(payload)
            expected.append((Opcode.BINARY, payload))
        elif kind == "fragments":
            cut = rng.randint(0, len(payload))
            protocol.send_text(payload[:cut], fin=False)
            protocol.send_ping(b"between")
            protocol.send_continuation(payload[cut:], fin=True)
            expected += [(Opcode.PING, b"between"), (Opcode.TEXT, payload)]
        else:
            (protocol.send_ping if kind == "ping" else protocol.send_pong)(payload[:125])
            expected.append((Opcode.PING if kind == "ping" else Opcode.PONG, payload[:125]))
        wire += sent(protocol)
    protocol.send_close(1000, "done")
    wire += sent(protocol)
    expected.append((Opcode.CLOSE, b"\x03\xe8done"))
    assert messages(FrameReader(10**6), wire, rng) == [(int(kind), payload) for kind, payload in expected]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x05hello", 1002),  # not masked
        (b"\xc1\x80\x00\x00\x00\x00", 1002),  # a reserved bit
        (b"\x83\x80\x00\x00\x00\x00", 1002),  # an unknown opcode
        (b"\x80\x80\x00\x00\x00\x00", 1002),  # a continuation of nothing
        (b"\x09\x80\x00\x00\x00\x00", 1002),  # a ping in fragments
        (b"\x89\xfe\x00\x7e", 1002),  # a long ping
        (b"\x01\x80\x00\x00\x00\x00\x81\x80\x00\x00\x00\x00", 1002),  # a message within a message
        (b"\x81\xff" + (2**40).to_bytes(8, "big"), 1009),
        (b"\x81\xfe\x10\x00", 1009),
        (b"\x01\xfe\x03\x00" + bytes(4 + 768) + b"\x80\xfe\x03\x00" + bytes(4 + 768), 1009),  # long in all
    ],
)
def test_what_is_no_frame_is_refused(data: bytes, code: int) -> None:
    reader = FrameReader(1024)
    reader.feed(data)
    with pytest.raises(FrameError) as refused:
        while reader.next() is not None:
            pass
    assert refused.value.code == code


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_answers_are_frames_a_library_reads(size: int) -> None:
    reader = StreamReader()
    reader.feed_data(text_frame(b"x" * size))
    with pytest.raises(StopIteration) as read:
        next(Frame.parse(reader.read_exact, mask=False, max_size=None))
    frame = read.value.value
    assert frame.fin and frame.opcode is Opcode.TEXT and frame.data == b"x" * size
