"""`python -m polyguard_serving.server`: run the environment server."""

from __future__ import annotations

import argparse
import errno
import gc
import os
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from polyguard_env.environment.messages import DISCLAIMER
from polyguard_env.errors import PolyGuardError
from polyguard_env.net import listen
from polyguard_serving import memory
from polyguard_serving.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

BACKLOG = 2048
GOODBYE_SECONDS = 5
KEEP_ALIVE_SECONDS = 30


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted; 2 with one clear line when it cannot start."""
    parser = argparse.ArgumentParser(
        prog="polyguard_serving.server",
        description=__doc__,
        epilog=f"Every option may also come from the environment; see docs/service.md. {DISCLAIMER}",
    )
    parser.add_argument("--host", help="address to bind (HOST, 127.0.0.1)")
    parser.add_argument("--port", help="0 for a free one (PORT, 8000)")
    parser.add_argument("--sessions", help="websocket sessions at once (POLYGUARD_SESSIONS)")
    parser.add_argument("--episodes", help="HTTP episodes at once (POLYGUARD_EPISODES)")
    parser.add_argument("--session-timeout", help="seconds until the idle are freed (POLYGUARD_SESSION_TIMEOUT)")
    parser.add_argument("--workers", help="processes that serve (POLYGUARD_WORKERS)")
    parser.add_argument("--state", help="folder that keeps HTTP episodes over a restart (POLYGUARD_STATE)")
    parser.add_argument("--log", choices=("json", "off"), help="structured logs on standard error (POLYGUARD_LOG)")
    arguments = parser.parse_args(argv)
    # Its own pool would keep what loading the knowledge has freed.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    memory.one_arena()
    try:
        settings = Settings.from_environment(os.environ | _given(arguments)).checked()
        listener = _listener(settings)
    except PolyGuardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if settings.workers == 1:
        return serve_alone(settings, listener)
    from polyguard_serving.workers import serve_together

    return serve_together(settings, listener)


def serve_alone(settings: Settings, listener: socket.socket) -> int:
    """Serve in this process."""
    # Loading makes no garbage worth looking for; the service looks again once it has loaded.
    gc.disable()
    from polyguard_serving.app import create

    try:
        app = create(settings)
    except PolyGuardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    announce(listener)
    try:
        failure = run(app, listener, settings)
    except KeyboardInterrupt:
        print("stopped", flush=True)
        return 0
    if failure is not None:
        print(f"error: {failure}", file=sys.stderr)
        return 2
    return 0


def run(app: FastAPI, listener: socket.socket, settings: Settings) -> PolyGuardError | None:
    """Serve an application on a socket until a signal ends it, or what it serves cannot be loaded: the reason then."""
    import uvicorn

    from polyguard_serving.ws.protocol import Connection

    config = uvicorn.Config(
        app,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        ws=Connection,
        ws_max_size=settings.body_bytes,
        ws_per_message_deflate=False,
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GOODBYE_SECONDS,
    )
    server, service = uvicorn.Server(config), app.state.service

    def end() -> None:
        server.should_exit = True

    service.failed = end
    server.run(sockets=[listener])
    return service.failure  # type: ignore[no-any-return]


def announce(listener: socket.socket) -> None:
    """Say where the server is."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(f"PolyGuard environment server on http://{shown}:{port}", flush=True)
    print(DISCLAIMER, flush=True)


def _given(arguments: argparse.Namespace) -> dict[str, str]:
    """The command line's options under their variables' names."""
    names = {
        "host": "HOST",
        "port": "PORT",
        "sessions": "POLYGUARD_SESSIONS",
        "episodes": "POLYGUARD_EPISODES",
        "session_timeout": "POLYGUARD_SESSION_TIMEOUT",
        "workers": "POLYGUARD_WORKERS",
        "state": "POLYGUARD_STATE",
        "log": "POLYGUARD_LOG",
    }
    return {variable: value for name, variable in names.items() if (value := getattr(arguments, name)) is not None}


def _listener(settings: Settings) -> socket.socket:
    listener = listen(settings.host, settings.port)
    try:
        # Without this the address is not ours yet: another server could still take it while this one loads.
        listener.listen(BACKLOG)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        fix = "it is in use: stop what listens there or choose another port"
        raise PolyGuardError("port", settings.port, fix) from error
    return listener


if __name__ == "__main__":
    sys.exit(main())
