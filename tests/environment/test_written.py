"""What `write` gives is the observation, byte for byte, at whatever step and however it was reached."""

from __future__ import annotations

from random import Random

import orjson
import pytest

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardAction
from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS


def observed(env: PolyGuardEnv) -> bytes:
    """The same members, the slow way: the observation made anew by a second environment, dumped by its model."""
    other = PolyGuardEnv()
    seen = other.set_state(env.get_state())
    told = env.observe().model_dump(mode="json")
    for name, value in seen.model_dump(mode="json").items():
        # The verdict on the last step is not part of a checkpoint.
        if name not in ("reward", "columns", "channels", "info"):
            assert value == told[name], name
    return orjson.dumps({name: value for name, value in told.items() if name not in ("done", "reward")})


@pytest.mark.parametrize("sub_environment", SUB_ENVIRONMENTS)
@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_what_is_written_is_what_is_observed(sub_environment: str, difficulty: str) -> None:
    env, rng = PolyGuardEnv(), Random(7)
    for seed in range(6):
        env.start(seed=seed, sub_environment=sub_environment, difficulty=difficulty)
        assert b"{%b}" % env.write() == observed(env)
        while not env.done:
            offered = env.observe().candidates
            named = [{"candidate_id": one.candidate_id} for one in offered] + [{"text": one.text} for one in offered]
            env.act(PolyGuardAction(**rng.choice([*named, {"text": "wait"}])))
            assert b"{%b}" % env.write() == observed(env)


def test_what_a_reader_does_to_an_observation_changes_no_later_one() -> None:
    env = PolyGuardEnv()
    seen = env.reset(seed=3, difficulty="hard")
    before = env.write()
    seen.patient.clear()
    for entry in seen.regimen:
        entry["facts"].clear()
        entry.clear()
    seen.candidates[0].targets.append("warfarin")
    assert env.write() == before
    assert env.observe().model_dump() != seen.model_dump()
