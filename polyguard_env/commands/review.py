"""`python -m polyguard_env review`: the findings of a patient file or a plain list of drugs."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.directed import entries_of
from polyguard_env.patients.entries import doses_in_words, entries_in_words
from polyguard_env.patients.model import Patient
from polyguard_env.patients.reading import listed_drugs, patient_from, read_patient
from polyguard_env.risk.findings import RiskReport
from polyguard_env.risk.review import review_regimen
from polyguard_env.risk.settling import limit_in_words

TYPICAL: Mapping[str, Any] = MappingProxyType({"age": 75, "sex": "F", "weight": 70.0, "height": 165.0})
TYPICAL_IN_WORDS = f"a woman of {TYPICAL['age']} years, {TYPICAL['weight']:g} kg, {TYPICAL['height']:g} cm"
UNITS = {"age": " years", "weight": " kg", "height": " cm"}
NUMBERS, LISTS, LABS = ("age", "weight", "height"), ("conditions", "allergies"), ("creatinine", "egfr")
QUANTITY = re.compile(r"^\s*(?P<value>[-+]?\d+(?:\.\d+)?)\s*(?P<unit>[A-Za-z%µμ].*)?$")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--patient", type=Path, help="JSON file of a patient")
    source.add_argument(
        "--drugs",
        help="drugs separated by commas or semicolons, perhaps with "
        "directions: 'Norco 5/325 1 tab q6h prn; warfarin 5 mg daily'",
    )
    person = parser.add_argument_group(f"the person of a plain list (default: {TYPICAL_IN_WORDS})")
    person.add_argument("--age", help="years")
    person.add_argument("--sex", help="F or M")
    person.add_argument("--weight", help="kg")
    person.add_argument("--height", help="cm")
    person.add_argument("--creatinine", help="mg/dL, or with its unit: '124 umol/L'")
    person.add_argument("--egfr", help="mL/min/1.73m2")
    person.add_argument(
        "--conditions",
        help="comma-separated conditions, each an id, name, abbreviation or ICD-10 code: hfref,CKD,E11.9",
    )
    person.add_argument("--allergies", help="comma-separated drugs, classes or allergens")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the report; 0 when it could be made."""
    knowledge = KnowledgeBase.default()
    person = person_of(vars(arguments))
    assumed = ""
    if arguments.patient is not None:
        if person:
            name = next(iter(person.get("measurements", person)))
            raise PolyGuardError(f"--{name}", vars(arguments)[name], "write it in the patient file, or use --drugs")
        patient = read_patient(arguments.patient, knowledge)
    else:
        patient = patient_of_drugs(entries_of(arguments.drugs), knowledge, person)
        assumed = ", ".join(f"{name} {TYPICAL[name]}{UNITS.get(name, '')}" for name in TYPICAL if name not in person)
    report = review_regimen(patient, knowledge)
    if arguments.json:
        print(json.dumps(report.to_dict(), indent=2))
    else:
        print(as_text(report, patient, knowledge, assumed))
    return 0


def person_of(options: Mapping[str, str | None]) -> dict[str, Any]:
    """Fields of `patient_from` out of the command's options; what is not given is left out.

    Raises:
        PolyGuardError: a number that is none; ranges and units are checked by `patient_from`.
    """
    found: dict[str, Any] = {}
    for name in (*NUMBERS, *LABS):
        told = options.get(name)
        if told is None:
            continue
        parts = QUANTITY.match(told)
        if parts is None or (parts["unit"] and name in NUMBERS):
            unit = UNITS.get(name, "").strip()
            raise PolyGuardError(f"--{name}", told, f"write a number{f' in {unit}' if unit else ', perhaps with unit'}")
        value, unit = float(parts["value"]), parts["unit"]
        if name in NUMBERS:
            found[name] = value
        else:
            given = {"value": value, "unit": unit.strip()} if unit else value
            found.setdefault("measurements", {})[name] = given
    sex = options.get("sex")
    if sex is not None:
        found["sex"] = {"female": "F", "f": "F", "male": "M", "m": "M"}.get(sex.strip().lower(), sex)
    for name in LISTS:
        told = options.get(name)
        if told is not None:
            found[name] = [part.strip() for part in told.split(",") if part.strip()]
    return found


def patient_of_drugs(
    names: Sequence[str], knowledge: KnowledgeBase, person: Mapping[str, Any] | None = None
) -> Patient:
    """A person taking the named drugs, at the doses their directions give.

    Args:
        names: entries of a list ("furosemide 40 mg 1 tab BID"); a dose that is not told is unknown.
        person: fields of `patient_from` that are known; a typical older adult in the rest.

    Raises:
        PolyGuardError: no drug, an unknown one, or an impossible value.
    """
    someone = patient_from({**TYPICAL, "patient_id": "drugs", **(person or {})}, knowledge)
    regimen = listed_drugs(names, knowledge, "--drugs", someone.weight)
    if not regimen:
        raise PolyGuardError("--drugs", ",".join(names), "name at least one drug, for example warfarin,ibuprofen")
    return someone.with_regimen(regimen)


def with_measurement(action: str, measurement: str) -> str:
    """What to do together with what to measure: `monitor: INR`, or what holds where the action cannot be taken."""
    if action == "avoid":
        return f"avoid; if it cannot be avoided monitor {measurement}"
    if action == "substitute":
        return f"substitute; until then monitor {measurement}"
    return f"{action}: {measurement}" if action == "monitor" else f"{action} and monitor {measurement}"


def as_text(report: RiskReport, patient: Patient, knowledge: KnowledgeBase, assumed: str = "") -> str:
    """The report for a person to read.

    Args:
        assumed: what nobody told of the person and the review took for granted.
    """
    counted = "1 finding" if len(report.findings) == 1 else f"{len(report.findings)} findings"
    lines = [f"Regimen: {', '.join(entries_in_words(patient.regimen, knowledge))}"]
    doses = doses_in_words(patient.regimen, knowledge)
    lines += [f"Doses a day as read: {', '.join(doses)}"] if doses else []
    lines += [f"Assumed: {assumed}"] if assumed else []
    lines += [*(f"Check the data: {told}" for told in report.warnings), counted, ""]
    for finding in report.findings:
        what = " + ".join(finding.drugs)
        lines.append(f"[{finding.severity}] {finding.category}: {what} ({finding.mechanism})")
        action = limit_in_words(finding, knowledge)
        if finding.measurement and ":" not in action:
            action = with_measurement(action, finding.measurement.replace("_", " "))
        lines.append(f"    {action}; evidence {', '.join(finding.evidence_ids)}")
    lines += ["", f"Knowledge {report.knowledge_fingerprint}.", report.disclaimer]
    return "\n".join(lines)
