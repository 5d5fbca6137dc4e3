"""The double's HTTP API of jobs: start, look, read the log, cancel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.deploy.hub_answers import refusal, sse
from tests.deploy.hub_state import HubDouble


def routes(hub: HubDouble) -> list[Route]:
    """The routes of jobs."""

    async def jobs(request: Request) -> Response:
        if request.method == "POST":
            job = await run_in_threadpool(hub.run_job, await request.json())
            return JSONResponse(hub.job_info(job))
        labels = dict(item.split("=", 1) for item in request.query_params.getlist("label"))
        stages = request.query_params.getlist("stage")
        found = [hub.job_info(job) for job in hub.jobs.values()
                 if labels.items() <= (job.spec.get("labels") or {}).items()]  # fmt: skip
        return JSONResponse([told for told in found if not stages or told["status"]["stage"] in stages])

    async def job(request: Request) -> Response:
        found = hub.jobs.get(request.path_params["job"])
        return refusal(404, "Job not found") if found is None else JSONResponse(hub.job_info(found))

    async def job_logs(request: Request) -> Response:
        found = hub.jobs[request.path_params["job"]]

        async def lines() -> AsyncIterator[bytes]:
            yield sse([f"===== Job started at {found.created} ====="])
            sent = 0
            while True:
                over = found.process.poll() is not None
                written = found.log.read_text(errors="replace").split("\n")[:-1]
                yield sse(written[sent:]) or b": keep-alive\n\n"
                sent = len(written)
                if over:
                    return
                await asyncio.sleep(0.1)

        return StreamingResponse(lines(), media_type="text/event-stream")

    async def cancel(request: Request) -> Response:
        found = hub.jobs[request.path_params["job"]]
        found.cancelled = True
        if found.process.poll() is None:
            found.process.kill()
            found.process.wait()
        return JSONResponse(hub.job_info(found))

    return [
        Route("/api/jobs/{owner}", jobs, methods=["GET", "POST"]), Route("/api/jobs/{owner}/{job}", job),
        Route("/api/jobs/{owner}/{job}/logs", job_logs),
        Route("/api/jobs/{owner}/{job}/cancel", cancel, methods=["POST"]),
    ]  # fmt: skip
