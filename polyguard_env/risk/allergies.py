"""Drugs of a regimen that the patient is allergic to."""

from __future__ import annotations

from collections.abc import Sequence

from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.index import RuleIndex


def allergy_findings(patient: Patient, regimen: Sequence[RegimenItem], index: RuleIndex) -> list[Finding]:
    """One finding per drug that is an allergen of the patient or of a class that is one."""
    findings = []
    for drug_id in dict.fromkeys(item.drug_id for item in regimen):
        named = [name for name in (drug_id, *index.drug(drug_id).classes) if name in patient.allergies]
        if named:
            findings.append(
                Finding(
                    finding_id=f"drug_disease:{drug_id}+allergy",
                    category="drug_disease",
                    severity="contraindicated",
                    drugs=(drug_id,),
                    mechanism=f"allergy to {named[0].replace('_', ' ')}",
                    management="avoid",
                    evidence_ids=("fda_label",),
                )
            )
    return findings
