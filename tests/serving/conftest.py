"""A real server process on a free loopback port."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

BANNER = "PolyGuard environment server on "


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "polyguard_serving.server", "--port", "0", "--sessions", "9"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
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
