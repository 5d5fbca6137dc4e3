"""A rule-based policy: what a prescribing-alert system does with the same observation, no peeking.

It adds up alerts per drug (dangerous role pairs, kidneys, dose ceiling, falls, duplicates) and takes
the option that answers most of them at the least loss of treatment.
"""

from __future__ import annotations

import csv
from functools import cache
from itertools import combinations
from pathlib import Path
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
# Roles that a condition of the patient makes dangerous, with the least grade that does.
CONDITION_ALERTS = {
    "bleeding": (1, ("gi_bleeding", "peptic_ulcer", "bleeding_disorder", "intracranial_haemorrhage", "anaemia")),
    "acb": (2, ("dementia", "lewy_body_dementia", "delirium", "glaucoma_angle_closure", "urinary_retention", "bph")),
    "cns": (1, ("delirium", "respiratory_failure", "sleep_apnoea", "hip_fracture")),
    "qt": (1, ("long_qt", "ventricular_arrhythmia", "hypokalaemia")),
    "bradycardia": (1, ("bradycardia", "asthma")),
    "hypotension": (2, ("orthostatic_hypotension", "syncope", "aortic_stenosis")),
    "hyperkalaemia": (1, ("hyperkalaemia",)),
    "hyponatraemia": (1, ("hyponatraemia",)),
    "hypoglycaemia": (1, ("hypoglycaemia",)),
    "nephrotoxic": (1, ("ckd", "dialysis", "kidney_transplant")),
    "seizure_threshold": (1, ("epilepsy", "seizure_history")),
}
ALERTS = Path(__file__).with_name("alerts.csv")
LOW_KIDNEYS = 50
FINISH_SCORE, CHECK_SCORE, ADD_SCORE = 0.3, 0.45, 0.5
LOOK_UP_SCORE, DECOMPOSE_SCORE, CHART_SCORE = 0.85, 0.9, 0.5
KINDS_OF_ALERT = ("pair", "kidney", "ceiling", "falls", "duplicate", "condition", "genotype", "too_little")
KIDNEY = frozenset({"creatinine", "crcl", "egfr"})
STARTS = frozenset({ActionType.SUBSTITUTE_DRUG, ActionType.RECOMMEND_ALTERNATIVE, ActionType.ADD_DRUG})
DOSES = frozenset({ActionType.REDUCE_DOSE, ActionType.INCREASE_DOSE})


class RuleBased(Policy):
    """Scores every candidate by the alerts it answers; looks up what is missing; finishes when nothing is left."""

    name = "rule_based"

    def choose(self, env: PolyGuardEnv, observation: PolyGuardObservation) -> PolyGuardAction:
        alerts = alerts_by_drug(observation)
        scores = [self._score(candidate, observation, alerts) for candidate in observation.candidates]
        best = max(range(len(scores)), key=lambda place: (scores[place], observation.candidates[place].text))
        return answer(observation.candidates[best], observation, confidence=0.7)

    def _score(
        self, candidate: Candidate, observation: PolyGuardObservation, alerts: dict[str, dict[str, float]]
    ) -> float:
        kind, targets, patient = candidate.action_type, candidate.targets, observation.patient
        if kind is ActionType.FINISH:
            return FINISH_SCORE
        if kind in (ActionType.ORDER_MONITORING, ActionType.FETCH_EXTERNAL_EVIDENCE, ActionType.DECOMPOSE_NEW_DRUG):
            return look_up_score(candidate, observation)
        if kind is ActionType.TEST_COMBINATION:
            return combination_score(targets, observation)
        if kind in STARTS and (patient["allergies"] is None or targets[-1] in patient["allergies"]):
            return -1.0
        if kind is ActionType.ADD_DRUG:
            return ADD_SCORE
        entry = next((e for e in observation.regimen if targets and e["drug_id"] == targets[0]), None)
        if entry is None or not entry["known"]:
            return -1.0
        found = alerts[entry["drug_id"]]
        if kind in DOSES:
            return dose_score(entry, float(targets[1]), found, observation)
        total = sum(found.values()) - found["too_little"]
        needed = entry["indication"] not in EXPENDABLE | {""}
        if kind in (ActionType.SUBSTITUTE_DRUG, ActionType.RECOMMEND_ALTERNATIVE):
            return total * 0.95
        if kind is ActionType.TAPER_DRUG:
            return total * (0.7 if needed else 0.98) + (0.6 if entry["tapering"] else 0.0)
        if "taper" in codes(entry) and not entry["tapering"]:
            return total * 0.2
        return total * (0.45 if needed else 0.9)


def look_up_score(candidate: Candidate, observation: PolyGuardObservation) -> float:
    """A look-up is worth taking when it shows what is missing, drugs and products before the chart and labs."""
    kind, missing = candidate.action_type, set(observation.patient["to_check"])
    target = candidate.targets[0] if candidate.targets else ""
    if kind is ActionType.DECOMPOSE_NEW_DRUG:
        return DECOMPOSE_SCORE if f"product:{target}" in missing else -0.1
    if kind is ActionType.FETCH_EXTERNAL_EVIDENCE:
        if f"facts:{target}" in missing:
            return LOOK_UP_SCORE
        chart = "allergies" in missing or any(name.startswith("indication:") for name in missing)
        return CHART_SCORE if target == "chart" and chart else -0.1
    if target in missing or (target in KIDNEY and missing & KIDNEY):
        return 1.0 if target in KIDNEY and observation.sub_environment == "PRECISION_DOSING" else CHECK_SCORE
    return 0.0


