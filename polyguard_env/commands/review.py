"""`python -m polyguard_env review`: the findings of a patient file or a plain list of drugs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.entries import entries_in_words
from polyguard_env.patients.model import Patient
from polyguard_env.patients.reading import listed_drugs, read_patient
from polyguard_env.risk.findings import RiskReport
from polyguard_env.risk.review import review_regimen

TYPICAL = {"age": 75, "sex": "F", "weight": 70.0, "height": 165.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--patient", type=Path, help="JSON file of a patient")
    source.add_argument("--drugs", help="comma-separated drug names, brands or combinations")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the report; 0 when it could be made."""
    knowledge = KnowledgeBase.default()
    if arguments.patient is not None:
        patient = read_patient(arguments.patient, knowledge)
    else:
        patient = patient_of_drugs(arguments.drugs.split(","), knowledge)
    report = review_regimen(patient, knowledge)
    print(json.dumps(report.to_dict(), indent=2) if arguments.json else as_text(report, patient, knowledge))
    return 0


def patient_of_drugs(names: list[str], knowledge: KnowledgeBase) -> Patient:
    """A typical older adult taking the named drugs at unknown doses."""
    regimen = listed_drugs(names, knowledge, "--drugs")
    if not regimen:
        raise PolyGuardError("--drugs", ",".join(names), "name at least one drug, for example warfarin,ibuprofen")
    return Patient(patient_id="drugs", regimen=regimen, **TYPICAL)  # type: ignore[arg-type]


def as_text(report: RiskReport, patient: Patient, knowledge: KnowledgeBase) -> str:
    """The report for a person to read."""
    counted = "1 finding" if len(report.findings) == 1 else f"{len(report.findings)} findings"
    lines = [f"Regimen: {', '.join(entries_in_words(patient.regimen, knowledge))}"]
    lines += [*(f"Check the data: {told}" for told in report.warnings), counted, ""]
    for finding in report.findings:
        what = " + ".join(finding.drugs)
        lines.append(f"[{finding.severity}] {finding.category}: {what} ({finding.mechanism})")
        action = finding.management
        if finding.limit is not None:
            term, colon, detail = action.partition(":")
            profile = knowledge.drugs[finding.drugs[0]].profile
            most = f"{finding.limit:g} {profile.dose_unit if profile else ''}".rstrip()
            action = f"{term} to at most {most} a day{colon}{detail}"
        if finding.measurement and ":" not in action:
            action += f": {finding.measurement.replace('_', ' ')}"
        lines.append(f"    {action}; evidence {', '.join(finding.evidence_ids)}")
    lines += ["", f"Knowledge {report.knowledge_fingerprint}.", report.disclaimer]
    return "\n".join(lines)
