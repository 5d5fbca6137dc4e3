"""Episodes over plain HTTP: OpenEnv's /reset, /step and /state, and the calls on one episode by its id."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from polyguard_serving.answers import (
    BatchAnswer,
    CheckpointAnswer,
    ClosedAnswer,
    CompactAnswer,
    FullAnswer,
    RewardAnswer,
    refusals,
)
from polyguard_serving.options import (
    EPISODE_ID,
    BatchReset,
    BatchStep,
    ForkOptions,
    Options,
    ResetOptions,
    RestoreOptions,
    StateOptions,
    StepOptions,
)
from polyguard_serving.service import Service
from polyguard_serving.types import ServedState

JSON = "application/json"
EpisodeId = Annotated[EPISODE_ID, Path()]
EPISODE_REFUSALS = refusals("NOT_FOUND", "BUSY")


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter()

    async def call(operation: str, options: Options, request: Request) -> Response:
        received = request.scope.get("polyguard.received", time.monotonic())
        request.scope["polyguard.episode_id"] = getattr(options, "episode_id", None)
        answer = await service.episodes.call(operation, options, received)
        return Response(answer, media_type=JSON)

    @routes.post(
        "/reset",
        tags=["Environment Control"],
        response_model=FullAnswer,
        responses=refusals("CAPACITY_REACHED", "BUSY", "TIMEOUT"),
    )
    async def reset(request: Request, options: ResetOptions | None = None) -> Any:
        """Start an episode; pass its `episode_id` to /step and /state."""
        return await call("reset", options or ResetOptions(), request)

    @routes.post(
        "/step",
        tags=["Environment Control"],
        response_model=FullAnswer | CompactAnswer | RewardAnswer,
        responses=refusals("NOT_FOUND", "CONFLICT", "BUSY", "TIMEOUT"),
    )
    async def step(request: Request, options: StepOptions) -> Any:
        """Take one action in an episode."""
        return await call("step", options, request)

    @routes.get("/state", tags=["State Management"], response_model=ServedState, responses=EPISODE_REFUSALS)
    async def state(request: Request, episode_id: Annotated[EPISODE_ID | None, Query()] = None) -> Any:
        """The public state of an episode; an empty one while none is running."""
        return await call("state", StateOptions(episode_id=episode_id), request)

    @routes.get("/episodes/{episode_id}", tags=["Episodes"], response_model=CompactAnswer, responses=EPISODE_REFUSALS)
    async def candidates(request: Request, episode_id: EpisodeId) -> Any:
        """What an episode shows and offers now, in the compact form."""
        return await call("candidates", StateOptions(episode_id=episode_id), request)

    @routes.delete("/episodes/{episode_id}", tags=["Episodes"], response_model=ClosedAnswer, responses=EPISODE_REFUSALS)
    async def close(request: Request, episode_id: EpisodeId) -> Any:
        """End an episode and free its slot."""
        return await call("close", StateOptions(episode_id=episode_id), request)

    @routes.get(
        "/episodes/{episode_id}/checkpoint",
        tags=["Episodes"],
        response_model=CheckpointAnswer,
        responses=EPISODE_REFUSALS,
    )
    async def checkpoint(request: Request, episode_id: EpisodeId) -> Any:
        """An episode's checkpoint: /restore continues from it, here or on another server of the same knowledge."""
        return await call("checkpoint", StateOptions(episode_id=episode_id), request)

    @routes.post(
        "/episodes/{episode_id}/fork",
        tags=["Episodes"],
        response_model=FullAnswer,
        responses=refusals("NOT_FOUND", "CAPACITY_REACHED", "BUSY"),
    )
    async def fork(request: Request, episode_id: EpisodeId, options: ForkOptions | None = None) -> Any:
        """A copy of an episode that goes its own way from here, under another id."""
        request.scope["polyguard.episode_id"] = episode_id
        return Response(await service.episodes.fork(episode_id, options or ForkOptions()), media_type=JSON)

    @routes.post(
        "/restore",
        tags=["Episodes"],
        response_model=FullAnswer,
        responses=refusals("CONFLICT", "CAPACITY_REACHED", "BUSY"),
    )
    async def restore(request: Request, options: RestoreOptions) -> Any:
        """Continue an episode from its checkpoint; an episode that runs under the same id is replaced."""
        return await call("restore", options, request)

    @routes.post(
        "/batch/reset", tags=["Batches"], response_model=BatchAnswer, responses=refusals("CAPACITY_REACHED", "BUSY")
    )
    async def batch_reset(request: Request, options: BatchReset) -> Any:
        """Start many episodes; an item that is refused is named in `errors` and spoils no other."""
        return await call("batch_reset", options, request)

    @routes.post("/batch/step", tags=["Batches"], response_model=BatchAnswer, responses=refusals("CONFLICT", "BUSY"))
    async def batch_step(request: Request, options: BatchStep) -> Any:
        """Take an action in each of many episodes."""
        return await call("batch_step", options, request)

    return routes
