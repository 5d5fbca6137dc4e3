"""The contract of a running environment server, checked from outside over HTTP, websocket and MCP."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import uuid4

import httpx

from polyguard_assets.spaces import on_loopback
from polyguard_env.reward.columns import HIGH, LOW

SEED = 3
SCENARIO = "train-DDI-easy-000012"
REQUEST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing the server must do.

    Attributes:
        detail: what was seen, or what was wrong.
    """

    name: str
    passed: bool
    seconds: float
    detail: str


class Broken(Exception):
    """The server does not do what it must; the text says how."""


class Contract:
    """The checks against one server.

    Args:
        url: base URL of the server.
        headers: sent with every request, such as an authorization.
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.url, self.headers = url.rstrip("/"), dict(headers or {})
        self._http = httpx.Client(base_url=self.url, headers=self.headers, timeout=REQUEST_SECONDS,
                                  trust_env=not on_loopback(url))  # fmt: skip

    def run(self) -> list[Check]:
        """Every check, in order; one that breaks does not stop the others."""
        checks: tuple[Callable[[], str], ...] = (
            self.health, self.openapi, self.metadata, self.schema, self.episode, self.same_seed_same_bytes,
            self.unknown_episode, self.bad_input, self.mcp, self.websocket,
        )  # fmt: skip
        try:
            return [_checked(check) for check in checks]
        finally:
            self._http.close()

    def health(self) -> str:
        """GET /health says healthy."""
        body = self._get("/health")
        _must(body.get("status") == "healthy", f"status is {body.get('status')!r}")
        return "healthy"

    def openapi(self) -> str:
        """GET /openapi.json names the version and the paths."""
        body = self._get("/openapi.json")
        missing = {"/reset", "/step", "/state", "/metadata", "/schema", "/mcp", "/health"} - set(body.get("paths", {}))
        _must(not missing, f"no {sorted(missing)}")
        return f"version {body['info']['version']}"

    def metadata(self) -> str:
        """GET /metadata names and describes the environment, and says that it is not a medical device."""
        body = self._get("/metadata")
        _must(bool(body.get("name")) and bool(body.get("description")), "no name or description")
        _must("not a medical device" in json.dumps(body).lower(), "it does not say that it is no medical device")
        return str(body["name"])

    def schema(self) -> str:
        """GET /schema has action, observation and state."""
        body = self._get("/schema")
        for part in ("action", "observation", "state"):
            _must(bool(body.get(part, {}).get("properties")), f"{part} has no properties")
        return "action, observation, state"

    def episode(self) -> str:
        """POST /reset, POST /step and GET /state hold one episode from its start to its end."""
        name = f"contract-{uuid4().hex}"
        begun = self._post("/reset", {"seed": SEED, "scenario_id": SCENARIO, "episode_id": name})
        _must(begun.get("done") is False, "the episode is done before its first step")
        _must(begun["observation"].get("episode_id") == name, "it does not keep the episode's id")
        steps, reward, done = 0, 0.0, False
        while not done and steps < 64:
            answer = self._post("/step", {"episode_id": name, "action": {"text": "finish"}})
            steps, reward, done = steps + 1, float(answer["reward"]), bool(answer["done"])
            _must(LOW <= reward <= HIGH, f"reward {reward} is out of bounds")
            state = self._get("/state", episode_id=name)
            _must(state.get("step_count") == steps, f"state counts {state.get('step_count')} steps after {steps}")
        _must(done, "'finish' does not end the episode")
        return f"{steps} steps, last reward {reward:.3f}"

    def same_seed_same_bytes(self) -> str:
        """Two episodes of one seed and scenario show the same observation but for their ids."""
        seen = []
        for _ in range(2):
            body = {"seed": SEED, "scenario_id": SCENARIO, "episode_id": f"contract-{uuid4().hex}"}
            observation = self._post("/reset", body)["observation"]
            seen.append({key: value for key, value in observation.items() if key != "episode_id"})
        _must(seen[0] == seen[1], "they differ")
        return "equal"

    def unknown_episode(self) -> str:
        """A step of an episode that does not run is refused with a field and a fix."""
        return self._refused("/step", {"episode_id": f"none-{uuid4().hex}", "action": {"text": "finish"}})

    def bad_input(self) -> str:
        """A value out of range is refused with a field and a fix, and without a stack trace."""
        return self._refused("/reset", {"seed": -1})

    def mcp(self) -> str:
        """POST /mcp answers initialize, ping and tools/list, and takes notifications."""
        opening = {"protocolVersion": "2025-06-18", "capabilities": {},
                   "clientInfo": {"name": "polyguard-contract", "version": "1"}}  # fmt: skip
        begun = self._rpc("initialize", opening)
        _must("serverInfo" in begun, "initialize names no server")
        self._rpc("ping", {})
        tools = {tool["name"] for tool in self._rpc("tools/list", {})["tools"]}
        _must({"reset", "step"} <= {name.rpartition("_")[2] for name in tools} | tools, f"tools are {sorted(tools)}")
        noted = self._http.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"},
                                headers={"Accept": "application/json, text/event-stream"})  # fmt: skip
        _must(noted.status_code == 202, f"a notification is answered with HTTP {noted.status_code}")
        return f"{len(tools)} tools"

    def websocket(self) -> str:
        """/ws plays an episode as OpenEnv's client speaks it."""
        return asyncio.run(self._over_websocket())

    async def _over_websocket(self) -> str:
        from websockets.asyncio.client import connect

        parts = urlsplit(self.url)
        address = f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}{parts.path}/ws"
        proxy: Literal[True] | None = None if on_loopback(self.url) else True
        async with connect(
            address, additional_headers=self.headers, open_timeout=REQUEST_SECONDS, proxy=proxy
        ) as socket:
            answers = []
            for message in (
                {"type": "reset", "data": {"seed": SEED, "scenario_id": SCENARIO}},
                {"type": "step", "data": {"text": "finish"}},
                {"type": "state"},
            ):
                await socket.send(json.dumps(message))
                answer = json.loads(await asyncio.wait_for(socket.recv(), REQUEST_SECONDS))
                _must(answer.get("type") != "error", f"{message['type']}: {str(answer)[:200]}")
                answers.append(answer)
            await socket.send(json.dumps({"type": "close"}))
        _must(LOW <= float(answers[1]["data"]["reward"]) <= HIGH, "the reward is out of bounds")
        return "reset, step, state, close"

    def _refused(self, path: str, body: dict[str, Any]) -> str:
        answer = self._http.post(path, json=body)
        _must(400 <= answer.status_code < 500, f"HTTP {answer.status_code}")
        error = answer.json().get("error") or {}
        _must(bool(error.get("field")) and bool(error.get("fix")), "the refusal names no field or fix")
        _must("Traceback" not in answer.text, "the refusal holds a stack trace")
        return f"HTTP {answer.status_code}: {error['field']}"

    def _rpc(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        answer = self._http.post("/mcp", json=body, headers={"Accept": "application/json, text/event-stream"})
        _must(answer.status_code == 200, f"{method}: HTTP {answer.status_code}")
        message = answer.json()
        _must("result" in message, f"{method}: {str(message.get('error'))[:200]}")
        return dict(message["result"])

    def _get(self, path: str, **parameters: str) -> dict[str, Any]:
        answer = self._http.get(path, params=parameters)
        _must(answer.status_code == 200, f"GET {path}: HTTP {answer.status_code}")
        return dict(answer.json())

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._http.post(path, json=body)
        _must(answer.status_code == 200, f"POST {path}: HTTP {answer.status_code}: {answer.text[:200]}")
        return dict(answer.json())


def _must(true: bool, otherwise: str) -> None:
    if not true:
        raise Broken(otherwise)


def _checked(check: Callable[[], str]) -> Check:
    began = time.monotonic()
    try:
        passed, detail = True, check()
    except Broken as broken:
        passed, detail = False, str(broken)
    except Exception as error:
        # Whatever a broken server provokes (a closed socket, no JSON, a missing key) is that check's failure.
        passed, detail = False, f"{type(error).__name__}: {error}"[:300]
    return Check(check.__name__, passed, round(time.monotonic() - began, 3), detail)


def openenv_report(url: str, seconds: float = 120.0) -> dict[str, Any]:
    """`openenv validate --url` against a server: its JSON report, or why there is none."""
    tool = Path(sys.executable).with_name("openenv")
    try:
        ran = subprocess.run([tool, "validate", "--url", url, "--json"], capture_output=True, text=True,
                             timeout=seconds)  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"passed": False, "error": f"no report within {seconds:.0f} s"}
    try:
        report = dict(json.loads(ran.stdout))
    except ValueError:
        return {"passed": False, "error": (ran.stdout + ran.stderr).strip()[-300:]}
    return report | {"passed": ran.returncode == 0 and bool(report.get("passed"))}


def verify(url: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Both validations of a running server as one report."""
    openenv = openenv_report(url)
    checks = Contract(url, headers).run()
    return {
        "url": url,
        "passed": bool(openenv["passed"]) and all(check.passed for check in checks),
        "openenv": openenv,
        "contract": [asdict(check) for check in checks],
    }