def combination_score(drugs: list[str], observation: PolyGuardObservation) -> float:
    """A combination is worth a test when roles of two of its drugs alarm together, and it was not tested yet."""
    if any(sorted(item.get("drugs", ())) == sorted(drugs) for item in observation.evidence):
        return -1.0
    entries = [entry for entry in observation.regimen if entry["drug_id"] in drugs]
    worst = max((pair_alert(one, other) for one, other in combinations(entries, 2)), default=0.0)
    return worst if worst > FINISH_SCORE else -0.1


def dose_score(entry: dict[str, Any], dose: float, found: dict[str, float], observation: PolyGuardObservation) -> float:
    """A new dose is worth what it answers: too little, above the maximum, or kidneys that call for less."""
    lowest, highest = dose_range(entry)
    unknown = bool(set(observation.patient["to_check"]) & KIDNEY)
    if unknown and "renal" in codes(entry):
        return -1.0
    if not 0.99 * lowest <= dose <= 1.01 * highest:
        return -0.5 if dose > highest else 0.2 * (found["kidney"] + found["ceiling"])
    if dose > entry["dose"]:
        return found["too_little"] * (1.0 - 0.1 * dose / highest)
    # Down to the ceiling where that is all; further down where the kidneys call for it.
    return found["ceiling"] * (0.8 + 0.2 * dose / highest) + found["kidney"] * (1.0 - 0.2 * dose / highest)


@cache
def class_alerts() -> dict[str, tuple[frozenset[str], float]]:
    """Textbook alerts by class (`alerts.csv`): conditions that speak against it, the clearance (mL/min) it needs."""
    conditions: dict[str, set[str]] = {}
    clearances: dict[str, float] = {}
    with ALERTS.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            if row["alert"] == "condition":
                conditions.setdefault(row["class"], set()).add(row["value"])
            else:
                clearances[row["class"]] = float(row["value"])
    names = {*conditions, *clearances}
    return {name: (frozenset(conditions.get(name, ())), clearances.get(name, 0.0)) for name in names}


def alerts_by_drug(observation: PolyGuardObservation) -> dict[str, dict[str, float]]:
    """Alerts of each drug by kind (see `KINDS_OF_ALERT`)."""
    patient, regimen = observation.patient, observation.regimen
    alerts = {entry["drug_id"]: dict.fromkeys(KINDS_OF_ALERT, 0.0) for entry in regimen}
    for one, other in combinations(regimen, 2):
        weight = pair_alert(one, other)
        for entry in (one, other):
            alerts[entry["drug_id"]]["pair"] += weight
            if class_of(one) == class_of(other):
                alerts[entry["drug_id"]]["duplicate"] += 0.7
    held = set(patient["conditions"])
    for entry in regimen:
        found, own = alerts[entry["drug_id"]], codes(entry)
        against, least = class_alerts().get(class_of(entry), (frozenset(), 0.0))
        if patient["crcl"] is not None:
            low = ("renal" in own and patient["crcl"] < LOW_KIDNEYS) or patient["crcl"] < least
            found["kidney"] = 0.7 if low else 0.0
        lowest, highest = dose_range(entry)
        if entry["dose"] > highest:
            found["ceiling"] = 1.2
        if entry["dose"] < 0.95 * lowest and not entry["tapering"]:
            found["too_little"] = 1.2
        if patient["falls"] and "fall_risk" in own:
            found["falls"] = 0.8
        for role, (least, conditions) in CONDITION_ALERTS.items():
            if grade(own.get(role, "")) >= least and held & set(conditions):
                found["condition"] += 0.8
        if held & against:
            found["condition"] = max(found["condition"], 1.0)
        if any(f"{gene.removeprefix('CYP')}-substrate" in own for gene in patient["genotype"]):
            found["genotype"] = 0.7
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


def dose_range(entry: dict[str, Any]) -> tuple[float, float]:
    """The lowest usual and the highest daily dose the observation states for a drug."""
    stated = {fact["fact_id"].partition("#")[2]: fact["text"] for fact in entry["facts"]}
    return _dose(stated.get("lowest_dose", ""), 0.0), _dose(stated.get("dose", ""), float("inf"))


def _dose(text: str, otherwise: float) -> float:
    """The number before the unit at the end of a text."""
    return float(text.rpartition(" ")[0].rpartition(" ")[2]) if text else otherwise


def inhibits(a: dict[str, str], b: dict[str, str]) -> bool:
    """A strong inhibitor or inducer in `a` meets a sensitive substrate in `b`."""
    return any(
        role.endswith(("-inhibitor", "-inducer"))
        and (code.endswith("!") or b.get(f"{role.rpartition('-')[0]}-substrate", "").endswith("!"))
        and f"{role.rpartition('-')[0]}-substrate" in b
        for role, code in a.items()
    )
