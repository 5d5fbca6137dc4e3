"""Taking candidates by place, without observations, is the same episode."""

from __future__ import annotations

import pytest

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardAction
from polyguard_env.environment.scenarios import SUB_ENVIRONMENTS, make_id
from polyguard_env.errors import PolyGuardError


@pytest.mark.parametrize("name", SUB_ENVIRONMENTS)
def test_advancing_is_stepping_without_observing(name: str) -> None:
    stepped, advanced = PolyGuardEnv(), PolyGuardEnv()
    for number in range(6):
        scenario_id = make_id("train", name, "hard", number)
        seen = stepped.reset(seed=number, scenario_id=scenario_id)
        advanced.reset(seed=number, scenario_id=scenario_id)
        place = 0
        while not seen.done:
            place += 1
            chosen = place % len(seen.candidates)
            seen = stepped.step(PolyGuardAction(candidate_id=seen.candidates[chosen].candidate_id))
            assert advanced.advance(chosen) == (seen.reward, seen.done)
            if place % 2:
                assert advanced.observe() == seen
                assert advanced.legal_candidate_ids() == stepped.legal_candidate_ids() if not seen.done else True
        assert advanced.observe().model_dump_json() == seen.model_dump_json()
        assert advanced.get_state() == stepped.get_state()


def test_a_place_beyond_the_candidates_names_none() -> None:
    env = PolyGuardEnv()
    seen = env.reset(seed=1, scenario_id="train-DDI-hard-000001")
    reward, _ = env.advance(len(seen.candidates))
    assert reward < 0.05
    assert env.observe().info["reasons"] == ["candidate_id_mismatch"]


def test_an_ended_episode_does_not_advance() -> None:
    env = PolyGuardEnv()
    env.reset(seed=1, scenario_id="train-DDI-easy-000001")
    while not env.advance(0)[1]:
        pass
    with pytest.raises(PolyGuardError, match="reset"):
        env.advance(0)
