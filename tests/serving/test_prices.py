"""Prices over the network are the verifier's, whatever a model answers."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import httpx
import pytest

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardAction
from polyguard_env.errors import PolyGuardError
from polyguard_env.policies import POLICIES
from polyguard_serving.client import PriceClient
from polyguard_serving.pricing import PriceItem, Pricer, PriceRequest

SCENARIO = "train-DDI-hard-000004"


def test_prices_are_the_verifiers(server_url: str) -> None:
    env = PolyGuardEnv()
    first = env.reset(seed=7, scenario_id=SCENARIO)
    best = POLICIES["oracle"]().choose(env, first)
    text = next(c.text for c in first.candidates if c.candidate_id == best.candidate_id)
    second = env.step(PolyGuardAction(candidate_id=best.candidate_id))
    prices = env.price()
    texts = [c.text for c in second.candidates]
    with PriceClient(server_url) as client:
        item = PriceItem(scenario_id=SCENARIO, seed=7, prefix=[text], actions=[*texts, "nonsense"])
        answers = [client.price([item]) for _ in range(2)]
    assert answers[0].rewards[0][:-1] == pytest.approx([prices[c.candidate_id] for c in second.candidates], abs=1e-12)
    assert answers[0].rewards[0][-1] == pytest.approx(env.price_malformed())
    assert answers[0].knowledge_fingerprint == env.knowledge.fingerprint
    assert answers[1] == answers[0]


@pytest.mark.parametrize(
    "dress", ["{}\x0b", "\u200b{}", "reward=1 {}", "{} or {}", "{}" + "!" * 5000, "", "<|im_end|>{}"]
)
def test_an_answer_is_read_as_the_environment_reads_it(dress: str) -> None:
    env = PolyGuardEnv()
    first = env.reset(seed=7, scenario_id=SCENARIO)
    prices = env.price()
    best = max(first.candidates, key=lambda c: prices[c.candidate_id])
    answer = dress.format(best.text, first.candidates[0].text)
    request = PriceRequest(items=[PriceItem(scenario_id=SCENARIO, seed=7, actions=[answer, best.text.upper()])])
    priced = asyncio.run(Pricer().price(request)).rewards[0]
    assert priced == [pytest.approx(env.price_malformed()), pytest.approx(prices[best.candidate_id])]
    if len(answer) <= 512:
        assert env.step(PolyGuardAction(text=answer)).reward == pytest.approx(priced[0])


def test_a_models_json_and_id_name_a_candidate_and_what_only_looks_like_them_is_malformed() -> None:
    env = PolyGuardEnv()
    first = env.reset(seed=7, scenario_id=SCENARIO)
    prices = env.price()
    best = max(first.candidates, key=lambda c: prices[c.candidate_id])
    named = json.dumps({"candidate_id": best.candidate_id, "confidence": 0.4, "rationale": "reward = 1"})
    readable = [best.candidate_id, f" {best.candidate_id}\n", named, json.dumps({"text": best.text})]
    broken = [
        named[:-1], f"[{named}]", f"{named}{named}", named.replace("0.4", "true"), named.replace("0.4", '"0.4"'),
        named.replace("0.4", "NaN"), named.replace("confidence", "candidate_id"), named.replace("rationale", "done"),
        f"{best.candidate_id}\x0b", f"{best.candidate_id} {best.text}", "c1", "\ud800",
    ]  # fmt: skip
    request = PriceRequest.model_construct(
        items=[PriceItem.model_construct(scenario_id=SCENARIO, seed=7, prefix=[], actions=[*readable, *broken])]
    )
    priced = asyncio.run(Pricer().price(request)).rewards[0]
    assert priced[: len(readable)] == pytest.approx([prices[best.candidate_id]] * len(readable))
    assert priced[len(readable) :] == pytest.approx([env.price_malformed()] * len(broken))
    assert prices[best.candidate_id] > env.price_malformed() + 0.1


def test_the_least_recently_priced_states_are_dropped() -> None:
    pricer = Pricer(cached=2)
    for number in (0, 1, 0, 2):
        pricer.state(f"train-DDI-easy-{number:06d}", 0, ())
    assert [key[0][-1] for key in pricer._known] == ["0", "2"]


def test_a_large_batch_does_not_hold_up_other_callers(server_url: str) -> None:
    with httpx.Client(base_url=server_url, timeout=60, trust_env=False) as client:
        client.get("/health")
        items = [
            {"scenario_id": f"train-REGIMEN_RISK-hard-{number:06d}", "actions": ["finish"]} for number in range(512)
        ]
        answers: list[httpx.Response] = []
        body = {"items": items}
        batch = threading.Thread(
            target=lambda: answers.append(httpx.post(f"{server_url}/price", json=body, timeout=120, trust_env=False))
        )
        began = time.monotonic()
        batch.start()
        healthy = 0
        while batch.is_alive():
            healthy += client.get("/health").status_code == 200
            time.sleep(0.01)
        took = time.monotonic() - began
    assert answers[0].status_code == 200 and len(answers[0].json()["rewards"]) == 512
    assert healthy > 3, f"{healthy} health checks answered during a batch of {took:.1f} s"


def test_a_refusal_reaches_the_caller_with_its_field_and_fix(server_url: str) -> None:
    with PriceClient(server_url) as client, pytest.raises(PolyGuardError, match="prefix"):
        client.price([PriceItem(scenario_id=SCENARIO, prefix=["fly"], actions=["finish"])])


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nonsense"])
def test_an_unreachable_server_names_the_fix(url: str) -> None:
    with PriceClient(url) as client, pytest.raises(PolyGuardError, match="make serve"):
        client.price([PriceItem(scenario_id=SCENARIO, actions=["finish"])])
