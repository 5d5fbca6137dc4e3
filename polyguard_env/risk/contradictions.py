"""What a patient's data say twice and differently, and what of them could not be read: warnings of a review.

A warning names both values and which one the review uses. The tolerances are wide, since two formulas, two days or two
laboratories differ: they are limits of ours on input, no clinical thresholds.
"""

from __future__ import annotations

from collections.abc import Mapping

from polyguard_env.patients.kidney_stages import stage_of
from polyguard_env.patients.model import Patient
from polyguard_env.risk.calculators import ckd_epi_2021, cockcroft_gault

# Given and computed kidney function contradict when they differ by more than both: by a factor, and in mL/min. A stage
# contradicts what is further from it than the latter.
KIDNEY_FACTOR, KIDNEY_DIFFERENCE = 2.0, 20.0
KIDNEY_NAMES = {"egfr": "eGFR", "crcl": "creatinine clearance"}
# Weight as a field and as a measurement: share of the larger one, and kg.
WEIGHT_SHARE, WEIGHT_DIFFERENCE = 0.15, 5.0
LEAST_BMI, MOST_BMI = 11.0, 70.0
# Haematocrit in % is about three times haemoglobin in g/dL.
HAEMATOCRIT_TIMES = (2.0, 4.5)


def contradict(one: float, other: float) -> bool:
    """True when two kidney functions in mL/min cannot both hold."""
    low, high = min(one, other), max(one, other)
    return high > KIDNEY_FACTOR * low and high - low > KIDNEY_DIFFERENCE


def computed_kidneys(patient: Patient) -> Mapping[str, float]:
    """Creatinine clearance (Cockcroft-Gault) and eGFR (CKD-EPI 2021) from creatinine; empty without one."""
    creatinine = patient.measurements.get("creatinine")
    if creatinine is None:
        return {}
    return {
        "crcl": cockcroft_gault(patient.age, patient.weight, creatinine, patient.sex),
        "egfr": ckd_epi_2021(patient.age, creatinine, patient.sex),
    }


def creatinine_clearance(patient: Patient) -> float | None:
    """The creatinine clearance in mL/min that `kidney_function` gives, None when unknown, without the eGFR."""
    given, creatinine = patient.measurements.get("crcl"), patient.measurements.get("creatinine")
    if creatinine is None:
        return given
    value = cockcroft_gault(patient.age, patient.weight, creatinine, patient.sex)
    if given is None:
        return value
    return min(given, value) if contradict(given, value) else given


def kidney_function(patient: Patient) -> Mapping[str, float]:
    """Known kidney function: measured values first, else computed from creatinine; empty when unknown.

    Where a measured value and the computed one contradict each other, the lower one counts.
    """
    known: dict[str, float] = {
        name: patient.measurements[name] for name in KIDNEY_NAMES if name in patient.measurements
    }
    for name, value in computed_kidneys(patient).items():
        given = known.setdefault(name, value)
        if contradict(given, value):
            known[name] = min(given, value)
    return known


def warnings_of(patient: Patient) -> tuple[str, ...]:
    """Contradictions of the data, and notes of doses that could not be read, in a fixed order."""
    return (
        *_kidneys(patient),
        *_stage(patient),
        *_sizes(patient),
        *_blood(patient),
        *(i.note for i in patient.regimen if i.note),
    )


def _kidneys(patient: Patient) -> list[str]:
    found = []
    for name, value in computed_kidneys(patient).items():
        given = patient.measurements.get(name)
        if given is not None and contradict(given, value):
            creatinine = patient.measurements["creatinine"]
            found.append(
                f"measurements.{name} {given:g} contradicts measurements.creatinine {creatinine:g} mg/dL, which gives "
                f"{KIDNEY_NAMES[name]} {value:.0f} mL/min: check both; the lower, {min(given, value):.0f}, is used"
            )
    return found


def _stage(patient: Patient) -> list[str]:
    """A stage of kidney disease that is far from the kidney function known: the value of eGFR, else of clearance."""
    stage, known = stage_of(patient.conditions), kidney_function(patient)
    if stage is None or not known:
        return []
    name = "egfr" if "egfr" in known else "crcl"
    nearest = min(max(known[name], stage.low), stage.high)
    if abs(known[name] - nearest) <= KIDNEY_DIFFERENCE:
        return []
    return [
        f"{stage.name} among the conditions (eGFR {stage.low:g} to {stage.high:g}) contradicts {KIDNEY_NAMES[name]} "
        f"{known[name]:.0f} mL/min: check both; the measured value is used"
    ]


def _sizes(patient: Patient) -> list[str]:
    found, measured = [], patient.measurements.get("weight")
    if measured is not None:
        apart = abs(measured - patient.weight)
        if apart > WEIGHT_DIFFERENCE and apart > WEIGHT_SHARE * max(measured, patient.weight):
            found.append(
                f"measurements.weight {measured:g} kg contradicts weight {patient.weight:g} kg: check both; "
                f"{patient.weight:g} kg is used"
            )
    index = patient.weight / (patient.height / 100.0) ** 2
    if not LEAST_BMI <= index <= MOST_BMI:
        found.append(
            f"weight {patient.weight:g} kg and height {patient.height:g} cm give a body mass index of {index:.0f} "
            f"kg/m2, hardly possible: check both; they are used as given"
        )
    return found


def _blood(patient: Patient) -> list[str]:
    found, values = [], patient.measurements
    for less, more, why in (
        ("diastolic_bp", "systolic_bp", "the diastolic pressure is the lower one"),
        ("neutrophils", "wbc", "neutrophils are part of the white cells"),
    ):
        if less in values and more in values and values[less] > values[more]:
            found.append(
                f"measurements.{less} {values[less]:g} contradicts measurements.{more} {values[more]:g}: {why}; check "
                f"both; they are used as given"
            )
    if "haematocrit" in values and "haemoglobin" in values:
        low, high = (times * values["haemoglobin"] for times in HAEMATOCRIT_TIMES)
        if not low <= values["haematocrit"] <= high:
            found.append(
                f"measurements.haematocrit {values['haematocrit']:g} % contradicts measurements.haemoglobin "
                f"{values['haemoglobin']:g} g/dL (about a third of it): check both; they are used as given"
            )
    return found
