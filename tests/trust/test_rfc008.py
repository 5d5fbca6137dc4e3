"""OpenEnv RFC 008, level 3: the tests by the names the RFC gives them, over every sub-environment."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys

import numpy as np
import pytest

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardAction, PolyGuardObservation
from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS, make_id
from polyguard_env.policies import POLICIES
from polyguard_env.policies.policy import Policy
from polyguard_env.trust.acceptance import ORACLE_SHARE, Violation, violations
from polyguard_env.trust.attacks import panel
from polyguard_env.trust.attainable import attainable
from polyguard_env.trust.measure import LADDER, Plan, play_panel

SEED, SCENARIOS = 5, 16
CELLS = [(name, difficulty) for name in SUB_ENVIRONMENTS for difficulty in DIFFICULTIES]
TRACE = """
import sys
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS, make_id
from polyguard_env.policies import POLICIES
env = PolyGuardEnv()
for name in SUB_ENVIRONMENTS:
    for difficulty in DIFFICULTIES:
        observation = env.reset(seed=3, scenario_id=make_id("train", name, difficulty, 2))
        print(observation.model_dump_json())
        while not observation.done:
            observation = env.step(POLICIES["random_legal"](seed=1).choose(env, observation))
            print(observation.model_dump_json())
        print(env.state.model_dump_json())
"""
# Words that would name an answer: none may stand in what an agent is shown.
SECRET = ("oracle", "best_", "optimal", "target_drugs", "control", "hidden", "mechanism", "interaction", "severity")


def trace(env: PolyGuardEnv, policy: Policy, scenario_id: str, seed: int) -> list[str]:
    """Every byte an episode shows, in order."""
    observation = env.reset(seed=seed, scenario_id=scenario_id)
    shown = [observation.model_dump_json()]
    while not observation.done:
        observation = env.step(policy.choose(env, observation))
        shown.append(observation.model_dump_json())
    return shown


def order(observation: PolyGuardObservation) -> list[str]:
    return [candidate.text for candidate in observation.candidates]


@pytest.mark.parametrize(("sub_environment", "difficulty"), CELLS)
def test_seed_control(env: PolyGuardEnv, sub_environment: str, difficulty: str) -> None:
    """The same seed shows the same bytes; other seeds show the same patient under other ids."""
    scenario_id = make_id("train", sub_environment, difficulty, 4)
    same = [env.reset(seed=SEED, scenario_id=scenario_id) for _ in range(2)]
    assert same[0].model_dump_json() == same[1].model_dump_json()
    others = [env.reset(seed=seed, scenario_id=scenario_id) for seed in range(6)]
    assert len({tuple(c.candidate_id for c in seen.candidates) for seen in others}) == 6
    assert len({json.dumps(seen.patient, sort_keys=True) for seen in others}) == 1
    unnamed = {
        env.reset(seed=seed, sub_environment=sub_environment, difficulty=difficulty).scenario_id for seed in range(6)
    }
    assert len(unnamed) == 6


def test_episode_determinism() -> None:
    """Two processes with different hash seeds show the same bytes, in every sub-environment and difficulty."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", TRACE], capture_output=True, check=True, env=os.environ | {"PYTHONHASHSEED": salt}
        )
        for salt in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout
    assert runs[0].stdout.count(b"\n") >= 3 * len(CELLS)


@pytest.mark.parametrize("sub_environment", SUB_ENVIRONMENTS)
def test_episode_isolation(env: PolyGuardEnv, sub_environment: str) -> None:
    """Episodes that run interleaved, or after others, show what they show alone."""
    ids = [make_id("train", sub_environment, difficulty, 3) for difficulty in DIFFICULTIES]
    alone = [trace(env, POLICIES["rule_based"](), scenario_id, SEED) for scenario_id in ids]
    environments = [PolyGuardEnv(env.knowledge) for _ in ids]
    seen = [e.reset(seed=SEED, scenario_id=i) for e, i in zip(environments, ids, strict=True)]
    shown = [[observation.model_dump_json()] for observation in seen]
    while not all(observation.done for observation in seen):
        for place, environment in enumerate(environments):
            if not seen[place].done:
                seen[place] = environment.step(POLICIES["rule_based"]().choose(environment, seen[place]))
                shown[place].append(seen[place].model_dump_json())
    assert shown == alone


def test_the_global_random_state_is_never_touched(env: PolyGuardEnv) -> None:
    random.seed(1)
    np.random.seed(1)
    before, numpy_before = random.getstate(), np.random.get_state(legacy=True)
    for sub_environment, difficulty in CELLS:
        trace(env, POLICIES["random_legal"](), make_id("validation", sub_environment, difficulty, 0), SEED)
        env.reset(seed=SEED, scenario_id=make_id("train", sub_environment, difficulty, 0))
        env.price()
    assert random.getstate() == before
    after = np.random.get_state(legacy=True)
    assert all(np.array_equal(a, b) for a, b in zip(numpy_before, after, strict=True))


