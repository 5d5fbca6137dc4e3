"""The server as clients meet it: websocket, HTTP, prices, MCP, bad input, OpenEnv's own validator."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardAction
from polyguard_env.policies import POLICIES
from polyguard_serving.client import PolyGuardClient
from polyguard_serving.rubric import PolyGuardRubric
from polyguard_serving.types import ServedAction, ServedObservation

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = "train-DDI-hard-000004"


@pytest.fixture
def http(server_url: str) -> httpx.Client:
    return httpx.Client(base_url=server_url, timeout=30, trust_env=False)


def test_an_episode_over_http_is_the_episode_in_process(http: httpx.Client) -> None:
    env = PolyGuardEnv()
    expected = env.reset(seed=3, scenario_id=SCENARIO, episode_id="e1")
    got = http.post("/reset", json={"seed": 3, "scenario_id": SCENARIO, "episode_id": "e1"}).json()
    assert got["observation"]["text"] == expected.text
    while not expected.done:
        action = POLICIES["rule_based"]().choose(env, expected)
        expected = env.step(action)
        got = http.post(
            "/step", json={"episode_id": "e1", "action": action.model_dump(mode="json", exclude_none=True)}
        ).json()
        assert got["reward"] == pytest.approx(expected.reward, abs=1e-12)
    assert got["done"] is True
    assert http.get("/state", params={"episode_id": "e1"}).json()["step_count"] == env.state.step_count


def test_http_episodes_do_not_mix(http: httpx.Client) -> None:
    ids = [http.post("/reset", json={"seed": s, "scenario_id": SCENARIO}).json()["episode_id"] for s in (1, 2)]
    http.post("/step", json={"episode_id": ids[0], "action": {"text": "keep nothing"}})
    counts = [http.get("/state", params={"episode_id": name}).json()["step_count"] for name in ids]
    assert counts == [1, 0]


def test_the_websocket_client_plays_an_episode(server_url: str) -> None:
    async def play() -> ServedObservation:
        async with PolyGuardClient(base_url=server_url) as client:
            result = await client.reset(seed=5, scenario_id=SCENARIO)
            while not result.done:
                result = await client.step(ServedAction(text=result.observation.candidates[0].text))
            state = await client.state()
            assert state.done and state.scenario_id == SCENARIO
            return result.observation

    observation = asyncio.run(play())
    assert 0.001 <= float(observation.reward or 0) <= 0.999
    assert PolyGuardRubric()(None, observation) == pytest.approx(observation.reward, abs=1e-9)


def test_sessions_run_side_by_side_and_one_too_many_is_refused(server_url: str) -> None:
    address = server_url.replace("http", "ws", 1) + "/ws"

    async def crowd() -> tuple[list[str], str]:
        sockets = [await connect(address) for _ in range(9)]
        for seed, one in enumerate(sockets):
            await one.send(json.dumps({"type": "reset", "data": {"seed": seed, "scenario_id": SCENARIO}}))
        answers = [json.loads(await one.recv()) for one in sockets]
        extra = await connect(address)
        refused = json.loads(await extra.recv())
        for one in [*sockets, extra]:
            await one.close()
        return [answer["type"] for answer in answers], json.dumps(refused)

    kinds, refused = asyncio.run(crowd())
    assert kinds == ["observation"] * 9
    assert "CAPACITY_REACHED" in refused


def test_prices_are_the_verifiers(http: httpx.Client) -> None:
    env = PolyGuardEnv()
    first = env.reset(seed=7, scenario_id=SCENARIO)
    best = POLICIES["oracle"]().choose(env, first)
    text = next(c.text for c in first.candidates if c.candidate_id == best.candidate_id)
    second = env.step(PolyGuardAction(candidate_id=best.candidate_id))
    prices = env.price()
    texts = [c.text for c in second.candidates]
    body = {"items": [{"scenario_id": SCENARIO, "seed": 7, "prefix": [text], "actions": [*texts, "nonsense"]}]}
    answer = http.post("/price", json=body).json()
    assert answer["rewards"][0][:-1] == pytest.approx([prices[c.candidate_id] for c in second.candidates], abs=1e-12)
    assert answer["rewards"][0][-1] == pytest.approx(0.001)
    assert answer["knowledge_fingerprint"] == env.knowledge.fingerprint


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/reset", {"scenario_id": "nowhere"}, 422, "scenario_id"),
        ("/reset", {"difficulty": "brutal"}, 422, "difficulty"),
        ("/reset", {"sed": 3}, 422, "sed"),
        ("/reset", {"seed": -4}, 422, "seed"),
        ("/step", {"episode_id": "gone", "action": {"text": "finish"}}, 404, "episode_id"),
        ("/step", {"action": {"txt": "finish"}}, 422, "txt"),
        ("/price", {"items": []}, 422, "items"),
        ("/price", {"items": [{"scenario_id": SCENARIO, "prefix": ["fly"], "actions": ["x"]}]}, 422, "prefix"),
    ],
)
def test_bad_input_is_named(http: httpx.Client, path: str, body: dict[str, object], status: int, words: str) -> None:
    answer = http.post(path, json=body)
    assert answer.status_code == status
    assert words in answer.text


def test_mcp_speaks_the_protocol(http: httpx.Client) -> None:
    def call(method: str, params: dict[str, object] | None = None) -> dict[str, object]:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        result: dict[str, object] = http.post("/mcp", json=message).json()
        return result

    assert "protocolVersion" in str(call("initialize"))
    assert call("ping")["result"] == {}
    assert {tool["name"] for tool in call("tools/list")["result"]["tools"]} >= {"reset", "step", "state"}  # type: ignore[index]
    started = call("tools/call", {"name": "reset", "arguments": {"scenario_id": SCENARIO, "seed": 2}})["result"]
    episode = started["structuredContent"]["episode_id"]  # type: ignore[index]
    stepped = call("tools/call", {"name": "step", "arguments": {"episode_id": episode, "text": "finish"}})["result"]
    assert stepped["structuredContent"]["done"] is True  # type: ignore[index]
    failed = call("tools/call", {"name": "reset", "arguments": {"difficulty": "brutal"}})["result"]
    assert failed["isError"] is True  # type: ignore[index]
    assert http.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"}).status_code == 202
    assert http.post("/mcp", json={}).json()["jsonrpc"] == "2.0"


def test_people_are_told_what_it_is_not(http: httpx.Client) -> None:
    assert "not a medical device" in http.get("/").text
    assert "not a medical device" in http.get("/metadata").text
    assert http.get("/env/health").status_code in (200, 404)


def test_openenv_validates_the_running_server(server_url: str) -> None:
    tool = Path(sys.executable).with_name("openenv")
    ran = subprocess.run([tool, "validate", "--url", server_url], capture_output=True, text=True)
    assert ran.returncode == 0 and "Verdict: PASS" in ran.stdout, ran.stdout + ran.stderr


def test_openenv_validates_the_package() -> None:
    tool = Path(sys.executable).with_name("openenv")
    command = [tool, "validate", ".", "--level", "static", "--skip-build"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 0 and "Verdict: PASS" in ran.stdout, ran.stdout + ran.stderr


def test_a_busy_port_is_one_clear_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "polyguard_serving.server", "--port", port]
        ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 2
    assert ran.stderr.count("\n") == 1 and port in ran.stderr and "in use" in ran.stderr
