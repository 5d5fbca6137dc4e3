"""Running policies through episodes, and the summary statistics every report uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardAction
from polyguard_env.environment.render import SYSTEM_PROMPT
from polyguard_env.policies.policy import Policy

BOOTSTRAP_SAMPLES = 4000
BOUND_TOLERANCE = 1e-9


class Recording:
    """One episode as it is played, a record per step.

    Attributes:
        observation: the current observation.
        records: the steps so far.
    """

    def __init__(self, env: PolyGuardEnv, policy: str, scenario_id: str, seed: int, prices: bool = False) -> None:
        self.env, self.policy, self.seed, self.prices = env, policy, seed, prices
        self.observation = env.reset(seed=seed, scenario_id=scenario_id)
        self.records: list[dict[str, Any]] = []

    def take(self, action: PolyGuardAction) -> None:
        """Take one action and record the step; the last one carries the episode's outcome."""
        before, scenario = self.observation, self.env.scenario
        priced = self.env.price() if self.prices else {}
        after = self.observation = self.env.step(action)
        chosen = next((c for c in before.candidates if c.candidate_id == action.candidate_id), None)
        if chosen is None:
            chosen = next((c for c in before.candidates if c.text == action.text), None)
        record = {
            "policy": self.policy,
            "scenario_id": scenario.scenario_id,
            "split": scenario.split,
            "sub_environment": scenario.sub_environment,
            "difficulty": scenario.difficulty,
            "mechanism": scenario.mechanism,
            "unseen_mechanism": scenario.unseen_mechanism,
            "patient_id": scenario.patient.patient_id,
            "seed": self.seed,
            "step": len(self.records),
            "system": SYSTEM_PROMPT,
            "prompt": before.text,
            "candidate_texts": [c.text for c in before.candidates],
            "action_text": chosen.text if chosen else action.text,
            "action_type": str(chosen.action_type) if chosen else "",
            "confidence": float("nan") if action.confidence is None else action.confidence,
            "reward": after.reward,
            "legal": bool(after.info["legal"]),
            "reasons": list(after.info["reasons"]),
            "done": after.done,
            "severe_harm": after.done and any(event["severe"] for event in after.info["events"]),
            "episode_reward": after.info["episode_reward"] if after.done else float("nan"),
        }
        record |= after.columns
        if self.prices:
            record["candidate_rewards"] = [priced[c.candidate_id] for c in before.candidates]
        self.records.append(record)


def run_episode(
    env: PolyGuardEnv, policy: Policy, scenario_id: str, seed: int, prices: bool = False
) -> list[dict[str, Any]]:
    """One episode, one record per step.

    Args:
        seed: the environment's seed (candidate order, harm draws).
        prices: also record the price of every candidate (privileged; for corpora).
    """
    recording = Recording(env, policy.name, scenario_id, seed, prices)
    while not recording.observation.done:
        recording.take(policy.choose(env, recording.observation))
    return recording.records


def run_episodes(
    env: PolyGuardEnv,
    policy: Policy,
    scenario_ids: Sequence[str],
    seed: int,
    prices: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Episodes of one policy: a row per step. `progress(done, total)` is called after each episode."""
    records: list[dict[str, Any]] = []
    for place, scenario_id in enumerate(scenario_ids, start=1):
        records += run_episode(env, policy, scenario_id, seed, prices)
        if progress:
            progress(place, len(scenario_ids))
    return pd.DataFrame.from_records(records)


def summarise(steps: pd.DataFrame, seed: int = 0) -> dict[str, Any]:
    """Statistics of one policy's steps.

    Returns:
        reward: mean episode reward; ci: its 95% bootstrap interval over episodes;
        legality: share of legal steps; severe_harm: share of episodes with a severe harm event, each
        with a 95% Wilson interval (`legality_ci`, `severe_harm_ci`); episodes, steps, and the share
        of steps at either reward bound.
    """
    ends = steps[steps["done"]]
    rewards = ends["episode_reward"].to_numpy(dtype=float)
    harmed, legal = int(ends["severe_harm"].sum()), int(steps["legal"].sum())
    step_rewards = steps["reward"].to_numpy(dtype=float)
    at_bound = (step_rewards <= 0.001 + BOUND_TOLERANCE) | (step_rewards >= 0.999 - BOUND_TOLERANCE)
    return {
        "reward": float(rewards.mean()),
        "ci": list(bootstrap_interval(rewards, seed)),
        "legality": legal / len(steps),
        "legality_ci": list(wilson_interval(legal, len(steps))),
        "severe_harm": harmed / len(ends),
        "severe_harm_ci": list(wilson_interval(harmed, len(ends))),
        "episodes": len(ends),
        "steps": len(steps),
        "at_bound": float(at_bound.mean()),
    }


def bootstrap_interval(values: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """95% percentile bootstrap interval of a mean; values has shape (n,)."""
    rng = np.random.Generator(np.random.PCG64(seed))
    means = values[rng.integers(0, len(values), size=(BOOTSTRAP_SAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def paired_difference(a: pd.DataFrame, b: pd.DataFrame, seed: int = 0) -> dict[str, Any]:
    """Mean episode-reward difference a - b on the scenarios both ran, with a 95% bootstrap interval."""
    keys = ["scenario_id", "seed"]
    ends = [frame[frame["done"]].set_index(keys)["episode_reward"] for frame in (a, b)]
    both = pd.concat(ends, axis=1, join="inner", keys=["a", "b"])
    difference = (both["a"] - both["b"]).to_numpy(dtype=float)
    return {
        "difference": float(difference.mean()),
        "ci": list(bootstrap_interval(difference, seed)),
        "episodes": len(difference),
    }


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """95% Wilson interval of a proportion."""
    if trials == 0:
        return 0.0, 1.0
    z, share = 1.959963985, successes / trials
    scale = 1.0 + z * z / trials
    middle = (share + z * z / (2 * trials)) / scale
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def scenario_ids(scenarios: Iterable[Any]) -> list[str]:
    """Ids of scenarios, in order."""
    return [scenario.scenario_id for scenario in scenarios]
