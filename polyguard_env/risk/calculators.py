"""Clinical calculators: kidney, liver, heart rhythm, body size and drug burden.

Every function takes plain finite numbers and raises `PolyGuardError` that names the argument when one is no number
(NaN, infinity, a boolean, text), is out of the range it documents, or is a sex other than female or male.

Each names the publication of its formula with the year. The ranges are limits of this project, not reference ranges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite, sqrt
from numbers import Real
from typing import Any, Literal

from polyguard_env.errors import PolyGuardError

# AMA Manual of Style, 11th edition (2020), SI conversion factors.
CREATININE_UMOL_PER_MG_DL = 88.4
# Samsa GP et al. J Clin Epidemiol 1994;47:891.
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


# Devine's formula starts at 5 feet. Below it the result is extrapolated; below 139 cm it falls under 33 kg for women.
SHORTEST_FOR_IDEAL = 139.0
MOST_DOSE = 1e9


def _number(field: str, value: Any, fix: str) -> float:
    """A finite number; booleans and texts are none."""
    try:
        if isinstance(value, Real) and not isinstance(value, bool) and isfinite(value):
            return float(value)
    except OverflowError:
        pass
    raise PolyGuardError(field, value, fix)


def _within(field: str, value: Any, low: float, high: float, unit: str) -> float:
    if type(value) in (float, int) and low <= value <= high:
        return float(value)
    fix = f"give {field} in {unit}, between {low:g} and {high:g}"
    number = _number(field, value, fix)
    if not low <= number <= high:
        raise PolyGuardError(field, value, fix)
    return number


def _whole(field: str, value: Any, low: int, high: int, unit: str) -> int:
    number = _within(field, value, low, high, unit)
    if number != int(number):
        raise PolyGuardError(field, value, f"give {field} as a whole number of {unit}, {low} to {high}")
    return int(number)


def read_sex(value: Any, field: str = "sex") -> Literal["F", "M"]:
    """ "F" or "M" of F, M, female or male in any case.

    Raises:
        PolyGuardError: anything else.
    """
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in ("f", "female"):
        return "F"
    if word in ("m", "male"):
        return "M"
    raise PolyGuardError(field, value, "use F or M, or female or male (sex assigned at birth, as the formulas need it)")


def ideal_weight(height: float, sex: str) -> float:
    """Ideal body weight in kg (Devine BJ, Drug Intell Clin Pharm 1974;8:650).

    Args:
        height: cm, 139-230. The formula was made for 5 feet (152.4 cm) and more; from 139 cm it is extrapolated
            downward, and below that it is refused.
        sex: F or M, or female or male.
    """
    height = _within("height", height, SHORTEST_FOR_IDEAL, 230, "cm (Devine's formula does not hold below)")
    return (50.0 if read_sex(sex) == "M" else 45.5) + 2.3 * (height / 2.54 - 60.0)


def adjusted_weight(weight: float, height: float, sex: str) -> float:
    """Adjusted body weight in kg: ideal + 0.4 (actual - ideal) (Bauer LA, Applied Clinical Pharmacokinetics, 2008).

    Args:
        weight: kg, 20-350. height, sex: as for `ideal_weight`.
    """
    weight = _within("weight", weight, 20, 350, "kg")
    ideal = ideal_weight(height, sex)
    return ideal + 0.4 * (weight - ideal)


def cockcroft_gault(age: float, weight: float, creatinine: float, sex: str) -> float:
    """Creatinine clearance in mL/min (Cockcroft DW, Gault MH, Nephron 1976;16:31).

    Args:
        age: years, 18-120. weight: kg, 20-350. creatinine: mg/dL, 0.1-25. sex: F or M, or female or male.
    """
    age = _within("age", age, 18, 120, "years")
    weight = _within("weight", weight, 20, 350, "kg")
    creatinine = _within("creatinine", creatinine, 0.1, 25, "mg/dL (1 mg/dL is 88.4 umol/L)")
    clearance = (140.0 - age) * weight / (72.0 * creatinine)
    return clearance * 0.85 if read_sex(sex) == "F" else clearance


def ckd_epi_2021(age: float, creatinine: float, sex: str) -> float:
    """eGFR in mL/min/1.73m2 (CKD-EPI creatinine equation; Inker LA, N Engl J Med 2021;385:1737).

    Args:
        age: years, 18-120. creatinine: mg/dL, 0.1-25. sex: F or M, or female or male.
    """
    age = _within("age", age, 18, 120, "years")
    creatinine = _within("creatinine", creatinine, 0.1, 25, "mg/dL (1 mg/dL is 88.4 umol/L)")
    female = read_sex(sex) == "F"
    kappa, alpha = (0.7, -0.241) if female else (0.9, -0.302)
    ratio = creatinine / kappa
    value = 142.0 * min(ratio, 1.0) ** alpha * max(ratio, 1.0) ** -1.200 * 0.9938**age
    return float(value * 1.012 if female else value)


def child_pugh(
    bilirubin: float,
    albumin: float,
    inr: float,
    ascites: Literal["none", "mild", "moderate"],
    encephalopathy: int,
) -> tuple[int, str]:
    """Child-Pugh points (5-15) and class A, B or C.

    Pugh RN, Br J Surg 1973;60:646; INR in place of prothrombin time as in Lucey MR, Liver Transpl Surg 1997;3:628.

    Args:
        bilirubin: mg/dL, 0.05-60. albumin: g/dL, 0.5-7. inr: ratio, 0.5-20. ascites: none, mild or moderate (also
            for severe). encephalopathy: West Haven grade, a whole number 0-4.
    """
    bilirubin = _within("bilirubin", bilirubin, 0.05, 60, "mg/dL")
    albumin = _within("albumin", albumin, 0.5, 7, "g/dL")
    inr = _within("inr", inr, 0.5, 20, "ratio")
    encephalopathy = _whole("encephalopathy", encephalopathy, 0, 4, "West Haven grades")
    if ascites not in ("none", "mild", "moderate"):
        raise PolyGuardError("ascites", ascites, "use none, mild or moderate")
    points = 1 if bilirubin < 2 else 2 if bilirubin <= 3 else 3
    points += 1 if albumin > 3.5 else 2 if albumin >= 2.8 else 3
    points += 1 if inr < 1.7 else 2 if inr <= 2.3 else 3
    points += {"none": 1, "mild": 2, "moderate": 3}[ascites]
    points += 1 if encephalopathy == 0 else 2 if encephalopathy <= 2 else 3
    return points, "A" if points <= 6 else "B" if points <= 9 else "C"


def qtc(
    qt: float, heart_rate: float, formula: Literal["bazett", "fridericia", "framingham", "hodges"] = "bazett"
) -> float:
    """Corrected QT in ms.

    Bazett HC, Heart 1920;7:353; Fridericia LS, Acta Med Scand 1920;53:469; Framingham: Sagie A, Am J Cardiol
    1992;70:797; Hodges MS, J Am Coll Cardiol 1983;1:694.

    Args:
        qt: ms, 200-800. heart_rate: beats/min, 20-250. formula: its name.
    """
    qt = _within("qt", qt, 200, 800, "ms")
    heart_rate = _within("heart_rate", heart_rate, 20, 250, "beats/min")
    interval = 60.0 / heart_rate
    if formula == "bazett":
        return float(qt / sqrt(interval))
    if formula == "fridericia":
        return float(qt / interval ** (1.0 / 3.0))
    if formula == "framingham":
        return float(qt + 154.0 * (1.0 - interval))
    if formula == "hodges":
        return float(qt + 1.75 * (heart_rate - 60.0))
    raise PolyGuardError("formula", formula, "use bazett, fridericia, framingham or hodges")


def drug_burden_index(doses: Iterable[tuple[float, float]]) -> float:
    """Drug Burden Index (Hilmer SN, Arch Intern Med 2007;167:781): sum of D / (D + delta).

    Args:
        doses: pairs of daily dose D (0 or more) and minimum recommended daily dose delta (above 0), same unit; no
            pair at all is a burden of 0.
    """
    total, fix = 0.0, "give pairs of a dose of 0 or more and a delta above 0, below 1e9"
    for pair in _each("doses", doses, fix):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise PolyGuardError("dose", pair, fix)
        dose, delta = (_number("dose", value, fix) for value in pair)
        if not 0 <= dose <= MOST_DOSE or not 0 < delta <= MOST_DOSE:
            raise PolyGuardError("dose", (dose, delta), fix)
        total += dose / (dose + delta)
    return total


def anticholinergic_burden(scores: Iterable[int]) -> int:
    """Total ACB score (Anticholinergic Cognitive Burden scale 2012); 3 or more is clinically relevant.

    Args:
        scores: the score of each drug, a whole number 0-3; no drug at all is a burden of 0.
    """
    listed = _each("scores", scores, "give a list of whole numbers, 0 to 3")
    return sum(_whole("score", score, 0, 3, "points of the ACB scale") for score in listed)


def medication_appropriateness(answers: Mapping[str, bool]) -> int:
    """Medication Appropriateness Index of one drug, 0-18.

    Hanlon JT, J Clin Epidemiol 1992;45:1045; weights Samsa 1994.

    Args:
        answers: criterion (a key of `MAI_WEIGHTS`) to True when the drug is *inappropriate* on it, else False; a
            criterion left out counts as appropriate, as where a version of the index leaves cost out.

    Raises:
        PolyGuardError: no answer at all, an unknown criterion, or an answer that is neither True nor False.
    """
    if not isinstance(answers, Mapping) or not answers:
        raise PolyGuardError("answers", answers, f"map each of {', '.join(MAI_WEIGHTS)} to True or False")
    for criterion, bad in answers.items():
        if criterion not in MAI_WEIGHTS:
            raise PolyGuardError("criterion", criterion, f"use one of {', '.join(MAI_WEIGHTS)}")
        if not isinstance(bad, bool):
            raise PolyGuardError(criterion, bad, "answer True (inappropriate) or False")
    return sum(MAI_WEIGHTS[criterion] for criterion, bad in answers.items() if bad)


def _each(field: str, values: Any, fix: str) -> list[Any]:
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise PolyGuardError(field, values, fix)
    return list(values)
