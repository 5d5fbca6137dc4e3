"""What GRPO gets to learn from: how often all answers of a group are paid alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.rollouts import wilson_interval
from polyguard_env.trust.measure import Plan

GROUP = 8
ALIKE = 1e-6


def group_spread(env: PolyGuardEnv, plan: Plan, seed: int = 0) -> dict[str, Any]:
    """Spread of rewards in groups at first decisions.

    Returns:
        `candidates`: the share of decisions where all candidates are paid alike; `sampled`: the share of groups of
        `GROUP` answers drawn uniformly among the legal candidates that are; each with a 95% Wilson interval; and the
        mean standard deviation within a sampled group.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    decisions = alike = flat = 0
    spreads: list[float] = []
    for sub_environment, difficulty in plan.cells():
        for scenario_id in plan.ids(sub_environment, difficulty):
            env.reset(seed=plan.seed, scenario_id=scenario_id)
            prices = env.price()
            legal = np.array([prices[name] for name in env.legal_candidate_ids()])
            drawn = legal[rng.integers(len(legal), size=GROUP)]
            decisions += 1
            alike += bool(np.ptp(np.array(list(prices.values()))) < ALIKE)
            flat += bool(np.ptp(drawn) < ALIKE)
            spreads.append(float(drawn.std()))
    return {
        "decisions": decisions,
        "candidates": {"value": alike / decisions, "ci": list(wilson_interval(alike, decisions))},
        "sampled": {"value": flat / decisions, "ci": list(wilson_interval(flat, decisions))},
        "group_size": GROUP,
        "mean_group_std": float(np.mean(spreads)),
    }
