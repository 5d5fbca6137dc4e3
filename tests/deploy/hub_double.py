"""A double of the Hugging Face hub on loopback: the HTTP API that huggingface_hub 1.33 calls, for Spaces, repositories
and jobs. A Space really runs: its uploaded files are unpacked and its Dockerfile's CMD is started on them. A job really
runs too: its command, with its environment, as a local process.

Not the hub: one token, no pull requests, no xet (tests switch it off, so large files go through git LFS's protocol),
and images are this machine's Python instead of what a Dockerfile installs.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
import yaml
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from tests.deploy.conftest import unused

TOKEN, USER = "hf_double_token", "researcher"
LARGE = 4 * 2**20
ENVIRONMENT = {"PATH", "HOME", "LANG", "POLYGUARD_KNOWLEDGE"}


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())


@dataclass
class Repository:
    """One repository: the files of its only branch, and its commits."""

    kind: str
    repo_id: str
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=lambda: [hashlib.sha1(os.urandom(8)).hexdigest()])
    summaries: list[str] = field(default_factory=list)


@dataclass
class Space:
    """The running side of a Space."""

    repo_id: str
    hardware: str = "cpu-basic"
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    sleep: int | None = None
    stage: str = "NO_APP_FILE"
    message: str = ""
    sha: str = ""
    polls: int = 0
    logs: dict[str, list[str]] = field(default_factory=lambda: {"build": [], "run": []})
    process: subprocess.Popen[bytes] | None = None
    port: int = 0
    folder: Path | None = None


@dataclass
class Job:
    """A job and its process."""

    job_id: str
    spec: dict[str, Any]
    process: subprocess.Popen[bytes]
    log: Path
    created: str = field(default_factory=now)
    cancelled: bool = False
    polls: int = 0

    def stage(self) -> str:
        if self.cancelled:
            return "CANCELED"
        code = self.process.poll()
        return "RUNNING" if code is None else "COMPLETED" if code == 0 else "ERROR"


class HubDouble:
    """The state behind the API.

    Args:
        folder: where Spaces are unpacked and logs are kept.
        build_polls: looks at a Space that still show it building.
        stuck: a Space never leaves BUILDING.
        scheduling_polls: looks at a job that still show it waiting for hardware.
    """

    def __init__(self, folder: Path, build_polls: int = 2, stuck: bool = False, scheduling_polls: int = 1) -> None:
        self.folder, self.build_polls, self.stuck, self.scheduling_polls = folder, build_polls, stuck, scheduling_polls
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.spaces: dict[str, Space] = {}
        self.jobs: dict[str, Job] = {}
        self.objects: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.url = ""

    # Repositories

    def create(self, body: dict[str, Any]) -> Repository | None:
        """The new repository; None when there is one of that name."""
        kind = body.get("type") or "model"
        repo_id = f"{body.get('organization') or USER}/{body['name']}"
        if (kind, repo_id) in self.repositories:
            return None
        made = self.repositories[(kind, repo_id)] = Repository(kind, repo_id)
        made.files[".gitattributes"] = b"*.safetensors filter=lfs\n"
        if kind == "space":
            space = self.spaces[repo_id] = Space(repo_id, body.get("hardware") or "cpu-basic")
            space.variables = {item["key"]: item["value"] for item in body.get("variables") or []}
            space.secrets = {item["key"]: item["value"] for item in body.get("secrets") or []}
        return made

    def commit(self, repository: Repository, lines: list[dict[str, Any]]) -> str:
        for line in lines:
            key, value = line["key"], line["value"]
            if key == "header":
                repository.summaries.append(value["summary"])
            elif key == "file":
                repository.files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                repository.files[value["path"]] = self.objects[value["oid"]]
            elif key == "deletedFile":
                del repository.files[value["path"]]
            else:
                raise ValueError(key)
        sha = hashlib.sha1(repr(sorted(repository.files.items())).encode() + os.urandom(4)).hexdigest()
        repository.commits.append(sha)
        if repository.kind == "space":
            self.build(self.spaces[repository.repo_id], repository, sha)
        return sha

    # Spaces

    def build(self, space: Space, repository: Repository, sha: str) -> None:
        """What the hub does with a commit: read the card, build the Dockerfile, start its CMD."""
        self.end(space)
        space.sha, space.polls, space.logs, space.message = sha, 0, {"build": [], "run": []}, ""
        files = repository.files
        if "Dockerfile" not in files:
            space.stage, space.message = "NO_APP_FILE", "No Dockerfile found"
            return
        found = re.match(r"---\n(.*?)\n---\n", files.get("README.md", b"").decode(), re.DOTALL)
        card = yaml.safe_load(found.group(1)) if found else {}
        if card.get("sdk") != "docker" or not isinstance(card.get("app_port"), int):
            space.stage, space.message = "CONFIG_ERROR", "Missing configuration in README"
            return
        space.stage = "BUILDING"
        dockerfile = files["Dockerfile"].decode()
        space.logs["build"] = [f"--> {line}" for line in dockerfile.splitlines() if line and not line.startswith("#")]
        if "RUN false" in dockerfile:
            space.logs["build"].append('--> ERROR: process "/bin/sh -c false" did not complete: exit code: 1')

    def look(self, space: Space) -> str:
        """The stage now; each look brings a build a little further."""
        if space.stage == "BUILDING" and not self.stuck:
            space.polls += 1
            if space.polls > self.build_polls:
                if "ERROR" in space.logs["build"][-1]:
                    space.stage, space.message = "BUILD_ERROR", "Job failed with exit code: 1"
                else:
                    self.start(space)
        elif space.stage == "APP_STARTING":
            assert space.process is not None
            if space.process.poll() is not None:
                space.stage, space.message = "RUNTIME_ERROR", f"Exit code: {space.process.returncode}"
            elif self.answers(space):
                space.stage = "RUNNING"
        if space.folder is not None and (space.folder / ".log").exists():
            space.logs["run"] = (space.folder / ".log").read_text(errors="replace").splitlines()
        return space.stage

    def start(self, space: Space) -> None:
        files = self.repositories[("space", space.repo_id)].files
        space.folder = self.folder / space.repo_id.replace("/", "--")
        shutil.rmtree(space.folder, ignore_errors=True)
        for name, content in files.items():
            path = space.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        commands = re.findall(r"^CMD (\[.*\])$", files["Dockerfile"].decode(), re.MULTILINE)
        command = json.loads(commands[-1])
        command[0] = sys.executable if command[0] == "python" else command[0]
        space.port = unused()
        variables = space.variables | space.secrets | {
            "HOST": "127.0.0.1", "PORT": str(space.port), "PYTHONPATH": str(space.folder), "SPACE_ID": space.repo_id,
            "POLYGUARD_ROOT": str(space.folder), "POLYGUARD_DATA_LAKE": str(space.folder / "data_lake"),
            "TMPDIR": str(self.folder), "HF_ENDPOINT": self.url, "NO_PROXY": "127.0.0.1",
        }  # fmt: skip
        inherited = {name: value for name, value in os.environ.items() if name in ENVIRONMENT}
        with (space.folder / ".log").open("wb") as sink:
            space.process = subprocess.Popen(
                command, cwd=space.folder, env=inherited | variables, stdout=sink, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        space.stage = "APP_STARTING"

    def answers(self, space: Space) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{space.port}/health", timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    @staticmethod
    def end(space: Space) -> None:
        """Stop a Space's container: its process and whatever that started."""
        if space.process is not None:
            if space.process.poll() is None:
                space.process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    space.process.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(space.process.pid, signal.SIGKILL)
            space.process.wait()
        space.process = None

    def runtime(self, space: Space) -> dict[str, Any]:
        stage = self.look(space)
        told: dict[str, Any] = {
            "stage": stage, "hardware": {"current": space.hardware if stage == "RUNNING" else None,
                                         "requested": space.hardware},
            "gcTimeout": space.sleep, "storage": None, "sha": space.sha, "replicas": {"current": 1, "requested": 1},
        }  # fmt: skip
        return told | ({"errorMessage": space.message} if space.message else {})

    # Jobs

    def run_job(self, spec: dict[str, Any]) -> Job:
        job_id = hashlib.md5(os.urandom(8)).hexdigest()[:24]
        log = self.folder / f"job-{job_id}.log"
        command = [sys.executable if word == "python" else word for word in spec["command"]]
        inherited = {name: value for name, value in os.environ.items() if name in {*ENVIRONMENT, "PYTHONPATH"}}
        variables = {"JOB_ID": job_id, "HF_ENDPOINT": self.url, "NO_PROXY": "127.0.0.1", "HF_HUB_DISABLE_XET": "1"}
        work = self.folder / f"job-{job_id}"
        work.mkdir()
        with log.open("wb") as sink:
            process = subprocess.Popen(
                command, env=inherited | spec["environment"] | spec.get("secrets", {}) | variables, stdout=sink,
                stderr=subprocess.STDOUT, cwd=work,
            )  # fmt: skip
        job = self.jobs[job_id] = Job(job_id, spec, process, log)
        return job

    def job_info(self, job: Job) -> dict[str, Any]:
        job.polls += 1
        stage = job.stage()
        if stage == "RUNNING" and job.polls <= self.scheduling_polls:
            stage = "SCHEDULING"
        spec = job.spec
        return {
            "id": job.job_id, "createdAt": job.created, "dockerImage": spec.get("dockerImage"),
            "spaceId": spec.get("spaceId"), "command": spec["command"], "arguments": [],
            "environment": spec["environment"], "flavor": spec["flavor"], "labels": spec.get("labels"),
            "status": {"stage": stage, "message": None}, "owner": {"id": "1", "name": USER, "type": "user"},
            "initiator": {"type": "user", "id": "1", "name": USER},
        }  # fmt: skip

    def close(self) -> None:
        for space in self.spaces.values():
            self.end(space)
        for job in self.jobs.values():
            if job.process.poll() is None:
                job.process.kill()
                job.process.wait()


