"""The batched engine: the same bytes at any split of the work, rewards in bounds."""

from __future__ import annotations

import numpy as np
import pytest

from polyguard_env.engine import Engine, engine_of
from polyguard_env.environment.scenarios import SUB_ENVIRONMENTS, make_id, scenario_factory
from polyguard_env.knowledge.base import KnowledgeBase

DIFFICULTIES = ("easy", "medium", "hard")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return engine_of(KnowledgeBase.default())


@pytest.fixture(scope="module")
def scenarios() -> list:  # type: ignore[type-arg]
    factory = scenario_factory(KnowledgeBase.default())
    return [
        factory.find(make_id("train", name, difficulty, number))
        for name in SUB_ENVIRONMENTS
        for difficulty in DIFFICULTIES
        for number in range(4)
    ]


def test_batches_do_not_depend_on_how_the_work_is_split(engine: Engine, scenarios: list) -> None:  # type: ignore[type-arg]
    records = engine.pack_all(scenarios)
    runs = []
    for threads in (1, 2):
        batch = engine.batch(records, len(scenarios), threads)
        batch.reset(np.arange(len(scenarios)), np.arange(len(scenarios)))
        rewards = []
        while not batch.done.all():
            choices = (np.arange(len(scenarios)) * 7 + len(rewards)) % np.maximum(batch.states["candidates"], 1)
            rewards.append(batch.step(choices).copy())
        runs.append(np.array(rewards))
    assert np.array_equal(runs[0], runs[1], equal_nan=True)
    paid = runs[0][~np.isnan(runs[0])]
    assert paid.min() > 0.001 and paid.max() < 0.999


def test_the_best_candidate_is_paid_best(engine: Engine, scenarios: list) -> None:  # type: ignore[type-arg]
    batch = engine.batch(engine.pack_all(scenarios), len(scenarios))
    batch.reset(np.arange(len(scenarios)), np.zeros(len(scenarios)))
    best = batch.step(batch.states["best"].copy(), np.ones(len(scenarios)))
    assert np.nanmin(best) > 0.8


def test_an_answer_that_names_no_candidate_is_paid_a_sliver(engine: Engine, scenarios: list) -> None:  # type: ignore[type-arg]
    batch = engine.batch(engine.pack_all(scenarios), len(scenarios))
    batch.reset(np.arange(len(scenarios)), np.zeros(len(scenarios)))
    assert batch.step(np.full(len(scenarios), -1)).max() < 0.02
