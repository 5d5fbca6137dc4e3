"""`python -m polyguard_env review`: the findings of a patient file or a plain list of drugs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.model import Patient, RegimenItem
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


def resolve_drug(name: str, knowledge: KnowledgeBase, field: str) -> tuple[str, ...]:
    """Drug ids of a name (several for a combination product).

    Raises:
        PolyGuardError: the name is unknown; the fix lists near names, which are never taken silently.
    """
    found = knowledge.resolve_all(name)
    if not found:
        near = ", ".join(knowledge.suggest(name)[:3])
        raise PolyGuardError(field, name, f"check the spelling; known names near it: {near or 'none'}")
    return found


def patient_of_drugs(names: list[str], knowledge: KnowledgeBase) -> Patient:
    """A typical older adult taking the named drugs at unknown doses."""
    drugs = [drug for name in names if name.strip() for drug in resolve_drug(name.strip(), knowledge, "--drugs")]
    if not drugs:
        raise PolyGuardError("--drugs", ",".join(names), "name at least one drug, for example warfarin,ibuprofen")
    regimen = tuple(RegimenItem(drug) for drug in dict.fromkeys(drugs))
    return Patient(patient_id="drugs", regimen=regimen, **TYPICAL)  # type: ignore[arg-type]


def read_patient(path: Path, knowledge: KnowledgeBase) -> Patient:
    """A patient from a JSON file; regimen entries may name a drug instead of giving its id."""
    if not path.is_file():
        raise PolyGuardError("--patient", str(path), "give the path of a JSON file")
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise PolyGuardError(f"{path.name} line {error.lineno}", error.msg, "write valid JSON") from error
    regimen = []
    for place, entry in enumerate(data.get("regimen", [])):
        item = {"drug_id": entry} if isinstance(entry, str) else dict(entry)
        name = item.pop("drug", None) or item.get("drug_id", "")
        for drug_id in resolve_drug(str(name), knowledge, f"regimen[{place}].drug_id"):
            regimen.append(item | {"drug_id": drug_id})
    try:
        return Patient.from_dict(data | {"regimen": regimen, "patient_id": data.get("patient_id", path.stem)})
    except TypeError as error:
        fix = "give age, sex, weight and height, and only fields of a patient (docs/knowledge.md)"
        raise PolyGuardError(path.name, str(error), fix) from error


def as_text(report: RiskReport, patient: Patient, knowledge: KnowledgeBase) -> str:
    """The report for a person to read."""
    names = ", ".join(knowledge.drugs[drug].name for drug in patient.drug_ids)
    lines = [f"Regimen: {names}", f"{len(report.findings)} findings", ""]
    for finding in report.findings:
        what = " + ".join(finding.drugs)
        lines.append(f"[{finding.severity}] {finding.category}: {what} ({finding.mechanism})")
        lines.append(f"    {finding.management}; evidence {', '.join(finding.evidence_ids)}")
    lines += ["", f"Knowledge {report.knowledge_fingerprint}.", report.disclaimer]
    return "\n".join(lines)
