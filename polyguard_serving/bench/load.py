"""Servers as processes, their cost as the system counts it, and the load on them."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import httpx
import uvloop
from openenv.core import GenericEnvClient

from polyguard_env.errors import PolyGuardError

START_SECONDS = 120.0
# Steps a session takes between resets, which are not counted: what the shortest episodes last.
WAVE = 6
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Running:
    """A server under measurement."""

    url: str
    process: int
    healthy_seconds: float

    def cpu_seconds(self) -> float:
        """Processor time its process has used, to the nanosecond: the system's ticks are a hundred steps long."""
        threads = Path(f"/proc/{self.process}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

    def memory_mib(self) -> float:
        """Memory its process holds."""
        return int(Path(f"/proc/{self.process}/statm").read_text().split()[1]) * PAGE_BYTES / 2**20


@contextmanager
def serving(*command: str) -> Iterator[Running]:
    """A server started with a command in which "{port}" stands for a free port.

    Raises:
        PolyGuardError: it did not get healthy.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url, began = f"http://127.0.0.1:{port}", time.monotonic()
    settings = os.environ | {"POLYGUARD_LOG": "off", "POLYGUARD_SESSIONS": "100"}
    process = subprocess.Popen(
        [sys.executable, *(word.format(port=port) for word in command)], stdout=subprocess.DEVNULL, env=settings
    )
    try:
        healthy = _wait(process, f"{url}/health", began)
        # Ours answers once it has loaded; OpenEnv's own has no such path and answers at once.
        httpx.get(f"{url}/ready", trust_env=False, timeout=START_SECONDS)
        yield Running(url, process.pid, healthy)
    finally:
        process.terminate()
        process.wait(20)


def _wait(process: subprocess.Popen[bytes], url: str, began: float) -> float:
    while time.monotonic() - began < START_SECONDS:
        try:
            if httpx.get(url, trust_env=False, timeout=5).status_code == 200:
                return time.monotonic() - began
        except httpx.HTTPError:
            if process.poll() is not None:
                raise PolyGuardError("server", process.returncode, "run its command by hand to see why") from None
        time.sleep(0.02)
    raise PolyGuardError("server", url, f"it did not get healthy within {START_SECONDS:g} s")


def stepping(
    server: Running, sessions: int, steps: int, action: dict[str, Any], pause: float = 0.0
) -> dict[str, float]:
    """Steps of sessions side by side, each over OpenEnv's client.

    Args:
        pause: mean seconds that a session thinks before each step, drawn evenly from 0 to twice that. With none, all
            sessions ask as fast as one client can, and a step's time is mostly the wait for that client.

    They all reset, then step, then reset again; what passes while they reset is not counted. Collecting garbage is off
    in this process meanwhile: its pauses are no server's.
    """

    async def play() -> tuple[float, float, list[float]]:
        clients = [GenericEnvClient(base_url=server.url) for _ in range(sessions)]
        for client in clients:
            await client.connect()
        times: list[float] = []
        took = cpu = 0.0
        draw = Random(0)

        async def wave(client: Any) -> None:
            for _ in range(WAVE):
                if pause:
                    await asyncio.sleep(draw.uniform(0.0, 2.0 * pause))
                began = time.perf_counter()
                result = await client.step(action)
                times.append(time.perf_counter() - began)
                if result.done:
                    return

        while len(times) < steps:
            for client in clients:
                await client.reset(seed=1, difficulty="hard")
            used, began = server.cpu_seconds(), time.perf_counter()
            await asyncio.gather(*(wave(client) for client in clients))
            took += time.perf_counter() - began
            cpu += server.cpu_seconds() - used
        for client in clients:
            await client.close()
        return took, cpu, times

    gc.collect()
    gc.disable()
    try:
        took, cpu, times = uvloop.run(play())
    finally:
        gc.enable()
    times.sort()
    return {
        "sessions": sessions,
        "steps_per_second": len(times) / took,
        "server_cpu_microseconds_per_step": 1e6 * cpu / len(times),
        "p50_milliseconds": 1e3 * statistics.median(times),
        "p99_milliseconds": 1e3 * times[int(0.99 * len(times))],
    }


def batched(server: Running, episodes: int, rounds: int, detail: str) -> dict[str, float]:
    """Steps of many episodes in one message each round, over HTTP; resets not counted."""
    steps, took = 0, 0.0
    used = 0.0
    with httpx.Client(base_url=server.url, timeout=120, trust_env=False) as http:
        for number in range(rounds):
            items = [{"seed": number * episodes + place, "difficulty": "hard"} for place in range(episodes)]
            names = http.post("/batch/reset", json={"items": items, "detail": "reward"}).json()["episode_ids"]
            while names:
                before, began = server.cpu_seconds(), time.perf_counter()
                body = {"episode_ids": names, "actions": [0] * len(names), "detail": detail}
                answer = http.post("/batch/step", json=body).json()
                took += time.perf_counter() - began
                used += server.cpu_seconds() - before
                steps += len(names)
                names = [name for name, done in zip(names, answer["done"], strict=True) if not done]
    return {
        "episodes_in_a_message": episodes,
        "steps_per_second": steps / took,
        "server_cpu_microseconds_per_step": 1e6 * used / steps,
    }
