"""`python -m polyguard_serving.server`: run the environment server."""

from __future__ import annotations

import argparse
import errno
import os
import socket
import sys
from collections.abc import Sequence

import uvicorn

from polyguard_env.errors import PolyGuardError
from polyguard_serving.app import MOST_SESSIONS, SESSION_TIMEOUT_SECONDS, build_app


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted; 2 with one clear line when it cannot start."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))
    parser.add_argument("--port", default=os.environ.get("PORT", "8000"))
    parser.add_argument("--sessions", type=int, default=MOST_SESSIONS, help="websocket sessions at once")
    parser.add_argument("--session-timeout", type=float, default=SESSION_TIMEOUT_SECONDS, help="seconds")
    arguments = parser.parse_args(argv)
    try:
        listener = listen(arguments.host, checked_port(arguments.port))
        app = build_app(arguments.sessions, arguments.session_timeout)
    except PolyGuardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    host, port = listener.getsockname()[:2]
    print(f"PolyGuard environment server on http://{host}:{port}", flush=True)
    config = uvicorn.Config(app, loop="uvloop", log_level="warning", ws_per_message_deflate=False)
    uvicorn.Server(config).run(sockets=[listener])
    return 0


def checked_port(text: str) -> int:
    """A port number, 0 for a free one."""
    if not str(text).isdecimal() or int(text) > 65535:
        raise PolyGuardError("port", text, "use a number from 0 to 65535")
    return int(text)


def listen(host: str, port: int) -> socket.socket:
    """A bound socket.

    Raises:
        PolyGuardError: the port is taken or the address is not this machine's.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PolyGuardError("port", port, "it is in use: stop what listens there or set PORT to another") from error
        raise PolyGuardError("host", host, f"use an address of this machine such as 127.0.0.1 ({error})") from error
    return listener


if __name__ == "__main__":
    sys.exit(main())
