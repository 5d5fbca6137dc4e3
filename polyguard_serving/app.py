"""The server's application: OpenEnv's, with stateful HTTP, prices for training, tasks and a working MCP."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.routing import APIRoute, APIWebSocketRoute
from openenv.core import ConcurrencyConfig, create_app

from polyguard_env.environment.messages import DISCLAIMER
from polyguard_serving import parts
from polyguard_serving.environment import DESCRIPTION, PolyGuardEnvironment
from polyguard_serving.mcp import PARSE_ERROR, Mcp, error
from polyguard_serving.options import LONGEST_ID, ResetOptions, StepOptions
from polyguard_serving.pages import LazyPage
from polyguard_serving.pricing import PriceAnswer, Pricer, PriceRequest
from polyguard_serving.refusals import add_refusals
from polyguard_serving.sessions import EpisodeStore
from polyguard_serving.settings import Settings
from polyguard_serving.types import ServedAction, ServedObservation, ServedState
from polyguard_serving.version import VERSION

# OpenEnv's own HTTP handlers build a new environment for every request; ours hold episodes.
REPLACED = {("/reset", "POST"), ("/step", "POST"), ("/state", "GET"), ("/mcp", "POST"), ("/", "GET")}
ALIASED = {"/health", "/metadata", "/schema", "/ws"}


def create(settings: Settings | None = None) -> FastAPI:
    """The application: the environment's own routes, then every router and page of `parts`.

    Args:
        settings: as read from the environment when None.
    """
    settings = settings if settings is not None else Settings.from_environment()
    most_sessions, session_timeout = settings.sessions, settings.session_timeout
    app = create_app(
        PolyGuardEnvironment,
        ServedAction,
        ServedObservation,
        env_name="polyguard",
        concurrency_config=ConcurrencyConfig(max_concurrent_envs=most_sessions, session_timeout=session_timeout),
        title_override=f"PolyGuard. {DISCLAIMER}",
        state_cls=ServedState,
        mode="simulation",
    )
    app.title, app.version, app.description = "PolyGuard environment server", VERSION, DESCRIPTION
    app.contact, app.license_info = None, {"name": "MIT", "identifier": "MIT"}
    app.router.routes[:] = [route for route in app.router.routes if not _replaced(route)]
    store = EpisodeStore(settings.episodes, session_timeout)
    router = APIRouter()
    _add_episode_routes(router, store)
    _add_training_routes(router)
    _add_mcp_route(router, store)
    app.include_router(router)
    app.include_router(router, prefix="/env", include_in_schema=False)
    _add_aliases(app)
    add_refusals(app)
    app.state.settings, app.state.episodes = settings, store
    for name in parts.ROUTERS:
        app.include_router(parts.load(name)(app, settings))
    if not any(path == "/" for path, _ in parts.PAGES):
        app.add_api_route("/", _front_page, methods=["GET"], include_in_schema=False)
    for path, name in parts.PAGES:
        app.mount(path if path != "/" else "", LazyPage(lambda name=name: parts.load(name)(app, settings)))
    return app


def _replaced(route: Any) -> bool:
    methods = getattr(route, "methods", None) or set()
    return any((getattr(route, "path", ""), method) in REPLACED for method in methods)


def _add_aliases(app: FastAPI) -> None:
    """OpenEnv's own routes under /env too, so that /env is a base URL like any other."""
    for route in list(app.router.routes):
        if getattr(route, "path", "") not in ALIASED:
            continue
        if isinstance(route, APIRoute):
            app.add_api_route(
                f"/env{route.path}",
                route.endpoint,
                methods=["GET"],
                response_model=route.response_model,
                include_in_schema=False,
            )
        elif isinstance(route, APIWebSocketRoute):
            app.add_api_websocket_route(f"/env{route.path}", route.endpoint)


def _envelope(observation: ServedObservation) -> dict[str, Any]:
    data = observation.model_dump(mode="json")
    return {
        "observation": data,
        "reward": observation.reward,
        "done": observation.done,
        "episode_id": observation.episode_id,
    }


def _add_episode_routes(router: APIRouter, store: EpisodeStore) -> None:
    @router.post("/reset", tags=["Environment Control"])
    async def reset(options: ResetOptions | None = None) -> dict[str, Any]:
        """Start an episode; pass its `episode_id` to /step and /state."""
        return _envelope(store.start(options or ResetOptions()))

    @router.post("/step", tags=["Environment Control"])
    async def step(options: StepOptions) -> dict[str, Any]:
        """Take one action in an episode."""
        return _envelope(store.get(options.episode_id).step(options.action, options.timeout_s))

    @router.get("/state", tags=["State Management"])
    async def state(episode_id: str | None = Query(default=None, max_length=LONGEST_ID)) -> ServedState:
        """The public state of an episode; an empty one while none is running."""
        if episode_id is None and len(store) == 0:
            return PolyGuardEnvironment().state
        return store.get(episode_id).state


def _add_training_routes(router: APIRouter) -> None:
    pricer = Pricer()

    @router.post("/price", tags=["Training"])
    async def price(request: PriceRequest) -> PriceAnswer:
        """The verifier's reward for each action text at each decision point."""
        return await pricer.price(request)

    @router.get("/tasks", tags=["Task API"])
    async def tasks() -> list[dict[str, Any]]:
        """One task per split, sub-environment and difficulty."""
        return pricer.env.list_tasks()

    @router.get("/tasks/{task_id}", tags=["Task API"])
    async def task(task_id: str) -> dict[str, Any]:
        """One task."""
        return pricer.env.get_task(task_id)


def _add_mcp_route(router: APIRouter, store: EpisodeStore) -> None:
    mcp = Mcp(store)

    @router.post("/mcp", tags=["MCP"])
    async def call(request: Request) -> Response:
        """Model Context Protocol over HTTP."""
        try:
            message = await request.json()
        except (ValueError, RecursionError):
            return JSONResponse(error(None, PARSE_ERROR, "send one JSON-RPC 2.0 request object as JSON"))
        answered = mcp.answer(message)
        return Response(status_code=202) if answered is None else JSONResponse(answered)


async def _front_page() -> HTMLResponse:
    return HTMLResponse(
        f"<!doctype html><html lang='en'><title>PolyGuard</title><body style='font-family:sans-serif;max-width:40em;"
        f"margin:3em auto'><h1>PolyGuard environment server {VERSION}</h1><p>{DESCRIPTION}</p>"
        f"<p><strong>{DISCLAIMER}</strong></p><p><a href='/docs'>API</a> · <a href='/tasks'>tasks</a> · "
        f"<a href='/metadata'>metadata</a> · <a href='/health'>health</a></p></body></html>"
    )
