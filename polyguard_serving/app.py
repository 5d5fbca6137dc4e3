"""The server's application: OpenEnv's, with stateful HTTP, prices for training, tasks and a working MCP."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from openenv.core import ConcurrencyConfig, create_app
from pydantic import BaseModel, ConfigDict, Field

from polyguard_env.environment.messages import DISCLAIMER
from polyguard_env.errors import PolyGuardError
from polyguard_serving.environment import DESCRIPTION, PolyGuardEnvironment
from polyguard_serving.mcp import Mcp
from polyguard_serving.pricing import PriceAnswer, Pricer, PriceRequest
from polyguard_serving.sessions import EpisodeStore
from polyguard_serving.types import ServedAction, ServedObservation, ServedState
from polyguard_serving.version import VERSION

MOST_SESSIONS = 64
SESSION_TIMEOUT_SECONDS = 900.0
REPLACED = {("/reset", "POST"), ("/step", "POST"), ("/state", "GET"), ("/mcp", "POST"), ("/", "GET")}


class ResetRequest(BaseModel):
    """Options of a reset; all optional."""

    model_config = ConfigDict(extra="forbid")
    seed: int | None = Field(default=None, ge=0)
    episode_id: str | None = Field(default=None, max_length=200)
    difficulty: str = "easy"
    sub_environment: str | None = None
    scenario_id: str | None = None
    patient_id: str | None = None
    split: str = "train"


class StepRequest(BaseModel):
    """An action for an episode; `episode_id` may be left out while only one is running."""

    model_config = ConfigDict(extra="forbid")
    action: ServedAction
    episode_id: str | None = None
    timeout_s: float | None = Field(default=None, gt=0)


def build_app(most_sessions: int = MOST_SESSIONS, session_timeout: float = SESSION_TIMEOUT_SECONDS) -> FastAPI:
    """The application.

    Args:
        most_sessions: websocket sessions at once; one more is refused with CAPACITY_REACHED.
        session_timeout: seconds after which an idle session's slot is freed.
    """
    app = create_app(
        PolyGuardEnvironment,
        ServedAction,
        ServedObservation,
        env_name="polyguard",
        concurrency_config=ConcurrencyConfig(max_concurrent_envs=most_sessions, session_timeout=session_timeout),
        state_cls=ServedState,
    )
    app.title, app.version, app.description = "PolyGuard environment server", VERSION, DESCRIPTION
    app.router.routes[:] = [route for route in app.router.routes if not _replaced(route)]
    store = EpisodeStore(idle_seconds=session_timeout)
    router = APIRouter()
    _add_episode_routes(router, store)
    _add_training_routes(router)
    _add_mcp_route(router, store)
    app.include_router(router)
    app.include_router(router, prefix="/env", include_in_schema=False)
    app.add_exception_handler(PolyGuardError, _bad_input)
    app.add_api_route("/", _front_page, methods=["GET"], include_in_schema=False)
    return app


def _replaced(route: Any) -> bool:
    methods = getattr(route, "methods", None) or set()
    return any((getattr(route, "path", ""), method) in REPLACED for method in methods)


async def _bad_input(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PolyGuardError)
    status = 404 if error.field in ("episode_id", "task_id") else 422
    detail = {"field": error.field, "value": repr(error.value), "fix": error.fix}
    return JSONResponse({"error": detail}, status_code=status)


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
    async def reset(request: ResetRequest | None = None) -> dict[str, Any]:
        """Start an episode; pass its `episode_id` to /step and /state."""
        options = (request or ResetRequest()).model_dump()
        options["episode_id"] = options["episode_id"] or uuid4().hex
        environment = PolyGuardEnvironment()
        observation = environment.reset(**options)
        store.start(observation.episode_id, environment)
        return _envelope(observation)

    @router.post("/step", tags=["Environment Control"])
    async def step(request: StepRequest) -> dict[str, Any]:
        """Take one action in an episode."""
        return _envelope(store.get(request.episode_id).step(request.action, request.timeout_s))

    @router.get("/state", tags=["Environment Control"])
    async def state(episode_id: str | None = None) -> ServedState:
        """The public state of an episode; an empty one while none is running."""
        if episode_id is None and len(store) == 0:
            return PolyGuardEnvironment().state
        return store.get(episode_id).state


def _add_training_routes(router: APIRouter) -> None:
    pricer = Pricer()

    @router.post("/price", tags=["Training"])
    async def price(request: PriceRequest) -> PriceAnswer:
        """The verifier's reward for each action text at each decision point."""
        return pricer.price(request)

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
        except ValueError:
            message = None
        answered = mcp.answer(message)
        return Response(status_code=202) if answered is None else JSONResponse(answered)


async def _front_page() -> HTMLResponse:
    return HTMLResponse(
        f"<!doctype html><html lang='en'><title>PolyGuard</title><body style='font-family:sans-serif;max-width:40em;"
        f"margin:3em auto'><h1>PolyGuard environment server {VERSION}</h1><p>{DESCRIPTION}</p>"
        f"<p><strong>{DISCLAIMER}</strong></p><p><a href='/docs'>API</a> · <a href='/tasks'>tasks</a> · "
        f"<a href='/metadata'>metadata</a> · <a href='/health'>health</a></p></body></html>"
    )
