"""Harm events: drawn from the episode's seed while findings stand, counted apart from the reward."""

from __future__ import annotations

from collections.abc import Iterator
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
    events = []
    for begin, end, what, category, severe, rate in standing(risk, from_day, to_day, final):
        if _uniform(scenario.scenario_id, seed, begin, what) < 1.0 - exp(-rate):
            events.append({"day": end, "finding_id": what, "category": category, "severe": severe})
    return events


def expected_harm(risk: Risk, from_day: int, to_day: int, final: bool) -> tuple[float, float]:
    """Hazard of those days before anything is drawn: of all events, and of severe ones."""
    rates = [(rate, severe) for *_, severe, rate in standing(risk, from_day, to_day, final)]
    return sum(rate for rate, _ in rates), sum(rate for rate, severe in rates if severe)


def standing(risk: Risk, from_day: int, to_day: int, final: bool) -> Iterator[tuple[int, int, str, str, bool, float]]:
    """What may strike: from day, to day, finding id, category, whether it is severe, and its hazard over the days."""
    spans = [(from_day, to_day)]
    if final:
        spans.append((to_day, max(to_day, FOLLOW_UP_DAYS)))
    for begin, end in spans:
        if end <= begin:
            continue
        share = (end - begin) / FOLLOW_UP_DAYS
        for finding, weight in risk.weights:
            left = min(1.0, weight / SEVERITY_WEIGHT[finding.severity])
            severe = finding.severity in ("major", "contraindicated")
            rate = HAZARD_PER_90_DAYS[finding.severity] * left * share
            yield begin, end, finding.finding_id, finding.category, severe, rate
        for condition, lost in risk.drift:
            rate = DRIFT_HAZARD_PER_PRIORITY * lost * share
            yield begin, end, f"untreated:{condition}", "untreated", lost >= SEVERE_DRIFT, rate


def _uniform(scenario_id: str, seed: int, day: int, finding_id: str) -> float:
    text = f"{scenario_id}|{seed}|{day}|{finding_id}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8, person=b"harm").digest(), "big") / 2**64
