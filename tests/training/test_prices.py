"""Rewards come over the network, checked, retried a bounded number of times, and ahead of need."""

from __future__ import annotations

import socket
import time

import pytest
from toy_task import FINGERPRINT, price_server, toy_cases

from polyguard_assets.training import prices
from polyguard_assets.training.prices import PriceClient, PriceItem, PricePrefetcher
from polyguard_env.errors import PolyGuardError

CASES = toy_cases(6, 5)
ITEMS = [PriceItem(case.scenario_id, (), tuple(case.candidates)) for case in CASES]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "FIRST_WAIT_SECONDS", 0.01)


def test_prices_arrive_in_order_with_columns() -> None:
    with price_server(CASES) as (url, log):
        client = PriceClient(url)
        priced = client.price(ITEMS)
    assert [list(answer.rewards) for answer in priced] == [case.rewards for case in CASES]
    assert priced[0].columns[0]["safety_delta_score"] == CASES[0].rewards[0]
    assert client.knowledge_fingerprint == FINGERPRINT
    assert (client.requests, client.actions) == (1, sum(len(case.candidates) for case in CASES))
    assert log.requests[0]["items"][0] == {
        "scenario_id": CASES[0].scenario_id,
        "prefix": [],
        "actions": CASES[0].candidates,
    }


def test_a_starting_server_is_waited_for() -> None:
    with price_server(CASES) as (url, log):
        log.failures = 2
        assert len(PriceClient(url, retries=4).price(ITEMS)) == len(ITEMS)


def test_an_unreachable_server_is_one_clear_error() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(PolyGuardError, match="start the environment server") as caught:
        PriceClient(url, retries=3).price(ITEMS)
    assert caught.value.field == "environment_url"
    assert "3 attempts" in caught.value.fix


def test_other_knowledge_is_refused() -> None:
    with price_server(CASES) as (url, _), pytest.raises(PolyGuardError, match="knowledge"):
        PriceClient(url, knowledge_fingerprint="another").price(ITEMS)


def test_rewards_out_of_bounds_or_shape_are_refused() -> None:
    client = PriceClient("http://127.0.0.1:1")
    for answer in ({"rewards": [[0.1]]}, {"rewards": [[2.0] * len(ITEMS[0].actions)]}, {"rewards": None}):
        with pytest.raises(PolyGuardError, match="rewards"):
            client._read(ITEMS[:1], answer)


def test_a_row_brings_its_seed_and_prefix() -> None:
    item = PriceItem.from_row({"scenario_id": "s", "prefix": ["stop a"], "seed": 3}, ["finish"])
    assert item.to_json() == {"scenario_id": "s", "prefix": ["stop a"], "actions": ["finish"], "seed": 3}


def test_the_next_steps_prices_are_on_their_way() -> None:
    with price_server(CASES) as (url, log):
        prefetcher = PricePrefetcher(PriceClient(url), [ITEMS[:2], ITEMS[2:4], ITEMS[4:]], ahead=1)
        first = prefetcher.take(0)
        deadline = time.monotonic() + 5
        while len(log.requests) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(log.requests) == 2
        assert [list(p.rewards) for p in first] == [case.rewards for case in CASES[:2]]
        # A resumed run begins in the middle.
        assert [list(p.rewards) for p in prefetcher.take(2)] == [case.rewards for case in CASES[4:]]
        prefetcher.close()
