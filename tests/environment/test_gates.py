"""What gates the bonuses of an action: here, a condition left untreated that a candidate would treat."""

from __future__ import annotations

import pytest

from polyguard_env.engine.parameters import DEFAULTS
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import ActionType, PolyGuardAction
from polyguard_env.environment.scenarios import SUB_ENVIRONMENTS, make_id
from polyguard_env.policies.baselines import RandomLegal

LEAST = 15


def test_leaving_a_condition_untreated_is_gated_like_any_risk(env: PolyGuardEnv) -> None:
    """Where the best candidate only treats a condition, finishing keeps the share that leaving risk keeps."""
    shares: list[float] = []
    for name in SUB_ENVIRONMENTS:
        for number in range(90):
            walker, observation = (
                RandomLegal(number),
                env.reset(seed=1, scenario_id=make_id("train", name, "hard", number)),
            )
            while not observation.done:
                state = env._episode.state
                best = state["candidate"][int(state["best"])]
                finish = next(c for c in observation.candidates if c.action_type is ActionType.FINISH)
                acute = best["safety"] + best["dosing"]
                relief = acute + best["burden"] + best["disease"]
                if best["disease"] >= 2 * DEFAULTS["severe_relief"] <= 2 * relief and acute <= 0.0 == state["debt"]:
                    after = env.step(PolyGuardAction(candidate_id=finish.candidate_id))
                    reasons = after.info["reasons"]
                    kept = after.columns["anti_cheat_score"] * (1 + 3 * len(reasons))
                    shares.append(kept / (DEFAULTS["conduct_gate"] if reasons else 1.0))
                    break
                observation = env.step(walker.choose(env, observation))
    assert len(shares) >= LEAST
    assert shares == pytest.approx([DEFAULTS["unsafe_gate"]] * len(shares))
