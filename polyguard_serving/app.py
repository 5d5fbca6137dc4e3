"""The server's application: OpenEnv's protocol, episodes over HTTP, batches, tasks, prices, MCP, and mounted parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import WebSocketRoute

from polyguard_serving import parts
from polyguard_serving.answers import refusals
from polyguard_serving.environment_words import DESCRIPTION
from polyguard_serving.guard import Guard
from polyguard_serving.pages import LazyPage
from polyguard_serving.refusals import add_refusals
from polyguard_serving.relay import PageServer
from polyguard_serving.routes import about, episodes, mcp, reference, tasks, training
from polyguard_serving.service import Place, Service
from polyguard_serving.settings import Settings
from polyguard_serving.version import VERSION

LIMITS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})


def create(settings: Settings | None = None, place: Place | None = None) -> FastAPI:
    """The application: the environment's own routes, then every router and page of `parts`.

    Args:
        settings: as read from the environment when None.
        place: among other workers; None when this process serves alone.

    Raises:
        PolyGuardError: the settings are unsafe, or the state folder cannot be written.
    """
    settings = (settings if settings is not None else Settings.from_environment()).checked()
    service = Service.of(settings, place)

    def page_of(name: str) -> LazyPage:
        return LazyPage(lambda: parts.load(name)(app, settings))

    pages = [(path, page_of(name)) for path, name in parts.PAGES]

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        await service.start()
        shared = PageServer(dict(pages)["/"], place.pages) if place is not None and place.first else None
        if shared is not None:
            shared.begin()
        yield
        if shared is not None:
            await shared.end()
        for _, page in pages:
            await page.close()
        await service.stop()

    app = FastAPI(
        title="PolyGuard environment server",
        version=VERSION,
        description=DESCRIPTION,
        license_info={"name": "MIT", "identifier": "MIT"},
        lifespan=life,
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings, app.state.service, app.state.place = settings, service, place
    app.state.episodes = service.episodes.host.store
    environment = APIRouter()
    for subject in (about, episodes, tasks, training, mcp):
        environment.include_router(subject.router(service))
    app.include_router(environment)
    # /env is a base URL like any other.
    app.include_router(environment, prefix="/env", include_in_schema=False)
    for path in ("/ws", "/env/ws"):
        app.router.routes.append(WebSocketRoute(path, service.desk))
    for name in parts.ROUTERS:
        app.include_router(parts.load(name)(app, settings), responses=refusals())
    app.include_router(reference.router(lambda: app.openapi()))
    for path, page in pages:
        app.mount(path if path != "/" else "", page)
    add_refusals(app)
    app.openapi = lambda: documented(app)  # type: ignore[method-assign]
    app.add_middleware(Guard, settings=settings, tally=service.tally, log=service.log, loaded=service.loaded)
    return app


def documented(app: FastAPI) -> dict[str, Any]:
    """The API's description, with whole limits as whole numbers: a float would round those of 64 bits."""
    if app.openapi_schema is None:
        app.openapi_schema = _whole(
            get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                license_info=app.license_info,
                routes=app.routes,
            )
        )
    return app.openapi_schema


def _whole(part: Any) -> Any:
    if isinstance(part, dict):
        return {
            name: int(value) if name in LIMITS and isinstance(value, float) and value.is_integer() else _whole(value)
            for name, value in part.items()
        }
    return [_whole(entry) for entry in part] if isinstance(part, list) else part
