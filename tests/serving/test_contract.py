"""The contract: the API as it describes itself, OpenEnv's own graders, and OpenEnv's own server beside ours."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
from fastapi.testclient import TestClient
from openenv.core import ConcurrencyConfig, create_app
from openenv.validation.graders.runtime.basic import (
    ObservationSchemaGrader,
    RewardWellFormedGrader,
    StateContractGrader,
)
from openenv.validation.runtime.collector import collect_runtime_evidence
from openenv.validation.runtime.contracts import RuntimePlan
from openenv.validation.types import CheckStatus
from websockets.asyncio.client import connect

from polyguard_env.reward.columns import HIGH, LOW
from polyguard_serving.environment import (
    EnvironmentAction,
    EnvironmentObservation,
    EnvironmentState,
    PolyGuardEnvironment,
)
from tests.serving.conftest import serving

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
EPISODE = {"scenario_id": "train-LONGITUDINAL_DEPRESCRIBING-hard-000004", "seed": 7, "episode_id": "e"}
# Search builds its index with the first question; the policy API has a fuzz test of its own.
PATHS = "^/(reset|step|state|episodes|restore|batch|tasks|polyguard|price|mcp|health|ready|metadata|schema|list_)"


def test_generated_requests_find_no_answer_that_breaks_the_schema(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with serving("--log", "off") as url:
        command = [
            SCHEMATHESIS, "run", f"{url}/openapi.json", "--checks", "all", "--mode", "all", "--max-examples", "4",
            "--seed", "1", "--max-time", "20", "--request-timeout", "60", "--max-response-time", "60",
            "--continue-on-failure", "--no-color", "--generation-database", "none", "--include-path-regex", PATHS,
            "--report-json-path", report,
        ]  # fmt: skip
        ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    found = json.loads(report.read_text())
    assert found["failures"] == [] and found["errors"] == [], ran.stdout
    assert found["test_cases"]["generated"] > 100


def test_openenvs_level_two_graders_pass(server_url: str) -> None:
    plan = RuntimePlan.model_validate(
        {
            "plan_schema_version": "1",
            "reset": {"episode_id": "graded", "seed": 3, "options": {"difficulty": "hard"}},
            "actions": [{"text": "nonsense"}, {"text": "finish", "confidence": 0.5}],
        }
    )
    evidence = collect_runtime_evidence(server_url, plan, episode_timeout_s=60)
    assert evidence.failure_reason is None, evidence
    manifest = SimpleNamespace(reward=SimpleNamespace(range=(LOW, HIGH)))
    subject: Any = SimpleNamespace(runtime_evidence=evidence, manifest=manifest)
    for grader in (RewardWellFormedGrader(), ObservationSchemaGrader(), StateContractGrader()):
        result = grader.run(subject)
        assert result.status is CheckStatus.PASS, result


def test_openenvs_own_server_answers_the_same(server_url: str) -> None:
    """The same messages to our server and to OpenEnv's with our environment in it: the same answers."""

    def script(answer: dict[str, Any]) -> list[dict[str, Any]]:
        chosen = answer["data"]["observation"]["candidates"][0]["candidate_id"]
        return [
            {"type": "state"},
            {"type": "step", "data": {"text": "nonsense"}},
            {"type": "step", "data": {"candidate_id": chosen, "metadata": {"trace": 1}}},
            {"type": "step", "data": {"text": "finish", "confidence": 0.25}},
            {"type": "state"},
        ]

    async def ours() -> list[Any]:
        async with connect(f"{server_url.replace('http', 'ws')}/ws") as socket:
            await socket.send(json.dumps({"type": "reset", "data": EPISODE}))
            answers = [json.loads(await socket.recv())]
            for message in script(answers[0]):
                await socket.send(json.dumps(message))
                answers.append(json.loads(await socket.recv()))
            return answers

    def theirs() -> list[Any]:
        app = create_app(
            PolyGuardEnvironment, EnvironmentAction, EnvironmentObservation, env_name="polyguard",
            concurrency_config=ConcurrencyConfig(max_concurrent_envs=2), state_cls=EnvironmentState,
        )  # fmt: skip
        with TestClient(app) as client, client.websocket_connect("/ws") as socket:
            socket.send_json({"type": "reset", "data": EPISODE})
            answers = [socket.receive_json()]
            for message in script(answers[0]):
                socket.send_json(message)
                answers.append(socket.receive_json())
            schemas = client.get("/schema").json()
        mine = httpx.get(f"{server_url}/schema", trust_env=False, timeout=60).json()
        for name in ("action", "observation", "state"):
            assert set(mine[name]["properties"]) == set(schemas[name]["properties"])
        return answers

    mine = asyncio.run(ours())
    for answer in mine:
        answer["data"].pop("episode_id", None)
    for answer in (expected := theirs()):
        answer["data"].pop("episode_id", None)
    assert mine == expected
