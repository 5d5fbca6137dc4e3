"""Whether the reward means safety: rank correlation of episode reward with simulated harm avoided.

Harm is what the environment simulates apart from the reward: seeded events while findings stand and treatment is
missing, with a 90-day follow-up, under common random numbers. Each policy plays each scenario under the same seeds, and
events are averaged over them. A policy's events avoided are those of the policy that does nothing less its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import pandas as pd

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardAction, PolyGuardObservation
from polyguard_env.policies import POLICIES
from polyguard_env.policies.baselines import RandomLegal
from polyguard_env.policies.policy import Policy
from polyguard_env.trust.attacks import attack
from polyguard_env.trust.measure import Plan, play

REFERENCE = "no_change"
REFERENCES = ("oracle", "rule_based", "random_legal", REFERENCE)
BLENDS = (0.25, 0.5, 0.75)
# Attacks that answer readably and play legal moves: what is paid low for its form alone says nothing about harm.
PLAYERS = ("finish_at_once", "stop_everything", "swap_everything", "taper_everything")


class WorstLegal(Policy):
    """Takes the legal candidate with the lowest price: the other end of the scale."""

    name, privileged = "worst_legal", True

    def choose(self, env: PolyGuardEnv, observation: PolyGuardObservation) -> PolyGuardAction:
        prices = env.price()
        return PolyGuardAction(
            candidate_id=min(env.legal_candidate_ids(), key=lambda c: (prices[c], c)), confidence=0.5
        )


class Blend(Policy):
    """The oracle with a share of its moves drawn at random among the legal ones: a graded competence."""

    privileged = True

    def __init__(self, share: float) -> None:
        self.share, self.name = share, f"oracle_{share:.0%}_random"
        self._oracle, self._random = POLICIES["oracle"](), RandomLegal(seed=17)

    def choose(self, env: PolyGuardEnv, observation: PolyGuardObservation) -> PolyGuardAction:
        key = f"{self.name}|{observation.episode_id}|{observation.steps_left}"
        draw = int.from_bytes(blake2b(key.encode(), digest_size=8, person=b"blend").digest(), "big") / 2**64
        return (self._random if draw < self.share else self._oracle).choose(env, observation)


def mix() -> list[Policy]:
    """The policies whose harm is compared."""
    blends: list[Policy] = [Blend(share) for share in BLENDS]
    return [*(POLICIES[name]() for name in REFERENCES), *blends, WorstLegal(), *(attack(name) for name in PLAYERS)]


def simulate(env: PolyGuardEnv, plan: Plan, seeds: int) -> pd.DataFrame:
    """Mean reward and events of each policy on each scenario, over `seeds` seeds.

    Returns:
        One row per policy and scenario: policy, sub_environment, difficulty, scenario_id, reward, harm, avoided.
    """
    rows: list[dict[str, Any]] = []
    for sub_environment, difficulty in plan.cells():
        for scenario_id in plan.ids(sub_environment, difficulty):
            for policy in mix():
                played = [play(env, policy, scenario_id, plan.seed + k) for k in range(seeds)]
                rows.append(
                    {
                        "policy": policy.name,
                        "sub_environment": sub_environment,
                        "difficulty": difficulty,
                        "scenario_id": scenario_id,
                        "control": played[0]["control"],
                        "reward": float(np.mean([row["reward"] for row in played])),
                        "harm": float(np.mean([row["events"] for row in played])),
                    }
                )
    frame = pd.DataFrame(rows)
    idle = frame[frame["policy"] == REFERENCE].set_index("scenario_id")["harm"]
    return frame.assign(avoided=frame["scenario_id"].map(idle) - frame["harm"])


def rank_correlation(a: Sequence[float] | pd.Series, b: Sequence[float] | pd.Series) -> float:
    """Spearman's rank correlation, ties at their mean rank; 0 where either does not vary."""
    one, other = pd.Series(list(a)).rank().to_numpy(), pd.Series(list(b)).rank().to_numpy()
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def interval(groups: Sequence[pd.DataFrame], seed: int, samples: int = 500) -> tuple[float, float]:
    """95% bootstrap interval of the pooled correlation, resampling whole scenarios."""
    rng = np.random.Generator(np.random.PCG64(seed))
    found = []
    for _ in range(samples):
        drawn = pd.concat([groups[int(place)] for place in rng.integers(len(groups), size=len(groups))])
        found.append(rank_correlation(drawn["reward"], drawn["avoided"]))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def correlation(frame: pd.DataFrame, seed: int = 0) -> dict[str, Any]:
    """Rank correlation of reward with events avoided, at two levels.

    Returns:
        `policies`: over means of each policy in each sub-environment and difficulty (averaging leaves the policy's
        effect and takes out which scenario was drawn); `episodes`: over single policy-scenario pairs, pooled.
    """
    groups = [group for _, group in frame.groupby("scenario_id", sort=False)]
    cells = frame.groupby(["policy", "sub_environment", "difficulty"])[["reward", "avoided"]].mean()
    return {
        "pairs": len(frame),
        "policies": {"value": rank_correlation(cells["reward"], cells["avoided"]), "points": len(cells)},
        "episodes": {
            "value": rank_correlation(frame["reward"], frame["avoided"]),
            "ci": list(interval(groups, seed)),
        },
    }
