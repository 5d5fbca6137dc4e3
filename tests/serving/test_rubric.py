"""The rubric tree says what the reward says."""

from __future__ import annotations

import pytest
from openenv.core import Action, Observation, State

from polyguard_env.reward.columns import CHANNELS, COLUMNS
from polyguard_serving.environment import EnvironmentAction as PolyGuardAction
from polyguard_serving.environment import EnvironmentObservation as PolyGuardObservation
from polyguard_serving.environment import EnvironmentState as PolyGuardState
from polyguard_serving.environment import PolyGuardEnvironment
from polyguard_serving.types import ServedAction, ServedObservation


@pytest.mark.parametrize("sub_environment", ["DDI", "REGIMEN_RISK", "LONGITUDINAL_DEPRESCRIBING"])
def test_the_tree_equals_the_reward_for_every_candidate_and_a_malformed_answer(sub_environment: str) -> None:
    environment = PolyGuardEnvironment()
    legal = set()
    for seed in range(4):
        started = environment.reset(seed=seed, difficulty="hard", sub_environment=sub_environment)
        actions = [ServedAction(candidate_id=c.candidate_id, confidence=0.8) for c in started.candidates]
        for action in [*actions, ServedAction(text="nonsense")]:
            environment.reset(seed=seed, difficulty="hard", sub_environment=sub_environment)
            observation = environment.step(action)
            legal.add(observation.info["legal"])
            rubric = environment.rubric
            assert rubric is not None and rubric.last_score == pytest.approx(observation.reward, abs=1e-12)
            for channel, value in observation.channels.items():
                assert rubric.get_rubric(f"channels.{channel}").last_score == pytest.approx(value, abs=1e-12)
    assert legal == {True, False}


def test_every_column_is_a_named_leaf_of_its_channel() -> None:
    rubric = PolyGuardEnvironment().rubric
    assert rubric is not None
    names = {name for name, _ in rubric.named_rubrics()}
    assert {f"channels.{channel}.{column}" for channel, columns in CHANNELS.items() for column in columns} <= names
    assert sum(name.count(".") == 2 for name in names) == len(COLUMNS) == 13


def test_bonuses_need_legality() -> None:
    environment = PolyGuardEnvironment()
    environment.reset(seed=1)
    observation = environment.step(ServedAction(text="nonsense"))
    assert environment.rubric is not None
    # Were the verifier ever to leave a bonus on an illegal action, the tree would not pay it; conduct is no bonus.
    forged = observation.model_copy(update={"columns": dict.fromkeys(COLUMNS, 1.0) | {"legality_score": 0.0}})
    assert environment.rubric(None, forged) == pytest.approx(0.001 + 0.998 * 0.22)


def test_what_travels_is_openenvs_too() -> None:
    for served, base in ((PolyGuardAction, Action), (PolyGuardObservation, Observation), (PolyGuardState, State)):
        assert issubclass(served, base)
    for served, plain in ((PolyGuardAction, ServedAction), (PolyGuardObservation, ServedObservation)):
        assert set(served.model_fields) == set(plain.model_fields)
