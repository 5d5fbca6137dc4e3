"""Running the panel: every policy on the same scenarios and seeds, one row per episode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS, make_id
from polyguard_env.errors import PolyGuardError
from polyguard_env.policies import POLICIES
from polyguard_env.policies.policy import Policy
from polyguard_env.rollouts import BOUND_TOLERANCE, bootstrap_interval
from polyguard_env.trust.attacks import panel

LADDER: tuple[str, ...] = ("oracle", "rule_based", "random_legal", "no_change")
LOWEST, HIGHEST = 0.001, 0.999
# Reasons of an answer that names no candidate.
NAMELESS = frozenset({"unreadable_answer", "candidate_id_mismatch", "parser_exploit"})


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured.

    Attributes:
        scenarios: episodes per policy, sub-environment and difficulty.
        seed: of candidate order, ids and harm events.
        split: of the scenarios. first: number of the first scenario of each cell.
    """

    scenarios: int
    seed: int = 11
    split: str = "holdout"
    sub_environments: tuple[str, ...] = SUB_ENVIRONMENTS
    difficulties: tuple[str, ...] = DIFFICULTIES
    first: int = 0

    def __post_init__(self) -> None:
        for name in self.difficulties:
            if name not in DIFFICULTIES:
                raise PolyGuardError("difficulties", name, f"use some of {', '.join(DIFFICULTIES)}")
        if self.scenarios < 1:
            raise PolyGuardError("scenarios", self.scenarios, "measure at least 1 scenario per cell")

    def cells(self) -> list[tuple[str, str]]:
        """Sub-environment and difficulty, in order."""
        return [(name, difficulty) for name in self.sub_environments for difficulty in self.difficulties]

    def ids(self, sub_environment: str, difficulty: str) -> list[str]:
        """The scenarios of a cell."""
        return [
            make_id(self.split, sub_environment, difficulty, number)
            for number in range(self.first, self.first + self.scenarios)
        ]


def contestants() -> dict[str, Callable[[], Policy]]:
    """The ladder of reference policies and every attack, by name."""
    makers: dict[str, Callable[[], Policy]] = {name: POLICIES[name] for name in LADDER}
    makers.update(panel())
    return makers


def play(env: PolyGuardEnv, policy: Policy, scenario_id: str, seed: int) -> dict[str, Any]:
    """One episode, as a row: its reward, its steps, how many were legal or at a reward bound, its harm."""
    observation = env.reset(seed=seed, scenario_id=scenario_id)
    rewards: list[float] = []
    named: list[bool] = []
    legal = 0
    while not observation.done:
        observation = env.step(policy.choose(env, observation))
        rewards.append(float(observation.reward or 0.0))
        legal += bool(observation.info["legal"])
        named.append(not NAMELESS & set(observation.info["reasons"]))
    scenario = env.scenario
    bound = [r <= LOWEST + BOUND_TOLERANCE or r >= HIGHEST - BOUND_TOLERANCE for r in rewards]
    return {
        "policy": policy.name,
        "scenario_id": scenario_id,
        "sub_environment": scenario.sub_environment,
        "difficulty": scenario.difficulty,
        "control": scenario.control,
        "seed": seed,
        "reward": float(observation.info["episode_reward"]),
        "steps": len(rewards),
        "legal": legal,
        "at_bound": sum(bound),
        "named": sum(named),
        "named_at_bound": sum(b and n for b, n in zip(bound, named, strict=True)),
        "events": len(observation.info["events"]),
        "hazard": env.hazard[0],
        "severe_harm": any(event["severe"] for event in observation.info["events"]),
    }


def play_panel(
    env: PolyGuardEnv,
    plan: Plan,
    policies: Mapping[str, Callable[[], Policy]] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Every policy on every scenario of the plan, one row per episode.

    Each cell gets fresh policies, so what an attack remembers comes from the cell alone.
    """
    makers = contestants() if policies is None else policies
    rows: list[dict[str, Any]] = []
    cells = plan.cells()
    for place, (sub_environment, difficulty) in enumerate(cells, start=1):
        made = [make() for make in makers.values()]
        for scenario_id in plan.ids(sub_environment, difficulty):
            rows += [play(env, policy, scenario_id, plan.seed) for policy in made]
        if progress:
            progress(place, len(cells))
    return pd.DataFrame.from_records(rows)


def means(episodes: pd.DataFrame, seed: int) -> dict[str, dict[str, Any]]:
    """Mean episode reward of each policy with its 95% bootstrap interval over scenarios, in the order played."""
    found: dict[str, dict[str, Any]] = {}
    for name, frame in episodes.groupby("policy", sort=False):
        rewards = frame["reward"].to_numpy(dtype=float)
        low, high = bootstrap_interval(rewards, seed)
        found[str(name)] = {"reward": float(np.mean(rewards)), "ci": [low, high], "episodes": len(rewards)}
    return found
