"""A kidney function that is not known, by the one that is: eGFR in the place of creatinine clearance, and the reverse.

Creatinine clearance (mL/min) and eGFR (mL/min/1.73m2) measure the same organ, and dose rules are written in either. The
two differ most in old age and at a low or high weight, so a review that uses one for the other says so. When neither is
known, a stage of kidney disease among the conditions stands in with the highest eGFR it can be, so that a limit holds
only where it lies above the whole stage (`stages` says what may hold below). Only the review does: the environment's
people have a creatinine or both.
"""

from __future__ import annotations

from collections.abc import Sequence

from polyguard_env.patients.kidney_stages import stage_of
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.risk.composites import composite_rows
from polyguard_env.risk.contradictions import KIDNEY_NAMES, kidney_function
from polyguard_env.risk.index import RuleIndex

# A choice of this project (2026): above it a value asks for no lower dose, and one measured as the other could only
# mislead the rules on a high clearance.
HIGHEST = 90.0
OTHER = {"crcl": "egfr", "egfr": "crcl"}


def stood_in(patient: Patient) -> Patient:
    """The patient with the unknown one of eGFR and creatinine clearance taken from the other, or both from a stage.

    The patient is unchanged when neither is known and no stage is named, and when the known one is `HIGHEST` or more.
    """
    known = kidney_function(patient)
    if not known and (stage := stage_of(patient.conditions)) is not None:
        return patient.changed(measurements={**patient.measurements, **dict.fromkeys(OTHER, stage.high)})
    missing = [name for name in OTHER if name not in known and OTHER[name] in known]
    if not missing or known[OTHER[missing[0]]] >= HIGHEST:
        return patient
    return patient.changed(measurements={**patient.measurements, missing[0]: known[OTHER[missing[0]]]})


def stand_in_warnings(patient: Patient, regimen: Sequence[RegimenItem], index: RuleIndex) -> tuple[str, ...]:
    """One warning that names the stand-in and the drugs whose rules are written for what is not known."""
    told = stood_in(patient)
    if told is patient:
        return ()
    unknown = told.measurements.keys() - patient.measurements.keys()
    drugs = {item.drug_id for item in regimen if any(_asks(item.drug_id, name, index) for name in unknown)}
    if not drugs:
        return ()
    names = ", ".join(index.drug(drug_id).name.lower() for drug_id in sorted(drugs))
    stage = stage_of(patient.conditions)
    if len(unknown) > 1 and stage is not None:
        return (
            f"neither creatinine nor eGFR is known: {stage.name} among the conditions, an eGFR of {stage.low:g} to "
            f"{stage.high:g} mL/min/1.73m2 (KDIGO), stands in for the kidney function that the dose limits of {names} "
            f"are written in; limits that only part of the stage passes may apply, so give measurements.creatinine",
        )
    (missing,) = unknown
    used = KIDNEY_NAMES[OTHER[missing]]
    return (
        f"measurements.{missing} is not known and cannot be computed without measurements.creatinine: {used} "
        f"{told.measurements[missing]:g} mL/min stands in for the {KIDNEY_NAMES[missing]} that the dose limits of "
        f"{names} are written in; the two differ in old age and at a low weight, so give measurements.creatinine",
    )


def _asks(drug_id: str, measure: str, index: RuleIndex) -> bool:
    """True when a rule on the drug's dose is written in this measure."""
    rows = composite_rows().get(drug_id, ())
    return any(rule.fields["measure"] == measure for rule in index.rules("renal", drug_id)) or any(
        measure in row["conditions"] or (measure == "crcl" and row["limit_per_crcl"]) for row in rows
    )
