"""An episode: reset, step, fork, end; the same seed gives the same bytes in any process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardAction
from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS, make_id
from polyguard_env.errors import PolyGuardError
from polyguard_env.policies import POLICIES

TRACE = """
import sys
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.policies import POLICIES
env = PolyGuardEnv()
for name in ("DDI", "REGIMEN_RISK", "LONGITUDINAL_DEPRESCRIBING"):
    observation = env.reset(seed=3, scenario_id=f"train-{name}-hard-000002")
    print(observation.model_dump_json())
    while not observation.done:
        observation = env.step(POLICIES["random_legal"](seed=1).choose(env, observation))
        print(observation.model_dump_json())
"""


def test_same_seed_gives_same_bytes_in_two_processes() -> None:
    runs = [
        subprocess.run([sys.executable, "-c", TRACE], capture_output=True, check=True, env={"PYTHONHASHSEED": salt})
        for salt in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout
    assert runs[0].stdout.count(b"\n") >= 6


@pytest.mark.parametrize("sub_environment", SUB_ENVIRONMENTS)
@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_an_episode_ends_within_its_budget(env: PolyGuardEnv, sub_environment: str, difficulty: str) -> None:
    observation = env.reset(seed=0, scenario_id=make_id("validation", sub_environment, difficulty, 1))
    budget, steps = observation.steps_left, 0
    while not observation.done:
        observation = env.step(POLICIES["rule_based"]().choose(env, observation))
        steps += 1
    assert 1 <= steps <= budget
    assert "events" in observation.info and 0.001 <= observation.info["episode_reward"] <= 0.999
    with pytest.raises(PolyGuardError, match="reset"):
        env.step(PolyGuardAction(text="finish"))


def test_a_checkpoint_continues_elsewhere_with_the_same_observations(env: PolyGuardEnv) -> None:
    observation = env.reset(seed=5, scenario_id="train-DDI-hard-000003")
    observation = env.step(POLICIES["oracle"]().choose(env, observation))
    saved = json.loads(json.dumps(env.get_state()))
    other = PolyGuardEnv(env.knowledge)
    resumed = other.set_state(saved)
    assert resumed.text == observation.text
    assert [c.candidate_id for c in resumed.candidates] == [c.candidate_id for c in observation.candidates]
    action = POLICIES["oracle"]().choose(env, observation)
    assert env.step(action).model_dump() == other.step(action).model_dump()


def test_a_checkpoint_of_other_knowledge_is_refused(env: PolyGuardEnv) -> None:
    env.reset(seed=5, scenario_id="train-DDI-easy-000003")
    saved = env.get_state() | {"knowledge_fingerprint": "other"}
    with pytest.raises(PolyGuardError, match="knowledge_fingerprint"):
        PolyGuardEnv(env.knowledge).set_state(saved)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("finished", 0), ("chart_known", 1), ("step", True), ("step", 1.0), ("total", "0.5"), ("total", True)],
)
def test_a_checkpoint_takes_no_flag_for_a_number_and_no_number_for_a_flag(
    env: PolyGuardEnv, field: str, wrong: object
) -> None:
    env.reset(seed=5, scenario_id="train-DDI-easy-000003")
    saved = json.loads(json.dumps(env.get_state()))
    saved["state"][field] = wrong
    with pytest.raises(PolyGuardError, match=field):
        PolyGuardEnv(env.knowledge).set_state(saved)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"scenario_id": "train-DDI-easy"}, "scenario_id"),
        ({"scenario_id": "train-DDI-easy-9999999"}, "scenario_id"),
        ({"difficulty": "brutal"}, "difficulty"),
        ({"sub_environment": "ddi"}, "sub_environment"),
        ({"split": "test"}, "split"),
        ({"scenario_id": "train-DDI-easy-" + "9" * 5000}, "scenario_id"),
        ({"seed": -1}, "seed"),
        ({"seed": "7"}, "seed"),
        ({"patient_id": "someone"}, "patient_id"),
    ],
)
def test_bad_reset_arguments_name_the_field(env: PolyGuardEnv, arguments: dict[str, object], field: str) -> None:
    with pytest.raises(PolyGuardError) as raised:
        env.reset(**arguments)  # type: ignore[arg-type]
    assert raised.value.field == field


def test_pricing_changes_nothing(env: PolyGuardEnv) -> None:
    env.reset(seed=2, scenario_id="train-REGIMEN_RISK-medium-000004")
    before = env.get_state()
    prices = env.price()
    assert env.get_state() == before
    for candidate_id, price in prices.items():
        env.set_state(before)
        taken = env.step(PolyGuardAction(candidate_id=candidate_id, confidence=1.0))
        assert taken.reward == pytest.approx(price, abs=1e-12)


def test_interactions_are_not_shown(env: PolyGuardEnv) -> None:
    observation = env.reset(seed=2, scenario_id="train-DDI-easy-000004")
    shown = observation.model_dump_json().lower()
    for word in ("contraindicated", "interaction", "severity", "oracle", "legal"):
        assert word not in shown
