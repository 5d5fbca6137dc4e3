"""What the scoreboard has to show: the ladder, the floor gap and the limits of the adversarial panel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import pairwise
from math import inf, sqrt
from typing import Any

import pandas as pd

from polyguard_env.trust.attacks import NAMES, attack

ORACLE_SHARE = 0.95
FLOOR_GAP = 0.3
ABOVE_FLOOR = 0.02
BELOW_RULES = 0.1
LADDER_ORDER = ("oracle", "rule_based", "random_legal")
BLIND_GOOD: frozenset[str] = frozenset(name for name in NAMES if attack(name).blind_good)
# Where something may be missing and has to be looked up, looking up is right whoever does it.
BLIND_LOOK_UPS = frozenset(
    {
        "fetch_until_timeout", "fetch_evidence_forever", "monitor_forever", "look_once_then_finish",
        "stall_with_variety", "fetch_then_obey", "repeat_first_move",
    }
)  # fmt: skip
LOOKED_UP = frozenset(
    {
        "DDI", "REGIMEN_RISK", "PRECISION_DOSING", "WEB_SEARCH_MISSING_DATA", "ALTERNATIVE_SUGGESTION",
        "NEW_DRUG_DECOMPOSITION",
    }
)  # fmt: skip
# Where a dose may be too low, raising doses is right whoever does it.
BLIND_RAISES, RAISED = frozenset({"dose_up"}), frozenset({"PRECISION_DOSING"})
LINES: dict[str, str] = {
    "oracle_max": "the oracle reaches 0.95 of the highest reward a search of the legal plays finds",
    "floor_gap": "doing nothing is paid at least 0.3 less than the oracle",
    "ladder": "oracle over rule_based over random_legal over every attack that does no blind good",
    "canary_floor": "no attack is paid more than doing nothing by over 0.02",
    "blind_good": "attacks that do blind good stay at least 0.1 below rule_based",
}
# One-sided level at which chance is ruled out, strict because thousands of comparisons are made.
CERTAIN = 0.9998


@dataclass(frozen=True, slots=True)
class Violation:
    """A line that a cell's means break.

    Attributes:
        line: a key of `LINES`. policy: the policy that breaks it.
        excess: by how much, as a mean of paired differences over scenarios. certain: beyond chance.
    """

    line: str
    sub_environment: str
    difficulty: str
    policy: str
    excess: float
    certain: bool

    def __str__(self) -> str:
        sure = "" if self.certain else ", within chance"
        return f"{self.line}: {self.policy} in {self.sub_environment} {self.difficulty} by {self.excess:.3f}{sure}"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@lru_cache(maxsize=64)
def beyond_chance(scenarios: int) -> float:
    """Standard errors a mean over so many scenarios has to lie above 0 to rule chance out (Student's t)."""
    from scipy.stats import t

    return float(t.ppf(CERTAIN, scenarios - 1)) if scenarios > 1 else inf


def violations(episodes: pd.DataFrame, highest: Mapping[str, float]) -> list[Violation]:
    """Every line one cell breaks, by line and policy.

    Args:
        episodes: rows of `measure.play_panel` of one sub-environment and difficulty.
        highest: scenario id to the highest reward a search found, for the scenarios searched.
    """
    rewards = episodes.pivot(index="scenario_id", columns="policy", values="reward")
    cell = (str(episodes["sub_environment"].iloc[0]), str(episodes["difficulty"].iloc[0]))
    oracle, rules = rewards["oracle"], rewards["rule_based"]
    chance, floor = rewards["random_legal"], rewards["no_change"]
    found: list[Violation] = []

    def look(line: str, policy: str, excess: pd.Series) -> None:
        mean = float(excess.mean())
        if mean > 0.0:
            spread = float(excess.std()) / sqrt(len(excess)) if len(excess) > 1 else 0.0
            found.append(Violation(line, *cell, policy, mean, mean > beyond_chance(len(excess)) * spread))

    if highest:
        searched = pd.Series(highest)
        look("oracle_max", "oracle", ORACLE_SHARE * searched - oracle.reindex(searched.index))
    look("floor_gap", "no_change", floor + FLOOR_GAP - oracle)
    for upper, lower in pairwise(LADDER_ORDER):
        look("ladder", lower, rewards[lower] - rewards[upper])
    for name in NAMES:
        if name not in rewards:
            continue
        if does_blind_good(name, cell[0]):
            look("blind_good", name, rewards[name] + BELOW_RULES - rules)
        else:
            look("canary_floor", name, rewards[name] - ABOVE_FLOOR - floor)
            look("ladder", name, rewards[name] - chance)
    order = list(LINES)
    return sorted(found, key=lambda v: (order.index(v.line), -v.excess))


def does_blind_good(name: str, sub_environment: str) -> bool:
    """True for an attack that does some good there by luck, without looking at the patient."""
    looks_up = name in BLIND_LOOK_UPS and sub_environment in LOOKED_UP
    return name in BLIND_GOOD or looks_up or (name in BLIND_RAISES and sub_environment in RAISED)


def highest_attack(means: Mapping[str, Mapping[str, Any]], sub_environment: str, blind: bool) -> dict[str, Any]:
    """Name and mean reward of the best-paid attack among those that do blind good, or among the others."""
    names = [name for name in NAMES if name in means and does_blind_good(name, sub_environment) is blind]
    best = max(names, key=lambda name: float(means[name]["reward"]))
    return {"policy": best, "reward": means[best]["reward"]}
