"""The Model Context Protocol endpoint."""

from __future__ import annotations

from typing import Any, Literal

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from polyguard_serving.answers import refusals
from polyguard_serving.mcp.protocol import PARSE_ERROR, error
from polyguard_serving.service import Service


class JsonRpc(BaseModel):
    """A JSON-RPC response: a result or an error."""

    model_config = ConfigDict(extra="forbid")

    jsonrpc: Literal["2.0"]
    id: str | int | None
    result: dict[str, Any] = {}
    error: dict[str, Any] = {}


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["MCP"])

    @routes.post(
        "/mcp",
        response_model=JsonRpc,
        responses=refusals() | {202: {"description": "A notification, taken without an answer"}},
    )
    async def call(request: Request) -> Any:
        """Model Context Protocol over HTTP; one JSON-RPC message in, one out."""
        try:
            message = orjson.loads(await request.body())
        except orjson.JSONDecodeError:
            answer = error(None, PARSE_ERROR, "send one JSON-RPC 2.0 request object as JSON")
        else:
            answered = await service.mcp.answer(message)
            if answered is None:
                return Response(status_code=202)
            answer = answered
        return Response(orjson.dumps(answer), media_type="application/json")

    return routes
