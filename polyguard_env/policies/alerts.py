"""Textbook alerts, as a prescribing-alert system holds them: by class of drug (`alerts.csv`) and by role, no peeking.

Weights are those of harm: about 1 for a moderate alert, 3 for a major one, 6 for a contraindication.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

from polyguard_env.environment.messages import PolyGuardObservation
from polyguard_env.environment.pool import ILLNESSES

ALERTS = Path(__file__).with_name("alerts.csv")
WEIGHT = {"minor": 0.2, "moderate": 1.0, "major": 3.0, "contraindicated": 6.0}
KINDS = ("pair", "kidney", "ceiling", "falls", "duplicate", "condition", "genotype", "age", "load")
# Least sum of two drugs' grades in a role, and what the two are then worth.
GRADED_PAIRS = {"bleeding": (5, 3.0), "serotonergic": (4, 3.0), "hyperkalaemia": (4, 3.0), "bradycardia": (5, 1.5),
                "seizure_threshold": (4, 1.0), "acb": (5, 2.0)}  # fmt: skip
ONE_SEDATIVE_PAIR = 0.9
ENZYME_PAIR, SENSITIVE_PAIR = 1.0, 2.2
OWN_CLEARANCE, OWN_KIDNEY = 30.0, 0.6
# What a drug alarms that is withheld in acute illness, while the person has one.
ILL = 3.0
LOAD_OF_SEDATIVE, LOAD_OF_ACB, LOAD_OF_DRUG = 0.4, 0.25, 0.05


@dataclass(frozen=True, slots=True)
class ClassAlerts:
    """What is known of a class.

    Attributes:
        conditions, partners: condition or class to weight. avoid, reduce: clearance in mL/min below which the class is
            to be avoided or its dose reduced, and the weight. falls, age: weight in a person who falls, at any age.
    """

    conditions: dict[str, float] = field(default_factory=dict)
    partners: dict[str, float] = field(default_factory=dict)
    avoid: tuple[float, float] = (0.0, 0.0)
    reduce: tuple[float, float] = (0.0, 0.0)
    falls: float = 0.0
    age: float = 0.0


UNALARMED = ClassAlerts()


@cache
def class_alerts() -> dict[str, ClassAlerts]:
    """The table by class."""
    rows: dict[str, list[dict[str, str]]] = {}
    with ALERTS.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            rows.setdefault(row["class"], []).append(row)
            if row["alert"] == "pair" and row["value"] != row["class"]:
                rows.setdefault(row["value"], []).append(row | {"class": row["value"], "value": row["class"]})
    return {name: _of_class(found) for name, found in rows.items()}


def _of_class(rows: list[dict[str, str]]) -> ClassAlerts:
    def named(alert: str) -> dict[str, float]:
        return {row["value"]: WEIGHT[row["severity"]] for row in rows if row["alert"] == alert}

    def below(alert: str) -> tuple[float, float]:
        return next(((float(value), weight) for value, weight in named(alert).items()), (0.0, 0.0))

    def flat(alert: str) -> float:
        return max(named(alert).values(), default=0.0)

    return ClassAlerts(
        named("condition"), named("pair"), below("avoid_below"), below("reduce_below"), flat("falls"), flat("age")
    )


def alerts_by_drug(observation: PolyGuardObservation) -> dict[str, dict[str, float]]:
    """What alarms about each drug, by kind (`KINDS`); pairs and duplicates count in full for either drug."""
    patient, regimen = observation.patient, observation.regimen
    alerts = {entry["drug_id"]: dict.fromkeys(KINDS, 0.0) for entry in regimen}
    for one, other in combinations(regimen, 2):
        weight = 0.0 if one["held"] or other["held"] else pair_alert(one, other)
        twice = class_of(one) == class_of(other) != ""
        for entry in (one, other):
            alerts[entry["drug_id"]]["pair"] += weight
            alerts[entry["drug_id"]]["duplicate"] += 1.0 if twice and weight < 1.0 else 0.0
    for entry in regimen:
        if entry["known"] and not entry["held"]:
            alerts[entry["drug_id"]].update(own_alerts(entry, patient))
    return alerts


def own_alerts(entry: dict[str, Any], patient: dict[str, Any]) -> dict[str, float]:
    """What alarms about a drug alone in this person."""
    own, known = codes(entry), class_alerts().get(class_of(entry), UNALARMED)
    found: dict[str, float] = {}
    held = [name for name in patient["conditions"] if name != entry["indication"]]
    found["condition"] = sum(known.conditions.get(name, 0.0) for name in held)
    if "sick_day" in own and set(ILLNESSES) & set(patient["conditions"]):
        found["condition"] += ILL
    clearance = patient["crcl"]
    if clearance is not None:
        below = [weight for least, weight in (known.avoid, known.reduce) if clearance < least]
        if not below and "renal" in own and clearance < OWN_CLEARANCE:
            below = [OWN_KIDNEY]
        found["kidney"] = max(below, default=0.0)
    _, highest = dose_range(entry)
    if entry["dose"] > 1.001 * highest:
        found["ceiling"] = 3.0 if entry["dose"] > 1.5 * highest else 1.0
    found["falls"] = known.falls if patient["falls"] else 0.0
    found["age"] = known.age
    if any(f"{gene.removeprefix('CYP')}-substrate" in own for gene in patient["genotype"]):
        found["genotype"] = 1.5
    sedates = LOAD_OF_SEDATIVE if "cns" in own else 0.0
    found["load"] = LOAD_OF_DRUG + sedates + LOAD_OF_ACB * grade(own.get("acb", ""))
    return found


def pair_alert(one: dict[str, Any], other: dict[str, Any]) -> float:
    """How alarming two drugs are together, by their classes and by their roles: 0 to 6."""
    listed = class_alerts().get(class_of(one), UNALARMED).partners.get(class_of(other), 0.0)
    a, b = codes(one), codes(other)
    weights = [listed, 3.0 if a.get("qt") == "QT" == b.get("qt") else 0.0]
    for role, (least, weight) in GRADED_PAIRS.items():
        grades = grade(a.get(role, "")), grade(b.get(role, ""))
        weights.append(weight if min(grades) >= 1 and sum(grades) >= least else 0.0)
    if "cns" in a and "cns" in b:
        weights.append(ONE_SEDATIVE_PAIR)
    weights += [enzyme_alert(a, b), enzyme_alert(b, a)]
    return max(weights)


def enzyme_alert(a: dict[str, str], b: dict[str, str]) -> float:
    """How alarming an inhibitor or inducer in `a` is for a substrate in `b`."""
    worst = 0.0
    for role, code in a.items():
        enzyme, _, kind = role.rpartition("-")
        substrate = b.get(f"{enzyme}-substrate", "")
        if kind in ("inhibitor", "inducer") and substrate:
            strong, sensitive = code.endswith("!"), substrate.endswith("!")
            if strong or sensitive:
                worst = max(worst, SENSITIVE_PAIR if strong and sensitive else ENZYME_PAIR)
    return worst


def codes(entry: dict[str, Any]) -> dict[str, str]:
    """Role name to compact code of one drug."""
    return {fact["fact_id"].partition("#")[2]: fact["code"] for fact in entry["facts"] if fact["code"]}


def grade(code: str) -> int:
    """The grade at the end of a code, 1 for a code without one, 0 for none."""
    return int(code[-1]) if code and code[-1].isdigit() else int(bool(code))


def class_of(entry: dict[str, Any]) -> str:
    """A drug's class in words, "" where its facts are unknown."""
    return str(entry["facts"][0]["text"]) if entry["facts"] else ""


def dose_range(entry: dict[str, Any]) -> tuple[float, float]:
    """The lowest usual and the highest daily dose the observation states for a drug."""
    stated = {fact["fact_id"].partition("#")[2]: fact["text"] for fact in entry["facts"]}
    return _dose(stated.get("lowest_dose", ""), 0.0), _dose(stated.get("dose", ""), float("inf"))


def _dose(text: str, otherwise: float) -> float:
    """The number before the unit at the end of a text."""
    return float(text.rpartition(" ")[0].rpartition(" ")[2]) if text else otherwise
