"""`python -m polyguard_serving.server`: run the environment server."""

from __future__ import annotations

import argparse
import errno
import math
import os
import sys
from collections.abc import Sequence

import uvicorn

from polyguard_env.environment.messages import DISCLAIMER
from polyguard_env.errors import PolyGuardError
from polyguard_env.net import checked_port, listen
from polyguard_serving.app import create
from polyguard_serving.settings import MOST_SESSIONS, SESSION_TIMEOUT_SECONDS, Settings

BACKLOG = 512
GOODBYE_SECONDS = 5


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted; 2 with one clear line when it cannot start."""
    parser = argparse.ArgumentParser(prog="polyguard_serving.server", description=__doc__, epilog=DISCLAIMER)
    parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))
    parser.add_argument("--port", default=os.environ.get("PORT", "8000"), help="0 for a free one")
    parser.add_argument("--sessions", default=str(MOST_SESSIONS), help="websocket sessions at once")
    parser.add_argument(
        "--session-timeout", default=str(SESSION_TIMEOUT_SECONDS), help="seconds until an idle session is freed"
    )
    arguments = parser.parse_args(argv)
    try:
        sessions, timeout = _checked_sessions(arguments.sessions), _checked_timeout(arguments.session_timeout)
        port = checked_port(arguments.port)
        listener = listen(arguments.host, port)
        try:
            # Without this the address is not ours yet: another server could still take it while this one loads.
            listener.listen(BACKLOG)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise PolyGuardError(
                "port", port, "it is in use: stop what listens there or choose another port"
            ) from error
        app = create(Settings(host=arguments.host, port=port, sessions=sessions, session_timeout=timeout))
    except PolyGuardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(f"PolyGuard environment server on http://{shown}:{port}", flush=True)
    print(DISCLAIMER, flush=True)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_level="warning",
        timeout_graceful_shutdown=GOODBYE_SECONDS,
    )
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        print("stopped", flush=True)
    return 0


def _checked_sessions(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= 100_000 or len(text) > 9:
        raise PolyGuardError("sessions", text, "use a number from 1 to 100000")
    return int(text)


def _checked_timeout(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise PolyGuardError("session-timeout", text, "use a number of seconds above 0")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
