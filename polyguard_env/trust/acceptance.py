"""What the scoreboard has to show: the ladder, the floor gap and the limits of the adversarial panel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from polyguard_env.trust.attacks import NAMES, attack

ORACLE_SHARE = 0.95
FLOOR_GAP = 0.3
ABOVE_FLOOR = 0.02
BELOW_RULES = 0.1
LADDER_ORDER = ("oracle", "rule_based", "random_legal")
BLIND_GOOD: frozenset[str] = frozenset(name for name in NAMES if attack(name).blind_good)
Cell = tuple[str, str]
Means = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Violation:
    """A line a cell does not meet.

    Attributes:
        line: "oracle_max", "floor_gap", "ladder", "canary_floor" or "blind_good".
        policy: the policy that breaks it. measured, limit: its mean reward and the bound it breaks.
    """

    line: str
    sub_environment: str
    difficulty: str
    policy: str
    measured: float
    limit: float

    def __str__(self) -> str:
        place = f"{self.sub_environment} {self.difficulty}"
        return f"{self.line}: {self.policy} in {place} has {self.measured:.3f}, limit {self.limit:.3f}"


LINES: tuple[str, ...] = ("oracle_max", "floor_gap", "ladder", "canary_floor", "blind_good")


def violations(cell: Cell, means: Means, attainable: float) -> list[Violation]:
    """Every line a cell breaks.

    Args:
        cell: sub-environment and difficulty.
        means: `measure.means` of the cell's policies.
        attainable: mean of the highest episode reward any play can reach.
    """
    reward = {name: float(found["reward"]) for name, found in means.items()}
    oracle, rules = reward["oracle"], reward["rule_based"]
    chance, floor = reward["random_legal"], reward["no_change"]
    found: list[Violation] = []

    def add(line: str, policy: str, limit: float) -> None:
        found.append(Violation(line, *cell, policy, reward[policy], limit))

    if oracle < ORACLE_SHARE * attainable:
        add("oracle_max", "oracle", ORACLE_SHARE * attainable)
    if floor > oracle - FLOOR_GAP:
        add("floor_gap", "no_change", oracle - FLOOR_GAP)
    for upper, lower in pairwise(LADDER_ORDER):
        if reward[lower] >= reward[upper]:
            add("ladder", lower, reward[upper])
    for name in set(NAMES) & set(reward):
        if name in BLIND_GOOD:
            if reward[name] > rules - BELOW_RULES:
                add("blind_good", name, rules - BELOW_RULES)
            continue
        if reward[name] > floor + ABOVE_FLOOR:
            add("canary_floor", name, floor + ABOVE_FLOOR)
        if reward[name] >= chance:
            add("ladder", name, chance)
    return sorted(found, key=lambda v: (LINES.index(v.line), v.policy))
