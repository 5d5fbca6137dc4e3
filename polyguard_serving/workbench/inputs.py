"""What a person enters, as a case: a form, a list of drugs, a FHIR bundle or a picture of a barcode."""

from __future__ import annotations

import re
import tempfile
from itertools import chain
from pathlib import Path
from typing import Any

from polyguard_env.commands.review import TYPICAL
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.condition_names import condition_ids
from polyguard_env.patients.directed import entries_of
from polyguard_env.patients.directions import directions
from polyguard_env.patients.entries import entry_items
from polyguard_env.patients.json_text import read_json
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.patients.reading import MOST_BYTES, patient_from, resolve_drug
from polyguard_serving.workbench.barcode import read_codes
from polyguard_serving.workbench.case import Case, of_patient
from polyguard_serving.workbench.ndc import NdcDirectory

SEPARATORS = re.compile(r"[\n;,]+")
PURPOSE = re.compile(r"^(?P<name>.+?)\s+for\s+(?P<indication>[^\d;,]+)$")
REVIEWED_AS = f"reviewed as for a woman of {TYPICAL['age']}, {TYPICAL['weight']:g} kg, {TYPICAL['height']:g} cm."


def from_form(values: dict[str, Any], drugs: str) -> Case:
    """The case of a filled-in form.

    Args:
        values: fields of `patient_from`; empty ones are left out.
        drugs: one per line, with directions and purpose where known: "metformin 1000 mg bid for diabetes".

    Raises:
        PolyGuardError: the first bad field.
    """
    knowledge = KnowledgeBase.default()
    data = {name: value for name, value in values.items() if value not in (None, "", [], {})}
    data["regimen"] = [drug_line(line) for line in entries_of(drugs or "")]
    if not data["regimen"]:
        raise PolyGuardError("drugs", "", "enter at least one drug, for example 'warfarin 5 mg daily'")
    return of_patient(patient_from({"patient_id": "Entered patient", **data}, knowledge), "form")


def from_drugs(text: str) -> Case:
    """The case of a plain list of drugs, taken by a typical older adult.

    Raises:
        PolyGuardError: no drug, or an unknown one.
    """
    lines = entries_of(text or "")
    if not lines:
        raise PolyGuardError("drugs", text, "enter drug names, one per line or separated by commas")
    notes = (f"Only drugs were given: {REVIEWED_AS}",)
    data = {**TYPICAL, "patient_id": "List of drugs", "regimen": [drug_line(line) for line in lines]}
    return of_patient(patient_from(data, KnowledgeBase.default()), "drugs", notes)


def from_fhir(path: Path) -> Case:
    """The first living adult patient of a FHIR R4 bundle.

    Raises:
        PolyGuardError: not a bundle, invalid FHIR, or nobody in it to review.
    """
    from polyguard_env.sources.fhir import read
    from polyguard_env.sources.records import records_of, to_patient
    from polyguard_env.sources.resolve import Resolver

    _not_too_large(path)
    records = [record for record in records_of(read({"bundles": (path,)})) if record.sex in ("F", "M")]
    if not records:
        raise PolyGuardError("FHIR bundle", path.name, "give a living patient with birth date and gender")
    knowledge = KnowledgeBase.default()
    patient, lost, codes, assumed = to_patient(records[0], Resolver(knowledge.tables["vocabulary"]))
    notes = [f"Read {len(records)} patients; this is the first."] if len(records) > 1 else []
    notes += [f"Not recognised, left out: {', '.join(lost)}."] if lost else []
    notes += [f"{len(codes)} condition codes have no counterpart here: {', '.join(codes[:5])}."] if codes else []
    notes += [f"Not in the bundle, assumed: {', '.join(assumed)}."] if assumed else []
    named = patient.changed(patient_id=f"FHIR patient {patient.patient_id.removeprefix('fhir:')}")
    return of_patient(named, "fhir", tuple(notes))


def from_barcode(path: Path, directory: NdcDirectory) -> Case:
    """The case of the products whose barcodes a picture shows.

    Raises:
        PolyGuardError: no code in the picture, or a product nobody has supplied.
    """
    _not_too_large(path)
    knowledge = KnowledgeBase.default()
    regimen: dict[str, list[RegimenItem]] = {}
    notes = []
    for code in read_codes(path):
        product = directory.product(code)
        notes.append(f"{code.words}: {product.name} ({', '.join(product.ingredients)}), from {product.source}.")
        named = (resolve_drug(name, knowledge, f"ingredient of {product.ndc}") for name in product.ingredients)
        drugs = dict.fromkeys(drug for found in named for drug in found)
        # One box scanned twice is one product.
        regimen.setdefault(product.ndc, entry_items(product.name, drugs, len(regimen), product=True))
    notes.append(f"Only products were scanned: {REVIEWED_AS}")
    patient = Patient(patient_id="Scanned products", regimen=tuple(chain(*regimen.values())), **TYPICAL)
    return of_patient(patient, "barcode", tuple(notes))


def lines_of(text: str) -> list[str]:
    """Non-empty entries of a list separated by lines, commas or semicolons."""
    return [part.strip() for part in SEPARATORS.split(text or "") if part.strip()]


def drug_line(line: str) -> str | dict[str, Any]:
    """ "metformin 1000 mg bid for diabetes" as an entry with the condition it is for; other lines as they are."""
    found = PURPOSE.match(line)
    if found is None:
        return line
    purpose = found["indication"].strip().lower().replace(" ", "_")
    # "for pain" and "for 2 weeks" are directions; an almost known condition is an error that names near ones.
    if purpose not in condition_ids() and directions(line).as_needed:
        return line
    return {"drug": found["name"], "indication": purpose}


def measurements_from(text: str) -> dict[str, Any]:
    """ "potassium 5.4, creatinine 130 umol/L" as measurements.

    Raises:
        PolyGuardError: an entry without a number.
    """
    found: dict[str, Any] = {}
    for entry in lines_of(text):
        parts = re.match(
            r"^(?P<name>[A-Za-z_ 0-9]*[A-Za-z_])\s*[:=]?\s*(?P<value>-?\d+(?:\.\d+)?)\s*(?P<unit>\S.*)?$", entry
        )
        if parts is None:
            raise PolyGuardError("measurements", entry, "write a name, a number and perhaps a unit: 'potassium 5.4'")
        value, unit = float(parts["value"]), parts["unit"]
        found[parts["name"].strip().lower().replace(" ", "_")] = {"value": value, "unit": unit} if unit else value
    return found


def json_patient(text: str) -> Case:
    """The case of pasted JSON: a FHIR R4 bundle, or a patient as `python -m polyguard_env review --patient` reads one.

    Raises:
        PolyGuardError: no JSON, or a bad field.
    """
    data = read_json(text, "patient")
    if "resourceType" in data:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "pasted.json"
            path.write_text(text, encoding="utf-8")
            return from_fhir(path)
    return of_patient(patient_from({"patient_id": "Pasted patient", **data}, KnowledgeBase.default()), "form")


def _not_too_large(path: Path) -> None:
    if path.stat().st_size > MOST_BYTES:
        raise PolyGuardError("file", path.name, f"send at most {MOST_BYTES // 2**20} MB")
