"""The policy and evidence API over HTTP: every route, its refusals, and that a slow model holds nobody up."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator

from polyguard_env.environment.messages import DISCLAIMER, PolyGuardObservation
from polyguard_serving.app import create as create_server
from polyguard_serving.policy.__main__ import create
from polyguard_serving.policy.model_process import ModelProcess
from polyguard_serving.policy.services import PolicyServices
from polyguard_serving.settings import Settings

FAKE = Path(__file__).with_name("fake_model.py")
LOCAL = Settings(log_format="off")


@pytest.fixture(scope="module")
def api(tiny_lake: Path) -> Iterator[TestClient]:
    """The API over the tiny lake, with a model that answers at once."""
    app = create(LOCAL)
    app.state.policy = PolicyServices(app, tiny_lake, ModelProcess(tiny_lake, (sys.executable, str(FAKE), "good")))
    with TestClient(app) as client:
        yield client


@pytest.fixture(scope="module")
def sent(observation: PolyGuardObservation) -> dict[str, Any]:
    return observation.model_dump(mode="json")


def fits(client: TestClient, method: str, path: str, answer: httpx.Response) -> Any:
    """The answer's JSON, which is exactly what the OpenAPI document promises."""
    document = client.get("/openapi.json").json()
    promised = document["paths"][path][method]["responses"][str(answer.status_code)]
    schema = promised["content"]["application/json"]["schema"] | {"components": document["components"]}
    Draft202012Validator(schema).validate(answer.json())
    return answer.json()


def test_the_status_names_the_model_before_anything_is_loaded(tiny_lake: Path) -> None:
    app = create(LOCAL)
    app.state.policy = PolicyServices(app, tiny_lake)
    with TestClient(app) as client:
        found = fits(client, "get", "/policy/model_status", client.get("/policy/model_status"))
    assert found["state"] == "not_started" and found["source"] == "none" and found["label"] == "tiny + GRPO"
    assert found["grpo_adapter"]["path"] == "models/tiny/grpo_adapter"


def test_the_model_answers_and_says_which_it_is(api: TestClient, sent: dict[str, Any]) -> None:
    found = fits(api, "post", "/policy/act", api.post("/policy/act", json={"observation": sent}))
    assert found["source"] == "grpo_adapter" and found["fallback_reason"] is None
    assert found["candidate"] == sent["candidates"][0]
    assert found["action"]["candidate_id"] == sent["candidates"][0]["candidate_id"]
    assert len(found["scores"]) == len(sent["candidates"])
    assert api.get("/policy/model_status").json()["state"] == "ready"


def test_without_a_model_the_policy_says_so_and_nothing_stands_in(sent: dict[str, Any], tmp_path: Path) -> None:
    app = create(LOCAL)
    app.state.policy = PolicyServices(app, tmp_path)
    with TestClient(app) as client:
        answer = client.post("/policy/act", json={"observation": sent})
        told = fits(client, "post", "/policy/act", answer)["error"]
        assert answer.status_code == 409 and told["code"] == "MODEL_NOT_AVAILABLE" and "make demo" in told["fix"]
        planned = client.post("/agents/run_step", json={"observation": sent, "planner": "model"})
        assert planned.status_code == 409 and planned.json()["error"]["code"] == "MODEL_NOT_AVAILABLE"
        status = client.get("/policy/model_status").json()
        assert status["state"] == "absent" and status["source"] == "none" and "make demo" in status["reason"]


@pytest.mark.parametrize("planner", ["rule_based", "model"])
def test_the_agents_decide_and_leave_a_trace(api: TestClient, sent: dict[str, Any], planner: str) -> None:
    body = {"observation": sent, "planner": planner, "mode": "replan_on_veto"}
    found = fits(api, "post", "/agents/run_step", api.post("/agents/run_step", json=body))
    assert found["source"] == ("rule_based" if planner == "rule_based" else "grpo_adapter")
    evidence = next(note for note in found["trace"] if note["agent"] == "Evidence")
    assert evidence["details"]["passages"] and found["explanation"].endswith(DISCLAIMER)


@pytest.mark.parametrize(
    "body",
    [
        {}, {"episode_id": "e", "observation": None, "mode": "anarchy"}, {"observation": {"episode_id": "e"}},
        {"episode_id": "nobody"}, {"episode_id": "\u0087 x"}, {"without": ["patience"]},
    ],
)  # fmt: skip
def test_a_bad_step_is_one_clear_refusal(api: TestClient, body: dict[str, Any]) -> None:
    answer = api.post("/agents/run_step", json=body)
    assert answer.status_code in (404, 409, 422)
    assert set(fits(api, "post", "/agents/run_step", answer)["error"]) == {"code", "field", "value", "fix"}