def sse(lines: list[str]) -> bytes:
    return b"".join(f"data: {json.dumps({'data': line, 'timestamp': now()})}\n\n".encode() for line in lines)


def refusal(status: int, message: str, code: str = "") -> JSONResponse:
    headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
    return JSONResponse({"error": message}, status, headers)


def application(hub: HubDouble) -> Starlette:
    """The double's HTTP API."""

    def repository(request: Request) -> Repository | None:
        kind = request.path_params.get("kind", "models").removesuffix("s")
        return hub.repositories.get((kind, f"{request.path_params['owner']}/{request.path_params['name']}"))

    def space(request: Request) -> Space:
        return hub.spaces[f"{request.path_params['owner']}/{request.path_params['name']}"]

    async def whoami(request: Request) -> Response:
        return JSONResponse({"type": "user", "id": "1", "name": USER, "orgs": [], "auth": {"type": "access_token"}})

    async def create(request: Request) -> Response:
        body = await request.json()
        made = hub.create(body)
        repo_id = f"{body.get('organization') or USER}/{body['name']}"
        url = f"{hub.url}/{'' if body.get('type') in (None, 'model') else body['type'] + 's/'}{repo_id}"
        if made is None:
            told = "You already created this repo"
            return JSONResponse({"error": told, "url": url}, 409, {"X-Error-Message": told})
        return JSONResponse({"url": url, "name": repo_id, "id": "1"})

    async def validate_yaml(request: Request) -> Response:
        content = (await request.json())["content"]
        found = re.match(r"---\n(.*?)\n---\n", content, re.DOTALL)
        card = yaml.safe_load(found.group(1)) if found else {}
        colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
        wrong = [name for name in ("colorFrom", "colorTo") if name in card and card[name] not in colours]
        if len(str(card.get("short_description", ""))) > 60:
            wrong.append("short_description")
        errors = [{"message": f'"{name}" is not allowed'} for name in wrong]
        return JSONResponse({"errors": errors, "warnings": []}, 400 if errors else 200)

    async def info(request: Request) -> Response:
        found = repository(request)
        if found is None:
            return refusal(404, "Repository not found", "RepoNotFound")
        told: dict[str, Any] = {"id": found.repo_id, "sha": found.commits[-1], "private": False,
                                "siblings": [{"rfilename": name} for name in sorted(found.files)]}  # fmt: skip
        if found.kind == "space":
            told |= {"host": f"http://127.0.0.1:{hub.spaces[found.repo_id].port}", "sdk": "docker",
                     "subdomain": found.repo_id.replace("/", "-")}  # fmt: skip
        return JSONResponse(told)

    async def tree(request: Request) -> Response:
        found = repository(request)
        if found is None:
            return refusal(404, "Repository not found", "RepoNotFound")
        return JSONResponse([
            {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
            for name, content in sorted(found.files.items())
        ])  # fmt: skip

    async def preupload(request: Request) -> Response:
        if repository(request) is None:
            return refusal(404, "Repository not found", "RepoNotFound")
        asked = (await request.json())["files"]
        return JSONResponse({"files": [
            {"path": file["path"], "shouldIgnore": False, "oid": None,
             "uploadMode": "lfs" if file["size"] > LARGE or file["path"].endswith(".safetensors") else "regular"}
            for file in asked
        ]})  # fmt: skip

    async def lfs_batch(request: Request) -> Response:
        objects = (await request.json())["objects"]
        return JSONResponse({"transfer": "basic", "objects": [
            {"oid": item["oid"], "size": item["size"], "authenticated": True,
             "actions": {"upload": {"href": f"{hub.url}/lfs/{item['oid']}"}}} for item in objects
        ]})  # fmt: skip

    async def lfs_upload(request: Request) -> Response:
        content = await request.body()
        if hashlib.sha256(content).hexdigest() != request.path_params["oid"]:
            return refusal(400, "oid does not match")
        hub.objects[request.path_params["oid"]] = content
        return Response(status_code=200)

    async def commit(request: Request) -> Response:
        found = repository(request)
        if found is None:
            return refusal(404, "Repository not found", "RepoNotFound")
        lines = [json.loads(line) for line in (await request.body()).splitlines() if line]
        sha = await run_in_threadpool(hub.commit, found, lines)
        return JSONResponse({"success": True, "commitOid": sha, "commitUrl": f"{hub.url}/{found.repo_id}/commit/{sha}"})

    async def resolve(request: Request) -> Response:
        found = repository(request)
        content = None if found is None else found.files.get(request.path_params["path"])
        if found is None or content is None:
            return refusal(404, "Entry not found", "EntryNotFound")
        headers = {"X-Repo-Commit": found.commits[-1], "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
        if request.method == "HEAD":
            return Response(headers=headers | {"Content-Length": str(len(content))})
        return Response(content, headers=headers)

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
            import asyncio

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

    repo, a_space = "/api/{kind}/{owner}/{name}", "/api/spaces/{owner}/{name}"
    routes = [
        Route("/api/whoami-v2", whoami), Route("/api/repos/create", create, methods=["POST"]),
        Route("/api/validate-yaml", validate_yaml, methods=["POST"]),
        Route("/api/jobs/{owner}", jobs, methods=["GET", "POST"]), Route("/api/jobs/{owner}/{job}", job),
        Route("/api/jobs/{owner}/{job}/logs", job_logs),
        Route("/api/jobs/{owner}/{job}/cancel", cancel, methods=["POST"]),
        Route(f"{a_space}/runtime", runtime), Route(f"{a_space}/hardware", hardware, methods=["POST"]),
        Route(f"{a_space}/sleeptime", sleeptime, methods=["POST"]),
        Route(f"{a_space}/variables", variable, methods=["POST"]),
        Route(f"{a_space}/secrets", secret, methods=["POST"]), Route(f"{a_space}/pause", pause, methods=["POST"]),
        Route(f"{a_space}/logs/{{which}}", space_logs),
        Route(f"{repo}/preupload/{{revision}}", preupload, methods=["POST"]),
        Route(f"{repo}/commit/{{revision}}", commit, methods=["POST"]),
        Route(f"{repo}/tree/{{revision}}", tree), Route(f"{repo}/revision/{{revision}}", info), Route(repo, info),
        Route("/{kind}/{owner}/{name}.git/info/lfs/objects/batch", lfs_batch, methods=["POST"]),
        Route("/lfs/{oid}", lfs_upload, methods=["PUT"]),
        Route("/{kind}/{owner}/{name}/resolve/{revision}/{path:path}", resolve, methods=["GET", "HEAD"]),
    ]  # fmt: skip
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
