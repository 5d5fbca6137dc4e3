"""Episodes over plain HTTP, their aliases, and one clear refusal for every bad input."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import DISCLAIMER
from polyguard_env.policies import POLICIES
from tests.serving.conftest import serving

SCENARIO = "train-DDI-hard-000004"


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
    ids = [http.post("/reset", json={"seed": 1, "scenario_id": SCENARIO}).json()["episode_id"] for _ in range(2)]
    assert ids[0] != ids[1]
    http.post("/step", json={"episode_id": ids[0], "action": {"text": "keep nothing"}})
    counts = [http.get("/state", params={"episode_id": name}).json()["step_count"] for name in ids]
    assert counts == [1, 0]


def test_reset_options_are_honoured(http: httpx.Client) -> None:
    options = {"difficulty": "hard", "sub_environment": "REGIMEN_RISK", "split": "holdout", "seed": 11}
    observations = [http.post("/reset", json=options).json()["observation"] for _ in range(2)]
    assert observations[0]["scenario_id"].startswith("holdout-REGIMEN_RISK-hard-")
    assert observations[0]["text"] == observations[1]["text"]
    assert http.post("/reset", json=options | {"seed": 12}).json()["observation"]["text"] != observations[0]["text"]


@pytest.mark.parametrize("path", ["/health", "/metadata", "/schema", "/tasks", "/tasks/train-DDI-easy"])
def test_every_address_answers_under_env_too(http: httpx.Client, path: str) -> None:
    plain, alias = http.get(path), http.get(f"/env{path}")
    assert alias.status_code == 200 and alias.json() == plain.json() and alias.json()


def test_calls_answer_under_env_too(http: httpx.Client) -> None:
    started = http.post("/env/reset", json={"scenario_id": SCENARIO}).json()["episode_id"]
    stepped = http.post("/env/step", json={"episode_id": started, "action": {"text": "finish"}}).json()
    assert stepped["done"] is True
    assert http.get("/env/state", params={"episode_id": started}).json()["done"] is True
    assert http.post("/env/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "ping"}).json()["result"] == {}


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("/reset", {"scenario_id": "nowhere"}, 422, "scenario_id"),
        ("/reset", {"scenario_id": "train-DDI-easy-" + "9" * 5000}, 422, "scenario_id"),
        ("/reset", {"difficulty": "brutal"}, 422, "difficulty"),
        ("/reset", {"difficulty": None}, 422, "difficulty"),
        ("/reset", {"split": "test"}, 422, "split"),
        ("/reset", {"sub_environment": "ICU"}, 422, "sub_environment"),
        ("/reset", {"patient_id": "p" + "9" * 5000}, 422, "patient_id"),
        ("/reset", {"sed": 3}, 422, "sed"),
        ("/reset", {"seed": -4}, 422, "seed"),
        ("/reset", {"seed": 2**63}, 422, "seed"),
        ("/reset", {"seed": True}, 422, "seed"),
        ("/reset", {"episode_id": ""}, 422, "episode_id"),
        ("/reset", [], 422, "body"),
        ("/step", {}, 422, "action"),
        ("/step", {"episode_id": "gone", "action": {"text": "finish"}}, 404, "episode_id"),
        ("/step", {"action": {"txt": "finish"}}, 422, "action.txt"),
        ("/step", {"action": {"confidence": 2}}, 422, "action.confidence"),
        ("/step", {"action": {"action_type": "EXPLODE"}}, 422, "action.action_type"),
        ("/step", {"action": {"confidence": True}}, 422, "action.confidence"),
        ("/step", {"action": None}, 422, "action"),
        ("/step", {"action": {"text": "finish"}, "timeout_s": "5"}, 422, "timeout_s"),
        ("/batch/step", {"episode_ids": ["e"], "actions": ["x" * 20_000]}, 422, "actions.0"),
        ("/batch/step", {"episode_ids": ["e"], "actions": [True]}, 422, "actions.0"),
        ("/batch/step", {"episode_ids": ["e"], "actions": [{"candidate_id": 5}]}, 422, "actions.0.candidate_id"),
        ("/evidence/search", {"query": "warfarin", "most": "3"}, 422, "most"),
        ("/price", {"items": []}, 422, "items"),
        ("/price", {"items": [{"scenario_id": SCENARIO, "actions": ["x"]}] * 513}, 422, "items"),
        ("/price", {"items": [{"scenario_id": SCENARIO, "actions": ["x"] * 65}]}, 422, "items.0.actions"),
        ("/price", {"items": [{"scenario_id": SCENARIO, "prefix": ["fly"], "actions": ["x"]}]}, 409, "prefix"),
        ("/price", {"items": [{"scenario_id": SCENARIO, "prefix": ["finish"], "actions": ["x"]}]}, 409, "prefix"),
        ("/nowhere", {}, 404, "path"),
        ("/state", {}, 405, "method"),
    ],
)
def test_bad_input_is_named_with_its_fix(http: httpx.Client, path: str, body: Any, status: int, field: str) -> None:
    answer = http.post(path, json=body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert set(error) == {"code", "field", "value", "fix"} and error["field"] == field and error["fix"]
    assert len(answer.content) < 2000 and "Traceback" not in answer.text


@pytest.mark.parametrize("body", [b"{bad", b"\xff\xfe", b'{"episode_id": "\\ud800"}', b"[" * 100_000, b'{"seed": NaN}'])
@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
def test_broken_bodies_are_refused_not_crashed_on(http: httpx.Client, body: bytes, content_type: str) -> None:
    answer = http.post("/reset", content=body, headers={"content-type": content_type})
    assert answer.status_code in (400, 422) and answer.json()["error"]["fix"]


@pytest.mark.parametrize(("body", "place"), [(b'{"seed": 1', 10), (b'{"seed" 1}', 8), (b"", None)])
def test_what_is_no_json_is_told_where(http: httpx.Client, body: bytes, place: int | None) -> None:
    answer = http.post("/batch/step", content=body, headers={"content-type": "application/json"})
    error = answer.json()["error"]
    if place is None:
        assert (answer.status_code, error["code"], error["field"]) == (422, "VALIDATION_ERROR", "body")
    else:
        assert (answer.status_code, error["code"], error["field"]) == (400, "INVALID_JSON", "body")
        assert error["fix"].endswith(f"at character {place}")


def test_a_step_after_the_end_is_refused(http: httpx.Client) -> None:
    started = http.post("/reset", json={"scenario_id": SCENARIO}).json()["episode_id"]
    step = {"episode_id": started, "action": {"text": "finish"}}
    assert http.post("/step", json=step).json()["done"] is True
    answer = http.post("/step", json=step)
    assert answer.status_code == 409 and "reset" in answer.json()["error"]["fix"]


@pytest.mark.parametrize("path", ["/", "/metadata", "/openapi.json"])
def test_people_are_told_what_it_is_not(http: httpx.Client, path: str) -> None:
    assert DISCLAIMER in http.get(path).text


def test_observations_and_states_say_it_too(http: httpx.Client) -> None:
    started = http.post("/reset", json={"scenario_id": SCENARIO}).json()
    assert started["observation"]["metadata"]["disclaimer"] == DISCLAIMER
    assert http.get("/state", params={"episode_id": started["episode_id"]}).json()["disclaimer"] == DISCLAIMER


def test_capacity_is_told_with_when_to_try_again() -> None:
    with (
        serving("--episodes", "2", "--log", "off") as url,
        httpx.Client(base_url=url, trust_env=False, timeout=60) as http,
    ):
        names = [http.post("/reset", json={}, timeout=60).json()["episode_id"] for _ in range(2)]
        refused = http.post("/reset", json={})
        assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1
        assert refused.json()["error"]["code"] == "CAPACITY_REACHED"
        assert http.delete(f"/episodes/{names[0]}").json() == {"episode_id": names[0]}
        assert http.post("/reset", json={}).status_code == 200


def test_a_step_may_ask_for_less(http: httpx.Client) -> None:
    for detail, fields in (("compact", {"text", "candidates"}), ("reward", set())):
        name = http.post("/reset", json={"scenario_id": SCENARIO}).json()["episode_id"]
        step = {"episode_id": name, "action": {"text": "finish"}, "detail": detail, "timeout_s": 30}
        answer = http.post("/step", json=step).json()
        assert set(answer) == {"episode_id", "reward", "done", "steps_left"} | fields
        assert "detail" not in http.get(f"/episodes/{name}").json()


def test_the_task_api_speaks_openenvs_dialect_too(http: httpx.Client) -> None:
    assert http.get("/list_environments").json() == ["polyguard"]
    kinds = {entry["name"]: entry["type"] for entry in http.get("/polyguard/splits").json()}
    assert kinds == {"train": "train", "validation": "validation", "holdout": "test"}
    tasks = http.post("/polyguard/tasks", json={"split": "holdout"}).json()["tasks"]
    assert http.post("/polyguard/num_tasks", json={"split": "holdout"}).json() == {"num_tasks": len(tasks)}
    assert http.post("/polyguard/task", json={"split": "holdout", "index": 3}).json() == {"task": tasks[3]}
    some = http.post("/polyguard/task_range", json={"split": "holdout", "start": 2, "stop": 5}).json()["tasks"]
    assert some == tasks[2:5] and http.get(f"/tasks/{tasks[2]['task_id']}").json() == tasks[2]
    beyond = http.post("/polyguard/task", json={"split": "holdout", "index": len(tasks)})
    assert beyond.status_code == 404 and beyond.json()["error"]["field"] == "index"
