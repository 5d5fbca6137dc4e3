"""What an operator sees: metrics, structured logs with episode ids, health and readiness apart."""

from __future__ import annotations

import asyncio
import io
import json
import os
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from polyguard_serving import app as application
from polyguard_serving.client import PolyGuardClient
from polyguard_serving.logs import Log
from polyguard_serving.service import Service
from polyguard_serving.settings import Settings
from polyguard_serving.tally import Tally, exposition
from polyguard_serving.types import ServedAction
from tests.serving.conftest import serving


def sample(text: str, name: str, **labels: str) -> float:
    """One value of a Prometheus exposition."""
    for family in text_string_to_metric_families(text):
        for found in family.samples:
            if found.name == name and labels.items() <= found.labels.items():
                return float(found.value)
    return 0.0


def test_what_happens_is_counted_and_logged_with_its_episode(tmp_path: Path) -> None:
    async def play(url: str) -> None:
        async with PolyGuardClient(url) as client:
            await client.reset(episode_id="over-ws")
            await client.step(ServedAction(text="finish"))

    path = tmp_path / "log"
    with (
        path.open("wb") as log,
        serving(log=log) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=60) as http,
    ):
        http.post("/reset", json={"episode_id": "over-http"}, timeout=60)
        http.post("/step", json={"episode_id": "over-http", "action": {"text": "finish"}})
        http.post("/step", json={"episode_id": "nowhere", "action": {"text": "finish"}})
        asyncio.run(play(url))
        http.get(f"/{'x' * 50}")
        answer = http.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain")
        for way in ("http", "ws"):
            assert sample(answer.text, "polyguard_steps_total", way=way) == 1
            assert sample(answer.text, "polyguard_episodes_finished_total", way=way) == 1
        assert sample(answer.text, "polyguard_step_seconds_count") == 2
        assert sample(answer.text, "polyguard_sessions_opened_total") == 1
        assert sample(answer.text, "polyguard_sessions") == 0
        assert sample(answer.text, "polyguard_episodes") == 1
        assert sample(answer.text, "polyguard_refusals_total", code="NOT_FOUND") == 2
        assert sample(answer.text, "polyguard_http_requests_total", route="/step", status="200") == 1
        assert sample(answer.text, "polyguard_resident_memory_bytes") > 2**20
        assert "x" * 50 not in answer.text, "a label must not take any value a caller sends"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    told = {(line["event"], line.get("episode_id")) for line in lines}
    for way in ("over-http", "over-ws"):
        assert {("episode_started", way), ("episode_finished", way)} <= told
    assert ("request", "over-http") in told
    assert all({"time", "event"} <= set(line) for line in lines)


def test_healthy_at_once_and_ready_when_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    app = application.create(Settings(log_format="off"))
    service = app.state.service
    first = Service._first_episode
    monkeypatch.setattr(Service, "_first_episode", lambda self: (time.sleep(3.0), first(self)))
    with TestClient(app) as client:
        assert client.get("/health").json() == {"status": "healthy"}
        starting = client.get("/ready")
        assert starting.status_code == 503 and starting.json()["error"]["code"] == "BUSY"
        # What needs no knowledge does not wait for it.
        for path in ("/metadata", "/schema", "/openapi.json", "/docs", "/metrics"):
            assert client.get(path).status_code == 200
        assert client.get("/ready").status_code == 503
        # Whoever asks for an episode meanwhile gets it, a little later.
        assert client.post("/reset", json={}).status_code == 200
        ready = client.get("/ready").json()
        assert ready["status"] == "ready" and ready["knowledge_fingerprint"] == service.ready()


def test_sums_over_workers_are_sums() -> None:
    one, other = Tally(), Tally()
    for tally, count in ((one, 2), (other, 3)):
        for _ in range(count):
            tally.add("polyguard_steps", "ws")
            tally.time("polyguard_step_seconds", 0.0002)
        tally.gauges = {"polyguard_sessions": 4}
    one.time("polyguard_step_seconds", 99.0)
    text = exposition([json.loads(json.dumps(tally.dump())) for tally in (one, other)]).decode()
    assert sample(text, "polyguard_steps_total", way="ws") == 5 and sample(text, "polyguard_sessions") == 8
    assert sample(text, "polyguard_step_seconds_bucket", le="0.0001") == 0
    assert sample(text, "polyguard_step_seconds_bucket", le="0.00025") == 5
    assert sample(text, "polyguard_step_seconds_bucket", le="+Inf") == 6
    assert sample(text, "polyguard_step_seconds_sum") == pytest.approx(99.001)


def test_a_reader_of_the_log_who_stops_reading_costs_lines_not_time() -> None:
    reading, writing = os.pipe()
    tally = Tally()
    try:
        log = Log(tally, os.fdopen(writing, "wb", buffering=0))
        began = time.monotonic()
        for number in range(60_000):
            log.event("step", number=number, text="x" * 100)
        assert time.monotonic() - began < 30
        assert tally.counts[("polyguard_log_lines_dropped",)] > 0
    finally:
        os.close(reading)


def test_a_log_that_is_off_writes_nothing() -> None:
    sink = io.BytesIO()
    log: Any = Log(None, None)
    log.event("x")
    log.close()
    on = Log(None, sink)
    on.event("fine", episode_id="e")
    on.fault(ValueError("why"), way="ws")
    on.close()
    lines = [json.loads(line) for line in sink.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["fine", "fault"] and "ValueError" in lines[1]["trace"]
