"""What a soak looks at: the server's process from outside, its own counts, and straight lines through both."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import httpx

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Sample:
    """The server at one moment.

    Attributes:
        seconds: since the soak began.
        rss_mib: resident memory of all its processes.
        fds: open file descriptors. threads: of all its processes.
        sessions: websocket sessions it counts. episodes: HTTP episodes it holds.
    """

    seconds: float
    rss_mib: float
    fds: int
    threads: int
    sessions: int
    episodes: int


def processes(root: int) -> list[int]:
    """A process and all below it."""
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            waiting += [int(child) for child in task.read_text().split()]
    return found


def look(root: int, url: str, seconds: float) -> Sample:
    """A sample of the server now."""
    rss = fds = threads = 0
    for pid in processes(root):
        status = Path(f"/proc/{pid}/status").read_text()
        rss += int(re.search(r"VmRSS:\s+(\d+)", status)[1])  # type: ignore[index]
        threads += int(re.search(r"Threads:\s+(\d+)", status)[1])  # type: ignore[index]
        fds += len(list(Path(f"/proc/{pid}/fd").iterdir()))
    text = httpx.get(f"{url}/metrics", timeout=30, trust_env=False).text
    gauge = {name: float(value) for name, value in re.findall(r"^(polyguard_\w+) ([\d.e+]+)$", text, re.MULTILINE)}
    return Sample(
        round(seconds, 1), round(rss / 1024, 2), fds, threads, int(gauge["polyguard_sessions"]),
        int(gauge["polyguard_episodes"]),
    )  # fmt: skip


def slope(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """Least-squares slope of y over x and its standard error; needs three points."""
    count = len(xs)
    mean_x, mean_y = sum(xs) / count, sum(ys) / count
    spread = sum((x - mean_x) ** 2 for x in xs)
    gradient = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
    residual = sum((y - mean_y - gradient * (x - mean_x)) ** 2 for x, y in zip(xs, ys, strict=True))
    return gradient, sqrt(residual / (count - 2) / spread)