@pytest.mark.parametrize(("sub_environment", "difficulty"), CELLS)
def test_oracle_max(env: PolyGuardEnv, sub_environment: str, difficulty: str) -> None:
    """The oracle reaches 0.95 of the highest episode reward that a search of the legal plays finds."""
    scenario_id = make_id("holdout", sub_environment, difficulty, 1)
    highest = attainable(env, scenario_id, SEED).reward
    trace(env, POLICIES["oracle"](), scenario_id, SEED)
    assert env.episode_reward() >= ORACLE_SHARE * highest


CANARIES = ("always_review", "finish_at_once", "fetch_until_timeout", "add_then_remove", "empty_answer",
            "id_action_mismatch", "keyword_stuffing", "stop_everything", "first_candidate")  # fmt: skip


@pytest.fixture(scope="module")
def broken(env: PolyGuardEnv) -> list[Violation]:
    """The lines broken beyond chance by the ladder and some attacks of each family, by cell."""
    policies = {name: POLICIES[name] for name in LADDER} | {name: panel()[name] for name in CANARIES}
    episodes = play_panel(env, Plan(SCENARIOS, seed=SEED), policies)
    cells = [frame for _, frame in episodes.groupby(["sub_environment", "difficulty"], sort=False)]
    assert len(cells) == len(CELLS)
    return [found for frame in cells for found in violations(frame, {}) if found.certain]


def test_floor_gap(broken: list[Violation]) -> None:
    """Doing nothing is paid at least 0.3 less than the oracle, and the ladder stands."""
    assert [str(v) for v in broken if v.line in ("floor_gap", "ladder")] == []


def test_canary_floor(broken: list[Violation]) -> None:
    """No attack is paid more than doing nothing by 0.02; those that do blind good stay 0.1 below rule_based."""
    assert [str(v) for v in broken if v.line in ("canary_floor", "blind_good")] == []


@pytest.mark.parametrize(("sub_environment", "difficulty"), CELLS)
def test_no_solution_leakage(env: PolyGuardEnv, sub_environment: str, difficulty: str) -> None:
    """What is shown names neither the answer, nor the problem's drugs, nor what is hidden or legal."""
    observation = env.reset(seed=SEED, scenario_id=make_id("train", sub_environment, difficulty, 6))
    first = observation.model_dump()
    assert first["reward"] is None and first["columns"] == {} and first["channels"] == {}
    assert "legal" not in first["info"]
    for shown in (observation, env.state):
        names = set(keys_of(shown.model_dump()))
        assert {name for name in names if any(word in name.lower() for word in SECRET)} == set()
    state = set(env.state.model_dump())
    observation = env.step(POLICIES["no_change"]().choose(env, observation))
    names = set(keys_of(observation.model_dump()))
    assert {name for name in names if any(word in name.lower() for word in SECRET)} == set()
    assert set(env.state.model_dump()) == state


def keys_of(value: object) -> list[str]:
    """Every key of nested data."""
    if isinstance(value, dict):
        return [str(key) for key in value] + [key for held in value.values() for key in keys_of(held)]
    if isinstance(value, list):
        return [key for held in value for key in keys_of(held)]
    return []


@pytest.mark.parametrize(("sub_environment", "difficulty"), CELLS)
def test_verifier_determinism(env: PolyGuardEnv, sub_environment: str, difficulty: str) -> None:
    """Pricing twice, in another environment, or by stepping, gives the same number."""
    scenario_id = make_id("validation", sub_environment, difficulty, 5)
    env.reset(seed=SEED, scenario_id=scenario_id)
    prices, saved = env.price(), env.get_state()
    assert env.price() == prices
    other = PolyGuardEnv(env.knowledge)
    other.set_state(saved)
    assert other.price() == prices
    for candidate_id, price in prices.items():
        other.set_state(saved)
        taken = other.step(PolyGuardAction(candidate_id=candidate_id, confidence=1.0))
        assert taken.reward == pytest.approx(price, abs=1e-12)
    assert env.get_state() == saved


@pytest.mark.parametrize(("sub_environment", "difficulty"), CELLS)
def test_replayability(env: PolyGuardEnv, sub_environment: str, difficulty: str) -> None:
    """The recorded actions, played again from the id and seed alone, show the same bytes; so does a checkpoint."""
    scenario_id = make_id("train", sub_environment, difficulty, 7)
    observation = env.reset(seed=SEED, scenario_id=scenario_id)
    shown, actions, saved = [observation.model_dump_json()], [], [json.dumps(env.get_state())]
    while not observation.done:
        actions.append(POLICIES["random_legal"](seed=2).choose(env, observation))
        observation = env.step(actions[-1])
        shown.append(observation.model_dump_json())
        if not observation.done:
            saved.append(json.dumps(env.get_state()))
    again = PolyGuardEnv(env.knowledge)
    replayed = [again.reset(seed=SEED, scenario_id=scenario_id).model_dump_json()]
    replayed += [
        again.step(PolyGuardAction.model_validate_json(a.model_dump_json())).model_dump_json() for a in actions
    ]
    assert replayed == shown
    middle = len(saved) - 1
    again.set_state(json.loads(saved[middle]))
    rest = [again.step(action).model_dump_json() for action in actions[middle:]]
    assert rest == shown[middle + 1 :]
