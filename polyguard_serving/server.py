"""`python -m polyguard_serving.server`: run the environment server."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import uvicorn

from polyguard_env.errors import PolyGuardError
from polyguard_env.net import checked_port, listen
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


if __name__ == "__main__":
    sys.exit(main())
