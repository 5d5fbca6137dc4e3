"""Clinical calculators: kidney, liver, heart rhythm, body size and drug burden.

Every function takes plain numbers and raises `PolyGuardError` on impossible input.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, sqrt
from typing import Literal

from polyguard_env.errors import PolyGuardError

CREATININE_UMOL_PER_MG_DL = 88.4
MAI_WEIGHTS: dict[str, int] = {
    "indication": 3,
    "effectiveness": 3,
    "dose": 2,
    "directions": 2,
    "practicality": 1,
    "drug_drug": 2,
    "drug_disease": 2,
    "cost": 1,
    "duplication": 1,
    "duration": 1,
}


def _within(field: str, value: float, low: float, high: float, unit: str) -> None:
    if not low <= value <= high:
        raise PolyGuardError(field, value, f"give {field} in {unit}, between {low:g} and {high:g}")


def ideal_weight(height: float, sex: str) -> float:
    """Ideal body weight in kg (Devine 1974) from height in cm (100-230)."""
    _within("height", height, 100, 230, "cm")
    return (50.0 if sex == "M" else 45.5) + 2.3 * (height / 2.54 - 60.0)


def adjusted_weight(weight: float, height: float, sex: str) -> float:
    """Adjusted body weight in kg: ideal + 0.4 (actual - ideal). Weight in kg (20-350)."""
    _within("weight", weight, 20, 350, "kg")
    ideal = ideal_weight(height, sex)
    return ideal + 0.4 * (weight - ideal)


def cockcroft_gault(age: float, weight: float, creatinine: float, sex: str) -> float:
    """Creatinine clearance in mL/min (Cockcroft and Gault 1976).

    Args:
        age: years, 18-120. weight: kg, 20-350. creatinine: mg/dL, 0.1-25. sex: "F" or "M".
    """
    _within("age", age, 18, 120, "years")
    _within("weight", weight, 20, 350, "kg")
    _within("creatinine", creatinine, 0.1, 25, "mg/dL (1 mg/dL is 88.4 umol/L)")
    clearance = (140.0 - age) * weight / (72.0 * creatinine)
    return clearance * 0.85 if sex == "F" else clearance


def ckd_epi_2021(age: float, creatinine: float, sex: str) -> float:
    """eGFR in mL/min/1.73m2 (CKD-EPI creatinine equation, Inker 2021). Creatinine in mg/dL."""
    _within("age", age, 18, 120, "years")
    _within("creatinine", creatinine, 0.1, 25, "mg/dL (1 mg/dL is 88.4 umol/L)")
    kappa, alpha = (0.7, -0.241) if sex == "F" else (0.9, -0.302)
    ratio = creatinine / kappa
    value = 142.0 * min(ratio, 1.0) ** alpha * max(ratio, 1.0) ** -1.200 * 0.9938**age
    return float(value * 1.012 if sex == "F" else value)


def child_pugh(
    bilirubin: float,
    albumin: float,
    inr: float,
    ascites: Literal["none", "mild", "moderate"],
    encephalopathy: int,
) -> tuple[int, str]:
    """Child-Pugh points (5-15) and class A, B or C (Pugh 1973).

    Args:
        bilirubin: mg/dL. albumin: g/dL. inr: ratio. encephalopathy: West Haven grade, 0-4.
    """
    _within("bilirubin", bilirubin, 0.05, 60, "mg/dL")
    _within("albumin", albumin, 0.5, 7, "g/dL")
    _within("inr", inr, 0.5, 20, "ratio")
    _within("encephalopathy", encephalopathy, 0, 4, "grade")
    if ascites not in ("none", "mild", "moderate"):
        raise PolyGuardError("ascites", ascites, "use none, mild or moderate")
    points = 1 if bilirubin < 2 else 2 if bilirubin <= 3 else 3
    points += 1 if albumin > 3.5 else 2 if albumin >= 2.8 else 3
    points += 1 if inr < 1.7 else 2 if inr <= 2.3 else 3
    points += {"none": 1, "mild": 2, "moderate": 3}[ascites]
    points += 1 if encephalopathy == 0 else 2 if encephalopathy <= 2 else 3
    return points, "A" if points <= 6 else "B" if points <= 9 else "C"


def qtc(qt: float, heart_rate: float, formula: Literal["bazett", "fridericia"] = "bazett") -> float:
    """Corrected QT in ms (Bazett 1920 or Fridericia 1920). QT in ms, heart rate in beats/min."""
    _within("qt", qt, 200, 800, "ms")
    _within("heart_rate", heart_rate, 20, 250, "beats/min")
    interval = 60.0 / heart_rate
    if formula == "bazett":
        return float(qt / sqrt(interval))
    if formula == "fridericia":
        return float(qt / interval ** (1.0 / 3.0))
    raise PolyGuardError("formula", formula, "use bazett or fridericia")


def drug_burden_index(doses: Iterable[tuple[float, float]]) -> float:
    """Drug Burden Index (Hilmer 2007): sum of D / (D + delta).

    Args:
        doses: pairs of daily dose D and minimum recommended daily dose delta, same unit.
    """
    total = 0.0
    for dose, delta in doses:
        if not (0 <= dose < inf and 0 < delta < inf):
            raise PolyGuardError("dose", (dose, delta), "give a dose of 0 or more and a delta above 0")
        total += dose / (dose + delta)
    return total


def anticholinergic_burden(scores: Iterable[int]) -> int:
    """Total ACB score (Anticholinergic Cognitive Burden scale 2012); 3 or more is clinically relevant.

    Args:
        scores: the score of each drug, 0-3.
    """
    total = 0
    for score in scores:
        _within("score", score, 0, 3, "points of the ACB scale")
        total += score
    return total


def medication_appropriateness(answers: dict[str, bool]) -> int:
    """Medication Appropriateness Index of one drug, 0-18 (Hanlon 1992, weights Samsa 1994).

    Args:
        answers: criterion to True when the drug is *inappropriate* on it; missing means appropriate.
    """
    for criterion in answers:
        if criterion not in MAI_WEIGHTS:
            raise PolyGuardError("criterion", criterion, f"use one of {', '.join(MAI_WEIGHTS)}")
    return sum(MAI_WEIGHTS[criterion] for criterion, bad in answers.items() if bad)
