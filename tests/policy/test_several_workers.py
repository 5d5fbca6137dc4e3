"""One active model and one page, whichever worker of a server is reached."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest

from polyguard_env.environment.messages import PolyGuardObservation
from tests.serving.conftest import serving
from tests.serving.test_workers import children, fresh

TRIES = 8


@pytest.fixture(scope="module")
def together(tiny_lake: Path) -> Iterator[str]:
    with serving("--workers", "2", "--log", "off", env={"POLYGUARD_DATA_LAKE": str(tiny_lake)}) as url:
        yield url


def models(url: str) -> list[psutil.Process]:
    """The models' processes under the workers."""
    return [
        process
        for worker in children(url)
        for process in worker.children()
        if "polyguard_serving.policy.model_worker" in process.cmdline()
    ]


def test_all_workers_ask_one_model(together: str, observation: PolyGuardObservation) -> None:
    body = {"observation": observation.model_dump(mode="json")}
    with fresh(together) as http:
        assert {http.get("/policy/model_status").json()["state"] for _ in range(TRIES)} == {"not_started"}
        answers = [http.post("/policy/act", json=body) for _ in range(TRIES)]
        assert {answer.status_code for answer in answers} == {200}
        assert {answer.json()["source"] for answer in answers} == {"grpo_adapter"}
        assert len({json.dumps(answer.json()["scores"]) for answer in answers}) == 1
        told = [http.get("/policy/model_status").json() for _ in range(TRIES)]
        assert {(status["state"], status["answered"]) for status in told} == {("ready", TRIES)}
        assert len(models(together)) == 1
        broken = body["observation"] | {"candidates": []}
        assert {http.post("/policy/act", json={"observation": broken}).status_code for _ in range(TRIES)} == {409}


def opened(http: httpx.Client, place: int, text: str) -> dict[str, Any]:
    """What the page answers when a list of drugs is opened; each request takes a connection of its own."""
    name = uuid4().hex[:10]
    asked = {"data": [text], "fn_index": place, "session_hash": name}
    assert http.post("/gradio_api/queue/join", json=asked).status_code == 200
    with http.stream("GET", "/gradio_api/queue/data", params={"session_hash": name}) as stream:
        for line in stream.iter_lines():
            message = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
            if message.get("msg") in ("process_completed", "unexpected_error"):
                return dict(message)
    raise AssertionError("no answer")


def test_a_page_remembers_its_person_whichever_worker_answers(together: str) -> None:
    with fresh(together) as http:
        page = http.get("/config").json()
        place = next(call["id"] for call in page["dependencies"] if len(call["inputs"]) == 1)
        for _ in range(TRIES):
            answer = opened(http, place, "warfarin, ibuprofen")
            assert answer.get("success") is True and "Ibuprofen" in json.dumps(answer)
        assert {http.get("/nowhere").status_code for _ in range(TRIES)} == {404}
        assert {http.put("/step").status_code for _ in range(TRIES)} == {405}
        kinds = {http.get("/theme.css").headers["content-type"].partition(";")[0] for _ in range(TRIES)}
        assert kinds == {"text/css"}
