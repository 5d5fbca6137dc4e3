"""Whether the reward means safety: rank correlation of episode reward with simulated harm avoided.

Harm is what the environment simulates apart from the reward: events while findings stand and treatment is missing,
with a 90-day follow-up. It is taken as their hazard, integrated over the episode, so that the luck of a draw is no
part of it; each policy plays each scenario under the same seeds, averaged over them. A policy's harm avoided is that
of the policy that does nothing less its own.

Scenarios differ in how much harm there is to avoid, and in a control there is none, so the headline compares policies
within each scenario. The pooled figures, which mix the two, are reported beside it.
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
from polyguard_env.rollouts import bootstrap_interval
from polyguard_env.trust.attacks import attack
from polyguard_env.trust.measure import Plan, play

REFERENCE = "no_change"
REFERENCES = ("oracle", "rule_based", "random_legal", REFERENCE)
LEAST_HARM = 1e-9
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
    """Mean reward and harm of each policy on each scenario, over `seeds` seeds.

    Returns:
        One row per policy and scenario: policy, sub_environment, difficulty, scenario_id, control, reward, harm,
        events, avoided.
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
                        "harm": float(np.mean([row["hazard"] for row in played])),
                        "events": float(np.mean([row["events"] for row in played])),
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


def within(frame: pd.DataFrame) -> np.ndarray:
    """Rank correlation over the policies of each scenario in which harm differs; shape (scenarios,).

    Where every policy meets the same harm (a study without a dangerous combination) there is nothing to rank.
    """
    groups = [group for _, group in frame.groupby("scenario_id", sort=False) if np.ptp(group["avoided"]) > LEAST_HARM]
    return np.array([rank_correlation(group["reward"], group["avoided"]) for group in groups])


def correlation(frame: pd.DataFrame, seed: int = 0) -> dict[str, Any]:
    """Rank correlation of reward with harm avoided.

    Returns:
        `within`: over the policies of one scenario, the mean over scenarios with a 95% bootstrap interval;
        `policies`: over each policy's means; `cells`: over means of each policy in each sub-environment and
        difficulty; `pooled`: over single pairs of policy and scenario; `pooled_problems`: the same without controls.
    """
    values = within(frame)
    low, high = bootstrap_interval(values, seed)
    names = ["policy", "sub_environment", "difficulty"]
    by_policy = frame.groupby("policy")[["reward", "avoided"]].mean()
    by_cell = frame.groupby(names)[["reward", "avoided"]].mean()
    problems = frame[~frame["control"]]
    return {
        "pairs": len(frame),
        "scenarios": len(values),
        "without_harm": int(frame["scenario_id"].nunique()) - len(values),
        "within": {"value": float(values.mean()), "ci": [low, high]},
        "policies": rank_correlation(by_policy["reward"], by_policy["avoided"]),
        "cells": rank_correlation(by_cell["reward"], by_cell["avoided"]),
        "pooled": rank_correlation(frame["reward"], frame["avoided"]),
        "pooled_problems": rank_correlation(problems["reward"], problems["avoided"]),
    }
