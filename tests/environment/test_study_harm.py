"""Harm of a study of combinations: what was not found is prescribed, at the hazard of its severity."""

from __future__ import annotations

import pytest

from polyguard_env.engine.parameters import DEFAULTS
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import ActionType, PolyGuardAction
from polyguard_env.environment.scenarios import make_id
from polyguard_env.risk.danger import dangerous


def test_each_combination_left_strikes_by_its_severity(env: PolyGuardEnv) -> None:
    severities: set[str] = set()
    for number in range(60):
        observation = env.reset(seed=0, scenario_id=make_id("train", "BANDIT_MINING", "hard", number))
        left = [finding.severity for finding in dangerous(env.scenario.combinations, env.index)]
        severities |= set(left)
        finish = next(c for c in observation.candidates if c.action_type is ActionType.FINISH)
        env.step(PolyGuardAction(candidate_id=finish.candidate_id))
        expected = sum(DEFAULTS[f"hazard_{severity}"] for severity in left)
        assert list(env.hazard) == pytest.approx([expected, expected])
    assert severities == {"major", "contraindicated"}
