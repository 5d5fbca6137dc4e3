"""Sessions of a soak: each opens a connection, does something, and goes away in its own way.

Every behaviour takes the server's address and a random source, and returns the steps it took. It raises `Surprise` when
the server does what it should not.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS, make_id

ANSWER_SECONDS = 60.0
# Of each kind and difficulty; few, so that what the server remembers of scenarios is full after the warm-up.
SCENARIOS = 2
MOST_STEPS = 12
MOST_PAUSE_SECONDS = 0.5
Behaviour = Callable[[str, random.Random], Awaitable[int]]


class Surprise(Exception):
    """The server did what it should not."""


def scenario(source: random.Random) -> str:
    """A training scenario's id."""
    return make_id("train", source.choice(SUB_ENVIRONMENTS), source.choice(DIFFICULTIES), source.randrange(SCENARIOS))


def opened(url: str) -> connect:
    """A websocket to the server; no proxy may stand before loopback."""
    return connect(f"ws{url.removeprefix('http')}/ws", open_timeout=ANSWER_SECONDS, proxy=None, max_size=2**26)


async def ask(socket: ClientConnection, message: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to one message."""
    await socket.send(json.dumps(message))
    return dict(json.loads(await asyncio.wait_for(socket.recv(), ANSWER_SECONDS)))


def observation(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The observation in an answer.

    Raises:
        Surprise: it is an error.
    """
    if answer.get("type") == "error":
        raise Surprise(str(answer.get("data"))[:200])
    return dict(answer["data"]["observation"])


async def play(socket: ClientConnection, source: random.Random, steps: int) -> int:
    """An episode of at most so many steps, with random candidates; the steps taken."""
    seen = observation(await ask(socket, {"type": "reset", "data": {"scenario_id": scenario(source), "seed": 1}}))
    for number in range(steps):
        chosen = source.choice(seen["candidates"])["candidate_id"]
        answer = await ask(socket, {"type": "step", "data": {"candidate_id": chosen}})
        seen = observation(answer)
        if answer["data"]["done"]:
            return number + 1
        await asyncio.sleep(source.uniform(0, MOST_PAUSE_SECONDS))
    return steps


async def plays_and_closes(url: str, source: random.Random) -> int:
    """Plays an episode to its end and says goodbye."""
    async with opened(url) as socket:
        steps = await play(socket, source, 64)
        await socket.send(json.dumps({"type": "close"}))
    return steps


async def cuts_the_line(url: str, source: random.Random) -> int:
    """Plays a little, then resets the connection without a goodbye."""
    async with opened(url) as socket:
        steps = await play(socket, source, source.randint(0, MOST_STEPS))
        socket.transport.abort()
    return steps


async def leaves_mid_answer(url: str, source: random.Random) -> int:
    """Sends a step and is gone before the answer."""
    async with opened(url) as socket:
        steps = await play(socket, source, source.randint(0, 2))
        await socket.send(json.dumps({"type": "reset", "data": {"scenario_id": scenario(source)}}))
        socket.transport.abort()
    return steps


async def leaves_mid_frame(url: str, source: random.Random) -> int:
    """Announces a long message, sends part of it and is gone."""
    async with opened(url) as socket:
        steps = await play(socket, source, 1)
        socket.transport.write(b"\x81\xfe\xff\xff\x00\x00\x00\x00" + b'{"type": "step"' * 3)
        await asyncio.sleep(source.uniform(0, 1))
        socket.transport.abort()
    return steps


async def reads_slowly(url: str, source: random.Random) -> int:
    """Asks for much and reads none of it for seconds; sometimes reads it at last, sometimes leaves."""
    async with opened(url) as socket:
        await play(socket, source, 0)
        socket.transport.pause_reading()
        asked = source.randint(50, 400)
        for _ in range(asked):
            await socket.send(json.dumps({"type": "state"}))
        await asyncio.sleep(source.uniform(2, 10))
        if source.random() < 0.5:
            socket.transport.abort()
            return 0
        socket.transport.resume_reading()
        for _ in range(asked):
            await asyncio.wait_for(socket.recv(), ANSWER_SECONDS)
    return 0


async def falls_silent(url: str, source: random.Random) -> int:
    """Plays a little and then says nothing until the server ends the session."""
    async with opened(url) as socket:
        steps = await play(socket, source, source.randint(1, 4))
        try:
            while True:
                await asyncio.wait_for(socket.recv(), ANSWER_SECONDS * 3)
        except ConnectionClosed:
            return steps
        except TimeoutError as error:
            raise Surprise("an idle session is never ended") from error


async def talks_nonsense(url: str, source: random.Random) -> int:
    """Sends what no client should; every message must be answered with an error, and the session go on."""
    async with opened(url) as socket:
        for text in ("{", "[]", '{"type": "dance"}', '{"type": "step", "data": {"candidate_id": 7}}', "\ud7ff" * 100):
            await socket.send(text)
            answer = json.loads(await asyncio.wait_for(socket.recv(), ANSWER_SECONDS))
            if answer.get("type") != "error":
                raise Surprise(f"{text[:40]!r} was answered with {str(answer)[:100]}")
        return await play(socket, source, 3)


async def over_http(url: str, source: random.Random) -> int:
    """A plain HTTP episode, half of the time left unfinished."""
    name = f"soak-{uuid4().hex}"
    async with httpx.AsyncClient(base_url=url, timeout=ANSWER_SECONDS, trust_env=False) as http:
        begun = await http.post("/reset", json={"scenario_id": scenario(source), "episode_id": name})
        if begun.status_code != 200:
            raise Surprise(f"reset: HTTP {begun.status_code}: {begun.text[:100]}")
        seen, steps, done = begun.json()["observation"], 0, False
        while not done and source.random() < 0.85:
            chosen = source.choice(seen["candidates"])["candidate_id"]
            answer = await http.post("/step", json={"episode_id": name, "action": {"candidate_id": chosen}})
            if answer.status_code != 200:
                raise Surprise(f"step: HTTP {answer.status_code}: {answer.text[:100]}")
            seen, steps, done = answer.json()["observation"], steps + 1, answer.json()["done"]
    return steps


async def leaves_mid_request(url: str, source: random.Random) -> int:
    """Announces a body, sends half of it and is gone."""
    host, port = url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST /reset HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
                 "Content-Length: 5000\r\n\r\n{\"seed\":".encode())  # fmt: skip
    await writer.drain()
    await asyncio.sleep(source.uniform(0, 2))
    writer.transport.abort()
    return 0


async def is_killed(url: str, source: random.Random) -> int:
    """A client process of its own, ended with SIGKILL in the middle of its episode."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "polyguard_assets.soak.victim", url, str(source.randrange(2**31)),
        stdout=asyncio.subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), ANSWER_SECONDS)
        await asyncio.sleep(source.uniform(0, 2))
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    if line != b"playing\n":
        raise Surprise(f"the client that was to be killed did not play: {line!r}")
    return 0


# How often each is drawn. A client process costs seconds of processor, so few are killed.
BEHAVIOURS: Mapping[Behaviour, int] = MappingProxyType(
    {
        plays_and_closes: 25, cuts_the_line: 20, leaves_mid_answer: 8, leaves_mid_frame: 6, reads_slowly: 10,
        falls_silent: 6, talks_nonsense: 5, over_http: 12, leaves_mid_request: 5, is_killed: 3,
    }
)  # fmt: skip
