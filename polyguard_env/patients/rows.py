"""Patients out of rows of a cohort table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.patients.tables import LABS, phenotypes


def patient_of_row(row: Mapping[str, Any]) -> Patient:
    """The patient of one row of `PatientGenerator.table`."""
    held = tuple(sorted(str(name) for name in row["conditions"]))
    regimen = zip(row["drugs"], row["doses"], row["indications"], strict=True)
    genes = {gene: str(row[gene.lower()]) for gene in phenotypes()}
    return Patient(
        patient_id=str(row["patient_id"]),
        age=int(row["age"]),
        sex=row["sex"],
        weight=float(row["weight"]),
        height=float(row["height"]),
        conditions=held,
        measurements={name: float(row[name]) for name in LABS},
        frailty=int(row["frailty"]),
        falls=int(row["falls"]),
        allergies=tuple(str(name) for name in row["allergies"]),
        genotype={gene: kind for gene, kind in genes.items() if kind != "normal"},
        child_pugh=str(row["child_pugh"]),
        regimen=tuple(
            RegimenItem(str(drug), float(dose), str(reason) if reason in held else "") for drug, dose, reason in regimen
        ),
    )
