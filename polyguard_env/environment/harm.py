"""Harm events: drawn from the episode's seed while findings stand, counted apart from the reward."""

from __future__ import annotations

from hashlib import blake2b
from math import exp
from typing import Any

from polyguard_env.environment.episode import Scenario
from polyguard_env.environment.potential import SEVERITY_WEIGHT, Risk

DRIFT_HAZARD_PER_PRIORITY = 0.12
SEVERE_DRIFT = 2.0
HAZARD_PER_90_DAYS = {"contraindicated": 0.9, "major": 0.45, "moderate": 0.1, "minor": 0.01}
FOLLOW_UP_DAYS = 90


def harm_events(
    risk: Risk, from_day: int, to_day: int, seed: int, scenario: Scenario, final: bool
) -> list[dict[str, Any]]:
    """Events while `risk` stood, and over the follow-up when the episode ends.

    The draw of a finding depends on scenario, seed, day and finding alone, so two policies that
    leave the same finding standing meet the same fate (common random numbers).

    Args:
        risk: the risk after the step's action.
        from_day, to_day: the days the step took.
        final: True at the end of an episode: adds the rest of the 90-day follow-up.
    """
    spans = [(from_day, to_day)]
    if final:
        spans.append((to_day, max(to_day, FOLLOW_UP_DAYS)))
    events = []
    for begin, end in spans:
        if end <= begin:
            continue
        for finding, weight in risk.weights:
            standing = min(1.0, weight / SEVERITY_WEIGHT[finding.severity])
            rate = HAZARD_PER_90_DAYS[finding.severity] * standing * (end - begin) / FOLLOW_UP_DAYS
            if _uniform(scenario.scenario_id, seed, begin, finding.finding_id) < 1.0 - exp(-rate):
                events.append(
                    {
                        "day": end,
                        "finding_id": finding.finding_id,
                        "category": finding.category,
                        "severe": finding.severity in ("major", "contraindicated"),
                    }
                )
        for condition, lost in risk.drift:
            rate = DRIFT_HAZARD_PER_PRIORITY * lost * (end - begin) / FOLLOW_UP_DAYS
            if _uniform(scenario.scenario_id, seed, begin, f"untreated:{condition}") < 1.0 - exp(-rate):
                events.append(
                    {
                        "day": end,
                        "finding_id": f"untreated:{condition}",
                        "category": "untreated",
                        "severe": lost >= SEVERE_DRIFT,
                    }
                )
    return events


def _uniform(scenario_id: str, seed: int, day: int, finding_id: str) -> float:
    text = f"{scenario_id}|{seed}|{day}|{finding_id}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8, person=b"harm").digest(), "big") / 2**64
