"""What the server is and how it does: health, readiness, metrics, metadata, schemas."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from polyguard_serving.answers import Health, Metadata, Ready, Schemas, refusals
from polyguard_serving.environment_words import DESCRIPTION, NAME
from polyguard_serving.refusals import Refusal
from polyguard_serving.service import Service
from polyguard_serving.tally import exposition
from polyguard_serving.types import ServedAction, ServedObservation, ServedState
from polyguard_serving.version import VERSION

METRICS_TYPE = "text/plain; version=1.0.0; charset=utf-8"


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter()

    @routes.get("/health", tags=["Health"], responses=refusals())
    async def health() -> Health:
        """Liveness: the process answers."""
        return Health(status="healthy")

    @routes.get("/ready", tags=["Health"], responses=refusals("BUSY"))
    async def ready() -> Ready:
        """Readiness: the knowledge is loaded and episodes can start."""
        if service.loading is not None and not service.loading.done():
            raise Refusal("BUSY", "knowledge", "loading", "the server is starting: try again", retry_after=1)
        return Ready(
            status="ready",
            version=VERSION,
            knowledge_fingerprint=service.ready(),
            sessions=service.slots.taken(),
            episodes=service.episodes.host.store.slots.taken(),
        )

    @routes.get(
        "/metrics",
        tags=["Health"],
        response_class=PlainTextResponse,
        responses=refusals() | {200: {"content": {"text/plain": {}}, "description": "Prometheus text"}},
    )
    async def metrics() -> Any:
        """Counts of all workers, as Prometheus reads them."""
        return Response(exposition(await service.tallies()), media_type=METRICS_TYPE)

    @routes.get("/metadata", tags=["Environment Info"], responses=refusals())
    async def metadata() -> Metadata:
        """About the environment."""
        return about()

    @routes.get("/schema", tags=["Schema"], response_model=Schemas, responses=refusals())
    async def schema() -> Any:
        """JSON schemas of actions, observations and states."""
        return schemas()

    return routes


@cache
def about() -> Metadata:
    """The environment's metadata."""
    return Metadata(
        name=NAME,
        description=DESCRIPTION,
        readme_content=None,
        version=VERSION,
        author=None,
        documentation_url=None,
    )


@cache
def schemas() -> Schemas:
    """The schemas, made once."""
    seen = ServedObservation.model_json_schema()
    return Schemas(
        action=ServedAction.model_json_schema(),
        observation=seen,
        reset_observation=seen,
        state=ServedState.model_json_schema(),
    )
