"""Why the reward can be trusted: ordering of policies, exact search, no leaks, order does not matter."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from polyguard_env.engine.episode import Episode
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import ActionType, PolyGuardAction
from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS, make_id
from polyguard_env.environment.splits import SPLITS, pair_split
from polyguard_env.policies import POLICIES
from polyguard_env.policies.policy import Policy
from polyguard_env.rollouts import run_episodes, summarise

EPISODES = 40
# Forty episodes leave these two within each other's interval, so that a new rule could swap them by the draw alone.
CHEAP, MORE_EPISODES = ("random_legal", "no_change"), 200
MARGIN = 0.05
LADDER = ("oracle", "rule_based", "random_legal")


@functools.cache
def played(sub_environment: str, difficulty: str, policy: str) -> pd.DataFrame:
    env = PolyGuardEnv()
    episodes = MORE_EPISODES if policy in CHEAP else EPISODES
    ids = [make_id("holdout", sub_environment, difficulty, number) for number in range(episodes)]
    return run_episodes(env, POLICIES[policy](), ids, seed=11)


@pytest.mark.parametrize("sub_environment", SUB_ENVIRONMENTS)
@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_oracle_over_rules_over_random_over_no_change(sub_environment: str, difficulty: str) -> None:
    means = {name: summarise(played(sub_environment, difficulty, name)) for name in (*LADDER, "no_change")}
    assert means["oracle"]["reward"] > 0.95
    assert means["oracle"]["ci"][0] > means["rule_based"]["ci"][1]
    assert means["rule_based"]["reward"] > means["random_legal"]["reward"] + MARGIN
    assert means["random_legal"]["reward"] > means["no_change"]["reward"]
    assert means["oracle"]["severe_harm"] < means["no_change"]["severe_harm"]
    assert all(summary["at_bound"] == 0.0 for summary in means.values())


def test_random_moves_are_paid_more_than_none() -> None:
    """Over all sub-environments and difficulties, each weighed alike."""
    gaps = [
        summarise(played(sub_environment, difficulty, "random_legal"))["reward"]
        - summarise(played(sub_environment, difficulty, "no_change"))["reward"]
        for sub_environment in SUB_ENVIRONMENTS
        for difficulty in DIFFICULTIES
    ]
    assert np.mean(gaps) > MARGIN


@pytest.mark.parametrize(
    "scenario", ["train-DDI-easy-000007", "train-REGIMEN_RISK-easy-000003", "validation-DDI-medium-000002"]
)
def test_the_oracle_reaches_what_exhaustive_search_finds(env: PolyGuardEnv, scenario: str) -> None:
    def best_from(saved: dict[str, Any]) -> float:
        observation = env.set_state(saved)
        best = 0.0
        for candidate in observation.candidates:
            env.set_state(saved)
            after = env.step(PolyGuardAction(candidate_id=candidate.candidate_id, confidence=1.0))
            best = max(best, env.episode_reward() if after.done else best_from(env.get_state()))
        return best

    observation = env.reset(seed=4, scenario_id=scenario)
    exact = best_from(env.get_state())
    observation = env.reset(seed=4, scenario_id=scenario)
    while not observation.done:
        choice = POLICIES["oracle"]().choose(env, observation)
        observation = env.step(PolyGuardAction(candidate_id=choice.candidate_id, confidence=1.0))
    assert env.episode_reward() == pytest.approx(exact, abs=0.02)


class Stubborn(Policy):
    """An adversary that always takes the first candidate of one kind, else malforms its answer."""

    def __init__(self, kind: ActionType | None) -> None:
        self.kind, self.name = kind, f"always_{kind}"

    def choose(self, env: PolyGuardEnv, observation: Any) -> PolyGuardAction:
        found = [c for c in observation.candidates if c.action_type is self.kind]
        return PolyGuardAction(candidate_id=found[0].candidate_id if found else "c0", confidence=1.0)


@pytest.mark.parametrize(
    "kind",
    [None, ActionType.FINISH, ActionType.KEEP_REGIMEN, ActionType.REQUEST_SPECIALIST_REVIEW, ActionType.INCREASE_DOSE],
)
def test_degenerate_policies_stay_below_random(env: PolyGuardEnv, kind: ActionType | None) -> None:
    for sub_environment in SUB_ENVIRONMENTS:
        ids = [make_id("holdout", sub_environment, "medium", number) for number in range(EPISODES)]
        stubborn = summarise(run_episodes(env, Stubborn(kind), ids, seed=11))
        assert stubborn["reward"] < summarise(played(sub_environment, "medium", "random_legal"))["reward"]


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_every_reachable_interaction_belongs_to_the_split(env: PolyGuardEnv, split: str, difficulty: str) -> None:
    for sub_environment in SUB_ENVIRONMENTS:
        for number in range(15):
            env.reset(seed=number, scenario_id=make_id(split, sub_environment, difficulty, number))
            begun, regimens = env.get_state(), [set(env.state.regimen)]
            for candidate_id in env.legal_candidate_ids():
                env.set_state(begun)
                env.step(PolyGuardAction(candidate_id=candidate_id))
                regimens.append(set(env.state.regimen))
            for drugs in regimens:
                found = {pair_split(a, b, env.index) for a in drugs for b in drugs if a < b}
                assert found <= {None, split}


def test_place_id_and_length_of_a_candidate_tell_nothing(env: PolyGuardEnv) -> None:
    """The best candidate is not found by its place, its id or the length of its text."""
    hits: Counter[str] = Counter()
    expected = trials = 0.0
    for number in range(320):
        sub_environment = SUB_ENVIRONMENTS[number % len(SUB_ENVIRONMENTS)]
        observation = env.reset(seed=number, scenario_id=make_id("train", sub_environment, "medium", number))
        prices = env.price()
        best = max(prices, key=lambda key: prices[key])
        ids = [c.candidate_id for c in observation.candidates]
        guesses = {
            "first": ids[0],
            "last": ids[-1],
            "lowest_id": min(ids),
            "longest": max(observation.candidates, key=lambda c: (len(c.text), c.text)).candidate_id,
            "shortest": min(observation.candidates, key=lambda c: (len(c.text), c.text)).candidate_id,
        }
        hits.update(name for name, guess in guesses.items() if guess == best)
        expected += 1 / len(ids)
        trials += 1
    slack = 3.0 * np.sqrt(trials * 0.2 * 0.8)
    assert {name: count for name, count in hits.items() if count > expected + slack} == {}


def test_regimen_order_does_not_matter(env: PolyGuardEnv) -> None:
    env.reset(seed=0, scenario_id="train-DDI-hard-000005")
    scenario = env.scenario
    flipped = replace(scenario, patient=scenario.patient.with_regimen(scenario.patient.regimen[::-1]))
    totals = []
    for posed in (scenario, flipped):
        episode = Episode(env.engine)
        episode.begin(posed, 0)
        totals.append(sum(float(episode.state[part]) for part in ("safety", "dosing", "burden", "disease")))
    assert totals[0] == pytest.approx(totals[1], abs=1e-12)
