"""Free loopback ports."""

from __future__ import annotations

import socket

import pytest


def unused() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
def free_port() -> int:
    return unused()
