"""`python -m polyguard_serving.policy --port 8200`: the policy and evidence API on a port of its own."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import uvicorn
from fastapi import FastAPI

from polyguard_env.environment.messages import DISCLAIMER
from polyguard_env.errors import PolyGuardError
from polyguard_env.net import checked_port, listen
from polyguard_serving.answers import refusals
from polyguard_serving.guard import Guard
from polyguard_serving.logs import Log
from polyguard_serving.options import Options
from polyguard_serving.policy.routes import router
from polyguard_serving.refusals import add_refusals
from polyguard_serving.routes import reference
from polyguard_serving.settings import Settings
from polyguard_serving.tally import Tally
from polyguard_serving.version import VERSION

PORT = "8200"
BACKLOG = 128
GOODBYE_SECONDS = 5
ABOUT = f"What the active model, the agents and the tables say about a case. {DISCLAIMER}"


class Health(Options):
    """That the server answers."""

    status: str = "healthy"


def create(settings: Settings | None = None) -> FastAPI:
    """The API without the environment; episodes are not held here, so steps are sent as observations."""
    settings = settings if settings is not None else Settings.from_environment()
    app = FastAPI(
        title="PolyGuard policy and evidence API", version=VERSION, description=ABOUT, docs_url=None, redoc_url=None
    )
    add_refusals(app)
    app.state.settings = settings

    @app.get("/health", tags=["Health"])
    async def health() -> Health:
        """That the server answers."""
        return Health()

    app.include_router(router(app, settings), responses=refusals())
    app.include_router(reference.router(lambda: app.openapi()))
    tally = Tally()
    log = Log.to_standard_error(tally) if settings.log_format == "json" else Log(tally)
    app.add_middleware(Guard, settings=settings, tally=tally, log=log)
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted; 2 with one clear line when it cannot start."""
    parser = argparse.ArgumentParser(prog="polyguard_serving.policy", description=ABOUT)
    parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))
    parser.add_argument("--port", default=os.environ.get("POLICY_PORT", PORT), help="0 for a free one")
    arguments = parser.parse_args(argv)
    try:
        settings = Settings.from_environment().with_(host=arguments.host).checked()
        listener = listen(arguments.host, checked_port(arguments.port))
        listener.listen(BACKLOG)
    except (PolyGuardError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    host, port = listener.getsockname()[:2]
    print(f"PolyGuard policy API on http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
    print(DISCLAIMER, flush=True)
    config = uvicorn.Config(
        create(settings), loop="uvloop", log_level="warning", timeout_graceful_shutdown=GOODBYE_SECONDS
    )
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        print("stopped", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
