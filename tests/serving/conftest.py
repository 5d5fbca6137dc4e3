"""A real server process on a free loopback port."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import httpx
import pytest

BANNER = "PolyGuard environment server on "


@contextmanager
def serving(*options: str, env: dict[str, str] | None = None, log: IO[bytes] | None = None) -> Iterator[str]:
    """The URL of a server that runs as long as the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "polyguard_serving.server", "--port", "0", *options],
        stdout=subprocess.PIPE, stderr=log or subprocess.DEVNULL, text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"} | (env or {}),
    )  # fmt: skip
    try:
        assert process.stdout is not None
        deadline = time.monotonic() + 60
        url = ""
        while not url and time.monotonic() < deadline:
            line = process.stdout.readline()
            assert line or process.poll() is None, "the server ended before it answered"
            url = line.removeprefix(BANNER).strip() if line.startswith(BANNER) else ""
        yield url
    finally:
        process.terminate()
        process.wait(15)


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    with serving("--sessions", "9") as url:
        yield url


@pytest.fixture(scope="session")
def short_lived_url() -> Iterator[str]:
    """A server whose idle sessions and episodes are freed after a second."""
    with serving("--sessions", "2", "--session-timeout", "1") as url:
        yield url


@pytest.fixture
def http(server_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server_url, timeout=90, trust_env=False) as client:
        yield client
