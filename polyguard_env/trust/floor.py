"""Attacks near the floor, measured again: few scenarios do not tell 0.01 above it from 0.03, many fresh ones do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from math import sqrt
from typing import Any

import pandas as pd

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.policies import POLICIES
from polyguard_env.trust.acceptance import ABOVE_FLOOR, Violation, beyond_chance, does_blind_good
from polyguard_env.trust.attacks import NAMES, panel
from polyguard_env.trust.measure import Plan, play_panel

FLOOR = "no_change"
LINE = "canary_floor"


@dataclass(frozen=True, slots=True)
class AboveFloor:
    """What an attack is paid more than doing nothing on the same scenarios.

    Attributes:
        scenarios: how many, none of them among those that singled the attack out.
        difference: mean of the paired differences of episode rewards. ci: its 95% interval (Student's t).
    """

    sub_environment: str
    difficulty: str
    policy: str
    scenarios: int
    difference: float
    ci: tuple[float, float]

    def violation(self) -> Violation | None:
        """The broken line, None where the attack keeps to it."""
        excess = self.difference - ABOVE_FLOOR
        if excess <= 0.0:
            return None
        error = (self.ci[1] - self.difference) / spread(self.scenarios)
        certain = self.scenarios > 1 and excess > beyond_chance(self.scenarios) * error
        return Violation(LINE, self.sub_environment, self.difficulty, self.policy, excess, certain)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"ci": list(self.ci)}


@lru_cache(maxsize=64)
def spread(scenarios: int) -> float:
    """Standard errors from a mean over so many scenarios to an end of its 95% interval; 1 for a single one."""
    from scipy.stats import t

    return float(t.ppf(0.975, scenarios - 1)) if scenarios > 1 else 1.0


def compared(episodes: pd.DataFrame, names: Sequence[str]) -> list[AboveFloor]:
    """Each attack against doing nothing, in one cell's episodes."""
    rewards = episodes.pivot(index="scenario_id", columns="policy", values="reward")
    cell = str(episodes["sub_environment"].iloc[0]), str(episodes["difficulty"].iloc[0])
    found = []
    for name in names:
        paired = rewards[name] - rewards[FLOOR]
        mean, n = float(paired.mean()), len(paired)
        half = spread(n) * float(paired.std()) / sqrt(n) if n > 1 else 0.0
        found.append(AboveFloor(*cell, name, n, mean, (mean - half, mean + half)))
    return found


def near(episodes: pd.DataFrame) -> list[str]:
    """Attacks without blind good whose interval reaches over the line, in one cell's episodes."""
    sub_environment, played = str(episodes["sub_environment"].iloc[0]), set(episodes["policy"])
    held = [name for name in NAMES if name in played and not does_blind_good(name, sub_environment)]
    return [one.policy for one in compared(episodes, held) if one.ci[1] > ABOVE_FLOOR]


def measured_again(env: PolyGuardEnv, plan: Plan, episodes: pd.DataFrame, scenarios: int) -> list[AboveFloor]:
    """The attacks of `near` on fresh scenarios of their cell, highest first.

    Args:
        plan: what `episodes` are of. scenarios: how many more are played; 0 for none.
    """
    names = near(episodes) if scenarios else []
    if not names:
        return []
    cell = str(episodes["sub_environment"].iloc[0]), str(episodes["difficulty"].iloc[0])
    fresh = replace(
        plan, scenarios=scenarios, first=plan.first + plan.scenarios, sub_environments=cell[:1], difficulties=cell[1:]
    )
    makers = panel()
    played = play_panel(env, fresh, {FLOOR: POLICIES[FLOOR], **{name: makers[name] for name in names}})
    return sorted(compared(played, names), key=lambda one: -one.difference)


def settled(broken: Sequence[Violation], again: Sequence[AboveFloor]) -> list[Violation]:
    """Broken lines, those of attacks that were measured again by that measurement."""
    told = {one.policy for one in again}
    kept = [found for found in broken if found.line != LINE or found.policy not in told]
    return kept + [found for one in again if (found := one.violation())]