def test_an_observation_no_environment_sends_is_refused(api: TestClient, sent: dict[str, Any]) -> None:
    broken = json.loads(json.dumps(sent))
    broken["regimen"][0]["dose"] = "much"
    answer = api.post("/agents/run_step", json={"observation": broken})
    assert answer.status_code == 409 and answer.json()["error"]["field"] == "observation.regimen[0].dose"


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("patient", "crcl"), "96", "observation.patient.crcl"),
        (("patient", "weight"), True, "observation.patient.weight"),
        (("regimen", 0, "dose"), "20", "observation.regimen[0].dose"), (("day",), True, "observation.day"),
        (("steps_left",), "3", "observation.steps_left"), (("done",), "no", "observation.done"),
    ],
)  # fmt: skip
def test_a_number_is_no_text_and_no_flag(
    api: TestClient, sent: dict[str, Any], path: tuple[Any, ...], value: object, field: str
) -> None:
    broken = json.loads(json.dumps(sent))
    place = broken
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    answer = api.post("/agents/run_step", json={"observation": broken, "without": ["evidence"]})
    assert answer.status_code in (409, 422) and answer.json()["error"]["field"] == field


@pytest.mark.parametrize(
    "more",
    [
        {"conditions": [[]]}, {"conditions": [{"a": 1}]}, {"conditions": 3}, {"allergies": [[]]},
        {"measurements": {"potassium": []}}, {"genotype": {"CYP2D6": []}}, {"child_pugh": []}, {"sex": []},
        {"regimen": [{"drug": []}]},
        {"regimen": [[]]},
        {"regimen": [{"drug": "warfarin", "dose": 5, "unit": []}]}, {"regimen": [{"drug": "warfarin", "days": "x"}]},
        {"regimen": [{"drug": "warfarin", "indication": [1]}]}, {"patient_id": [1], "falls": {}},
    ],
)  # fmt: skip
def test_a_patient_of_the_wrong_kinds_is_refused_not_crashed_on(api: TestClient, more: dict[str, Any]) -> None:
    person: dict[str, Any] = {"age": 82, "sex": "F", "weight": 60, "height": 158, "regimen": ["warfarin"]}
    answer = api.post("/regimen/review", json={"patient": person | more})
    assert answer.status_code in (404, 409), answer.text
    assert fits(api, "post", "/regimen/review", answer)["error"]["fix"]


def test_cases_are_paged_and_alternate(api: TestClient) -> None:
    found = fits(api, "get", "/cases", api.get("/cases", params={"limit": 4}))
    assert len({case["scenario_id"] for case in found["cases"]}) == 4
    assert len({case["difficulty"] for case in found["cases"]}) == 3
    again = api.get("/cases", params={"limit": 2, "offset": 2}).json()["cases"]
    assert again == found["cases"][2:]
    one = api.get("/cases", params={"sub_environment": "DDI", "difficulty": "hard", "limit": 1}).json()["cases"][0]
    assert one["scenario_id"] == "train-DDI-hard-000000" and one["drugs"]
    assert api.get("/cases", params={"sub_environment": "NONE"}).status_code == 409


def test_evidence_is_found_either_way(api: TestClient) -> None:
    question = {"query": "Coumadin together with ibuprofen", "most": 3}
    got = fits(api, "get", "/evidence/search", api.get("/evidence/search", params=question))
    posted = fits(api, "post", "/evidence/search", api.post("/evidence/search", json=question))
    assert got == posted and got["passages"][0]["passage_id"] == "interaction:ibuprofen+warfarin"
    assert got["index"] == "packaged"
    assert api.post("/evidence/search", json={"query": "  "}).status_code == 422


def test_a_regimen_is_reviewed_by_drugs_or_by_patient(api: TestClient) -> None:
    listed = api.post("/regimen/review", json={"drugs": ["Coumadin", "ibuprofen"]})
    found = fits(api, "post", "/regimen/review", listed)
    assert found["findings"][0]["finding_id"] == "interaction:ibuprofen+warfarin" and found["assumed"]["age"] == 75
    person = {"age": 82, "sex": "F", "weight": 60, "height": 158, "regimen": ["warfarin", "ibuprofen"]}
    named = fits(api, "post", "/regimen/review", api.post("/regimen/review", json={"patient": person}))
    assert named["assumed"] == {} and named["findings"][0]["severity"] == "major"
    wrong = api.post("/regimen/review", json={"drugs": ["ibuprofin"]}).json()["error"]
    assert wrong["field"] == "drugs[0]" and "ibuprofen" in wrong["fix"]
    assert api.post("/regimen/review", json={"patient": {"age": 20}}).json()["error"]["field"] == "sex"


