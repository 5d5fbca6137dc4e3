"""A double of the Hugging Face hub on loopback: the HTTP API that huggingface_hub 1.33 calls, for Spaces, repositories
and jobs. A Space really runs: its uploaded files are unpacked and its Dockerfile's CMD is started on them. A job really
runs too: its command, with its environment, as a local process.

Not the hub: one token, no pull requests, no xet (tests switch it off, so large files go through git LFS's protocol),
and images are this machine's Python instead of what a Dockerfile installs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from tests.deploy import hub_jobs, hub_repositories, hub_spaces
from tests.deploy.conftest import unused
from tests.deploy.hub_answers import refusal
from tests.deploy.hub_state import TOKEN, HubDouble


def application(hub: HubDouble) -> Starlette:
    """The double's HTTP API."""
    # Those of jobs and Spaces come first: a repository's kind may be any word.
    routes = [*hub_jobs.routes(hub), *hub_spaces.routes(hub), *hub_repositories.routes(hub)]
    return Starlette(routes=routes, middleware=[Middleware(Allowed, hub=hub)])


class Allowed(BaseHTTPMiddleware):
    """Notes every request, and lets in whoever has the token."""

    def __init__(self, app: ASGIApp, hub: HubDouble) -> None:
        super().__init__(app)
        self.hub = hub

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        self.hub.requests.append(f"{request.method} {request.url.path}")
        if not request.url.path.startswith("/lfs/") and request.headers.get("authorization") != f"Bearer {TOKEN}":
            return refusal(401, "Invalid username or password.")
        return await call_next(request)


@contextmanager
def hub_double(folder: Path, **options: Any) -> Iterator[HubDouble]:
    """A hub that answers on loopback as long as the block runs."""
    hub = HubDouble(folder, **options)
    port = unused()
    server = uvicorn.Server(uvicorn.Config(application(hub), port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{port}"
    while not server.started:
        time.sleep(0.01)
    try:
        yield hub
    finally:
        hub.close()
        server.should_exit = True
        thread.join(20)
