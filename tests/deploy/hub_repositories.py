"""The double's HTTP API of repositories: files, commits, large files, cards."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import yaml
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.deploy.hub_answers import refusal
from tests.deploy.hub_state import USER, HubDouble, Repository

LARGE = 4 * 2**20
REPOSITORY = "/api/{kind}/{owner}/{name}"


def routes(hub: HubDouble) -> list[Route]:
    """The routes of repositories."""

    def repository(request: Request) -> Repository | None:
        kind = request.path_params.get("kind", "models").removesuffix("s")
        return hub.repositories.get((kind, f"{request.path_params['owner']}/{request.path_params['name']}"))

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

    return [
        Route("/api/whoami-v2", whoami), Route("/api/repos/create", create, methods=["POST"]),
        Route("/api/validate-yaml", validate_yaml, methods=["POST"]),
        Route(f"{REPOSITORY}/preupload/{{revision}}", preupload, methods=["POST"]),
        Route(f"{REPOSITORY}/commit/{{revision}}", commit, methods=["POST"]),
        Route(f"{REPOSITORY}/tree/{{revision}}", tree), Route(f"{REPOSITORY}/revision/{{revision}}", info),
        Route(REPOSITORY, info),
        Route("/{kind}/{owner}/{name}.git/info/lfs/objects/batch", lfs_batch, methods=["POST"]),
        Route("/lfs/{oid}", lfs_upload, methods=["PUT"]),
        Route("/{kind}/{owner}/{name}/resolve/{revision}/{path:path}", resolve, methods=["GET", "HEAD"]),
    ]  # fmt: skip
