"""The double's HTTP API of Spaces: runtime, hardware, variables, logs."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.deploy.hub_answers import sse
from tests.deploy.hub_state import HubDouble, Space

SPACE = "/api/spaces/{owner}/{name}"


def routes(hub: HubDouble) -> list[Route]:
    """The routes of Spaces."""

    def space(request: Request) -> Space:
        return hub.spaces[f"{request.path_params['owner']}/{request.path_params['name']}"]

    async def runtime(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(hub.runtime, space(request)))

    async def hardware(request: Request) -> Response:
        body = await request.json()
        space(request).hardware, space(request).sleep = body["flavor"], body.get("sleepTimeSeconds")
        return JSONResponse(await run_in_threadpool(hub.runtime, space(request)))

    async def sleeptime(request: Request) -> Response:
        space(request).sleep = (await request.json())["seconds"]
        return JSONResponse(await run_in_threadpool(hub.runtime, space(request)))

    async def variable(request: Request) -> Response:
        body = await request.json()
        space(request).variables[body["key"]] = body["value"]
        return JSONResponse({key: {"value": value} for key, value in space(request).variables.items()})

    async def secret(request: Request) -> Response:
        body = await request.json()
        space(request).secrets[body["key"]] = body["value"]
        return Response(status_code=200)

    async def pause(request: Request) -> Response:
        await run_in_threadpool(hub.end, space(request))
        space(request).stage = "PAUSED"
        return JSONResponse(hub.runtime(space(request)))

    async def space_logs(request: Request) -> Response:
        await run_in_threadpool(hub.look, space(request))
        lines = space(request).logs[request.path_params["which"]]
        return Response(sse(lines), media_type="text/event-stream")

    return [
        Route(f"{SPACE}/runtime", runtime), Route(f"{SPACE}/hardware", hardware, methods=["POST"]),
        Route(f"{SPACE}/sleeptime", sleeptime, methods=["POST"]),
        Route(f"{SPACE}/variables", variable, methods=["POST"]),
        Route(f"{SPACE}/secrets", secret, methods=["POST"]), Route(f"{SPACE}/pause", pause, methods=["POST"]),
        Route(f"{SPACE}/logs/{{which}}", space_logs),
    ]  # fmt: skip