def test_interactions_are_checked_pair_by_pair(api: TestClient) -> None:
    body = {"drugs": ["Coumadin", "ibuprofen", "Eliquis"]}
    found = fits(api, "post", "/interactions/check", api.post("/interactions/check", json=body))
    assert found["drugs"] == ["warfarin", "ibuprofen", "apixaban"] and found["pairs_checked"] == 3
    pair = next(p for p in found["interactions"] if p["drugs"] == ["ibuprofen", "warfarin"])
    assert pair["severity"] == "major" and pair["sources"] and len(pair["sources"]) == len(pair["years"])
    same = api.post("/interactions/check", json={"drugs": ["warfarin", "Coumadin"]})
    assert same.status_code == 409 and "two different" in same.json()["error"]["fix"]


def test_reports_of_the_data_lake_are_served_or_named_as_missing(tmp_path: Path) -> None:
    app = create(LOCAL)
    app.state.policy = PolicyServices(app, tmp_path)
    with TestClient(app) as client:
        for path in ("/evaluation/summary", "/training/metrics"):
            told = fits(client, "get", path, client.get(path))
            assert told["error"]["code"] == "NOT_FOUND" and "make demo" in told["error"]["fix"]
        report = {"policies": {"grpo": {"reward": 0.8}}, "differences": {"grpo - sft": {"difference": 0.05}}, "seed": 7}
        (tmp_path / "reports").mkdir()
        (tmp_path / "reports/demo_summary.json").write_text(json.dumps(report))
        found = fits(client, "get", "/evaluation/summary", client.get("/evaluation/summary"))
        assert found["policies"]["grpo"]["reward"] == 0.8 and found["details"] == {"seed": 7}
        folder = tmp_path / "models/tiny"
        folder.mkdir(parents=True)
        rows = [{"step": 1, "reward": 0.5, "note": "x"}, {"step": 2, "reward": 0.6, "kl": float("nan")}]
        (folder / "grpo_history.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
        found = fits(client, "get", "/training/metrics", client.get("/training/metrics"))
        assert found["model_runs"] == ["tiny"] and found["stages"][0]["rows"][1] == {"step": 2.0, "reward": 0.6}
        assert client.get("/training/metrics", params={"model_run": "huge"}).status_code == 404


def test_an_episode_of_the_same_server_is_decided_by_its_id(tiny_lake: Path) -> None:
    app = create_server(LOCAL)
    app.state.policy = PolicyServices(app, tiny_lake, ModelProcess(tiny_lake, (sys.executable, str(FAKE), "good")))
    with TestClient(app) as client:
        started = client.post("/reset", json={"scenario_id": "train-DDI-easy-000001"}).json()
        before = client.get("/state", params={"episode_id": started["episode_id"]}).json()
        found = client.post("/policy/act", json={"episode_id": started["episode_id"]}).json()
        assert found["candidate"] in started["observation"]["candidates"]
        assert client.get("/state", params={"episode_id": started["episode_id"]}).json() == before
        answer = client.post("/policy/act", json={"episode_id": "nobody"})
        assert answer.status_code == 404


def test_a_model_that_never_answers_holds_no_session_up(tiny_lake: Path, sent: dict[str, Any]) -> None:
    """Episodes run from start to end while a question to the model is still open."""

    async def play() -> tuple[int, bool]:
        app = create_server(LOCAL)
        slow = ModelProcess(tiny_lake, (sys.executable, str(FAKE), "slow"), answer_s=120.0)
        app.state.policy = PolicyServices(app, tiny_lake, slow)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60) as client:
            asked = asyncio.create_task(client.post("/policy/act", json={"observation": sent}))
            while slow.state != "ready":
                await asyncio.sleep(0.05)
            ended = 0
            for seed in range(5):
                episode = (await client.post("/reset", json={"seed": seed})).json()
                step = {"episode_id": episode["episode_id"], "action": {"text": "finish"}}
                ended += (await client.post("/step", json=step)).json()["done"]
            waiting = not asked.done()
            asked.cancel()
            await slow.close()
            return ended, waiting

    assert asyncio.run(play()) == (5, True)


def test_the_apis_own_port_is_guarded_like_the_servers(tiny_lake: Path) -> None:
    """Beyond loopback a token is asked for, and every answer carries the security headers."""
    token = "a-token-of-some-length"
    app = create(Settings(host="0.0.0.0", token=token, log_format="off"))
    app.state.policy = PolicyServices(app, tiny_lake)
    with TestClient(app) as client:
        refused = client.get("/policy/model_status")
        assert refused.status_code == 401 and refused.json()["error"]["code"] == "UNAUTHORIZED"
        known = client.get("/policy/model_status", headers={"Authorization": f"Bearer {token}"})
        assert known.status_code == 200 and known.headers["x-content-type-options"] == "nosniff"
        assert client.get("/health").json() == {"status": "healthy"}
