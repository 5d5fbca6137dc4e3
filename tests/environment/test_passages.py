"""Look-ups: what a search brings back, what it must not give away, and the web behind the same interface."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.evidence import (
    EvidenceProvider,
    LocalEvidence,
    WebEvidence,
    local_evidence,
    shown,
)
from polyguard_env.environment.scenarios import make_id
from polyguard_env.environment.splits import SPLITS, pair_split
from polyguard_env.errors import PolyGuardError
from polyguard_env.evidence.corpus import table_finder
from polyguard_env.sources.fetch import Fetcher

NAME = "WEB_SEARCH_MISSING_DATA"


@pytest.fixture(scope="module")
def local(env: PolyGuardEnv) -> LocalEvidence:
    return local_evidence(env.knowledge)


@pytest.mark.parametrize("split", SPLITS)
def test_a_passage_names_no_second_drug_that_gives_a_pair_away(
    env: PolyGuardEnv, local: LocalEvidence, split: str
) -> None:
    finder = table_finder(env.knowledge)
    for number in range(30):
        scenario = env.factory.find(make_id(split, NAME, "hard", number))
        for drug_id in scenario.patient.drug_ids:
            for passage in local.fetch(scenario, drug_id):
                named = set(finder.find(passage.text)) | {drug_id}
                pairs = {pair_split(a, b, env.index) for a in named for b in named if a < b}
                assert pairs <= {None, split}
                assert len(named) <= 2


def test_passages_of_every_kind_come_and_their_ids_tell_nothing(env: PolyGuardEnv, local: LocalEvidence) -> None:
    kinds: Counter[str] = Counter()
    for number in range(40):
        scenario = env.factory.find(make_id("train", NAME, "easy", number))
        drug_id = scenario.patient.drug_ids[0]
        passages = local.fetch(scenario, drug_id)
        kinds.update(passage.kind for passage in passages)
        assert passages == LocalEvidence(env.knowledge).fetch(scenario, drug_id) if number < 2 else passages
        for passage in passages:
            assert set(shown(passage)) == {"id", "source", "year", "text"}
            assert (passage.year < 2004) == (passage.kind == "outdated") or passage.kind == "injected"
    assert {"irrelevant", "outdated", "injected", "profile"} <= set(kinds)


def test_the_facts_looked_up_are_there(env: PolyGuardEnv, local: LocalEvidence) -> None:
    scenario = env.factory.find(make_id("train", NAME, "easy", 1))
    for drug_id in scenario.patient.drug_ids:
        texts = [passage.text for passage in local.fetch(scenario, drug_id)]
        assert any(f"Profile of {env.knowledge.drugs[drug_id].name}" in text for text in texts)


def test_the_chart_and_products_are_on_file(env: PolyGuardEnv, local: LocalEvidence) -> None:
    scenario = env.factory.find(make_id("train", "NEW_DRUG_DECOMPOSITION", "easy", 3))
    (chart,) = local.fetch(scenario, "chart")
    assert chart.text.startswith("Chart: ") and "Allergies" in chart.text
    (insert,) = local.fetch(scenario, scenario.products[0].name)
    assert all(env.knowledge.drugs[drug_id].name in insert.text for drug_id in scenario.products[0].drug_ids)
    with pytest.raises(PolyGuardError, match="topic"):
        local.fetch(scenario, "no_such_drug")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    """A local double of the label service; its address and what it was asked for."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlparse(self.path).query)["search"][0]
            asked.append(query)
            if "warfarin" not in query:
                self.send_response(503)
                self.end_headers()
                return
            label = {
                "set_id": "s1",
                "effective_time": "20240105",
                "openfda": {"generic_name": ["WARFARIN SODIUM"]},
                "boxed_warning": ["Warfarin can cause major bleeding. Avoid it with ibuprofen."],
                "drug_interactions": ["Fluconazole raises its level."],
            }
            body = json.dumps({"results": [label]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_web_answers_behind_the_same_interface(
    env: PolyGuardEnv, service: tuple[str, list[str]], tmp_path: Path
) -> None:
    base, asked = service
    fetcher = Fetcher(tmp_path, interval=0.0, attempts=2, sleep=lambda seconds: None)
    web: EvidenceProvider = WebEvidence(env.knowledge, fetcher, base)
    scenario = env.factory.find(make_id("train", NAME, "easy", 1))
    (passage,) = web.fetch(scenario, "warfarin")
    assert (passage.source, passage.year, passage.text) == ("openfda", 2024, "Warfarin can cause major bleeding.")
    assert web.fetch(scenario, "warfarin") == (passage,) and len(asked) == 1
    with pytest.raises(PolyGuardError, match="tries failed"):
        web.fetch(scenario, "metoprolol")
