"""Starting and stopping the server: one clear line for whatever is wrong, a quiet end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from polyguard_serving import server

ROOT = Path(__file__).resolve().parents[2]


def refused(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """The one line a server prints that cannot start."""
    assert server.main(options) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and told.count("\n") == 1
    return told


@pytest.mark.parametrize("listening", [True, False])
def test_a_busy_port_is_one_clear_error(capsys: pytest.CaptureFixture[str], listening: bool) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        if listening:
            taken.listen()
        port = str(taken.getsockname()[1])
        told = refused(capsys, "--port", port)
    assert port in told and "in use" in told


def test_a_port_is_taken_as_soon_as_a_server_starts(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as starting:
        # As a server does that is still loading.
        starting.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        starting.bind(("127.0.0.1", 0))
        starting.listen()
        assert "in use" in refused(capsys, "--port", str(starting.getsockname()[1]))


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (("--port", "abc"), "port"),
        (("--port", "70000"), "port"),
        (("--host", "256.1.1.1", "--port", "0"), "host"),
        (("--host", "192.0.2.1", "--port", "0"), "host"),
        (("--port", "0", "--sessions", "0"), "sessions"),
        (("--port", "0", "--sessions", "many"), "sessions"),
        (("--port", "0", "--session-timeout", "-1"), "session-timeout"),
        (("--port", "0", "--session-timeout", "nan"), "session-timeout"),
    ],
)
def test_a_bad_option_is_one_clear_error(
    capsys: pytest.CaptureFixture[str], options: tuple[str, ...], field: str
) -> None:
    assert refused(capsys, *options).startswith(f"error: {field}: ")


def test_a_process_that_cannot_start_exits_with_2_and_no_traceback() -> None:
    environment = os.environ | {"PORT": "abc"}
    ran = subprocess.run(
        [sys.executable, "-m", "server.app"], capture_output=True, text=True, cwd=ROOT, env=environment
    )
    assert ran.returncode == 2 and ran.stderr.startswith("error: port: ") and ran.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("entry", "ending"), [("polyguard_serving.server", signal.SIGINT), ("server.app", signal.SIGTERM)]
)
def test_a_stopped_server_ends_quietly(entry: str, ending: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", entry], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env=os.environ | {"HOST": "127.0.0.1", "PORT": "0", "PYTHONUNBUFFERED": "1", "OPENENV_MODE": "nonsense"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        url = process.stdout.readline().partition(" on ")[2].strip()
        assert "not a medical device" in process.stdout.readline()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if httpx.get(f"{url}/health", trust_env=False, timeout=30).json() == {"status": "healthy"}:
                break
        process.send_signal(ending)
        _, told = process.communicate(timeout=20)
    finally:
        process.kill()
    assert "Traceback" not in told and process.returncode in (0, -ending)
