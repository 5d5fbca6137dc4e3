"""A kidney function that is not known, by the one that is: eGFR in the place of creatinine clearance, and the reverse.

Creatinine clearance (mL/min) and eGFR (mL/min/1.73m2) measure the same organ, and dose rules are written in either. The
two differ most in old age and at a low or high weight, so a review that uses one for the other says so. Only the review
does: the environment's people have a creatinine or both.
"""

from __future__ import annotations

from collections.abc import Sequence

from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.risk.composites import composite_rows
from polyguard_env.risk.contradictions import KIDNEY_NAMES, kidney_function
from polyguard_env.risk.index import RuleIndex

# A choice of this project (2026): above it a value asks for no lower dose, and one measured as the other could only
# mislead the rules on a high clearance.
HIGHEST = 90.0
OTHER = {"crcl": "egfr", "egfr": "crcl"}


def stood_in(patient: Patient) -> Patient:
    """The patient with the unknown one of eGFR and creatinine clearance taken from the other; unchanged otherwise.

    Both stay unknown when neither is known, and a known one of `HIGHEST` or more stands in for nothing.
    """
    known = kidney_function(patient)
    missing = [name for name in OTHER if name not in known and OTHER[name] in known]
    if not missing or known[OTHER[missing[0]]] >= HIGHEST:
        return patient
    return patient.changed(measurements={**patient.measurements, missing[0]: known[OTHER[missing[0]]]})


def stand_in_warnings(patient: Patient, regimen: Sequence[RegimenItem], index: RuleIndex) -> tuple[str, ...]:
    """One warning that names the stand-in and the drugs whose rules are written for what is not known."""
    told = stood_in(patient)
    if told is patient:
        return ()
    (missing,) = told.measurements.keys() - patient.measurements.keys()
    drugs = [item.drug_id for item in regimen if _asks(item.drug_id, missing, index)]
    if not drugs:
        return ()
    names = ", ".join(index.drug(drug_id).name.lower() for drug_id in sorted(set(drugs)))
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
