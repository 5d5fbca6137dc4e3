"""A rule-based policy: what a prescribing-alert system does with the same observation, no peeking.

It adds up alerts per drug (dangerous role pairs, kidneys, dose ceiling, falls, duplicates) and takes
the option that answers most of them at the least loss of treatment.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import ActionType, Candidate, PolyGuardAction, PolyGuardObservation
from polyguard_env.policies.policy import Policy, answer

GRADED_PAIRS = {"bleeding": 5, "serotonergic": 3, "hyperkalaemia": 4, "bradycardia": 4, "seizure_threshold": 4}
SEDATIVES_ALERT = 0.6
EXPENDABLE = frozenset(
    [
        "insomnia",
        "gerd",
        "allergic_rhinitis",
        "constipation",
        "nausea",
        "vertigo",
        "chronic_pain",
        "osteoarthritis",
        "overactive_bladder",
        "urinary_incontinence",
        "pruritus",
        "anxiety",
        "neuropathic_pain",
        "restless_legs",
        "erectile_dysfunction",
    ]
)
LOW_KIDNEYS = 50
FINISH_SCORE, CHECK_SCORE, ADD_SCORE = 0.3, 0.45, 0.5


class RuleBased(Policy):
    """Scores every candidate by the alerts it answers; finishes when none is left."""

    name = "rule_based"

    def choose(self, env: PolyGuardEnv, observation: PolyGuardObservation) -> PolyGuardAction:
        alerts = alerts_by_drug(observation)
        scores = [self._score(candidate, observation, alerts) for candidate in observation.candidates]
        best = max(range(len(scores)), key=lambda place: (scores[place], observation.candidates[place].text))
        return answer(observation.candidates[best], observation, confidence=0.7)

    def _score(
        self, candidate: Candidate, observation: PolyGuardObservation, alerts: dict[str, dict[str, float]]
    ) -> float:
        kind = candidate.action_type
        if kind is ActionType.FINISH:
            return FINISH_SCORE
        if kind is ActionType.ORDER_MONITORING:
            return CHECK_SCORE if candidate.targets[0] in observation.patient["to_check"] else 0.0
        if kind is ActionType.ADD_DRUG:
            return ADD_SCORE
        entry = next(
            (e for e in observation.regimen if candidate.targets and e["drug_id"] == candidate.targets[0]), None
        )
        if entry is None or kind is ActionType.INCREASE_DOSE:
            return -1.0
        found = alerts[entry["drug_id"]]
        needed = entry["indication"] not in EXPENDABLE | {""}
        if kind is ActionType.REDUCE_DOSE:
            return 0.9 * (found["kidney"] + found["ceiling"])
        total = sum(found.values())
        if kind is ActionType.SUBSTITUTE_DRUG:
            return total * 0.95
        if kind is ActionType.TAPER_DRUG:
            return total * (0.7 if needed else 0.98) + (0.6 if entry["tapering"] else 0.0)
        if "taper" in codes(entry) and not entry["tapering"]:
            return total * 0.2
        return total * (0.45 if needed else 0.9)


def alerts_by_drug(observation: PolyGuardObservation) -> dict[str, dict[str, float]]:
    """Alerts of each drug by kind: pair, kidney, ceiling, falls, duplicate."""
    patient, regimen = observation.patient, observation.regimen
    alerts = {e["drug_id"]: dict.fromkeys(("pair", "kidney", "ceiling", "falls", "duplicate"), 0.0) for e in regimen}
    for one, other in combinations(regimen, 2):
        weight = pair_alert(one, other)
        for entry in (one, other):
            alerts[entry["drug_id"]]["pair"] += weight
            if class_of(one) == class_of(other):
                alerts[entry["drug_id"]]["duplicate"] += 0.5
    for entry in regimen:
        found = alerts[entry["drug_id"]]
        if "renal" in codes(entry) and patient["crcl"] is not None and patient["crcl"] < LOW_KIDNEYS:
            found["kidney"] = 0.6
        if entry["dose"] > ceiling(entry):
            found["ceiling"] = 1.2
        if patient["falls"] and "fall_risk" in codes(entry):
            found["falls"] = 0.8
    return alerts


def pair_alert(one: dict[str, Any], other: dict[str, Any]) -> float:
    """How alarming two drugs' roles are together: 0 to about 2."""
    a, b = codes(one), codes(other)
    weight = 1.0 if a.get("qt") == "QT" == b.get("qt") else 0.0
    for role, least in GRADED_PAIRS.items():
        grades = sorted((grade(a.get(role, "")), grade(b.get(role, ""))))
        if grades[0] >= 1 and sum(grades) >= least:
            weight += 1.0
    if "cns" in a and "cns" in b:
        weight += SEDATIVES_ALERT
    return weight + float(inhibits(a, b) or inhibits(b, a))


def codes(entry: dict[str, Any]) -> dict[str, str]:
    """Role name to compact code of one drug."""
    return {fact["fact_id"].partition("#")[2]: fact["code"] for fact in entry["facts"] if fact["code"]}


def grade(code: str) -> int:
    return int(code[-1]) if code and code[-1].isdigit() else int(bool(code))


def class_of(entry: dict[str, Any]) -> str:
    return str(entry["facts"][0]["text"]) if entry["facts"] else entry["drug_id"]


def ceiling(entry: dict[str, Any]) -> float:
    """The highest daily dose the observation states for a drug."""
    text = next((f["text"] for f in entry["facts"] if f["fact_id"].endswith("#dose")), "")
    return float(text.rpartition(" ")[0].rpartition(" ")[2]) if text else float("inf")


def inhibits(a: dict[str, str], b: dict[str, str]) -> bool:
    """A strong inhibitor or inducer in `a` meets a sensitive substrate in `b`."""
    return any(
        role.endswith(("-inhibitor", "-inducer"))
        and (code.endswith("!") or b.get(f"{role.rpartition('-')[0]}-substrate", "").endswith("!"))
        and f"{role.rpartition('-')[0]}-substrate" in b
        for role, code in a.items()
    )
