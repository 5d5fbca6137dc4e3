"""FHIR R4 patients: bundles (JSON) and bulk exports (NDJSON), validated by the fhir.resources library.

Read: Patient, Condition, MedicationRequest, MedicationStatement, Medication, Observation, AllergyIntolerance.
Other resources pass by unread.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from polyguard_env.errors import PolyGuardError
from polyguard_env.patients.checks import figures
from polyguard_env.patients.direction_words import HOURS
from polyguard_env.sources.records import PatientRecord, keep_measurement, measured, records_frame
from polyguard_env.sources.supplied import Files, Wanted, open_text

SOURCE = "fhir"
FILES = (Wanted("bundles", ("*.json", "*.json.gz", "*.ndjson", "*.ndjson.gz")),)
READ = (
    "Patient", "Condition", "MedicationRequest", "MedicationStatement", "Medication", "Observation",
    "AllergyIntolerance",
)  # fmt: skip
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SYSTEMS = {
    "http://snomed.info/sct": "snomed",
    "http://hl7.org/fhir/sid/icd-10-cm": "icd10",
    "http://hl7.org/fhir/sid/icd-10": "icd10",
    "http://hl7.org/fhir/sid/icd-9-cm": "icd9",
}
SEXES = {"female": "F", "male": "M"}
PRESENT = {"active", "recurrence", "relapse"}
WRONG = {"refuted", "entered-in-error"}
DATES = ("authoredOn", "effectiveDateTime", "recordedDate", "dateAsserted", "onsetDateTime", "issued")

Resource = dict[str, Any]
# What a resource is called (file and entry), its full URL, and itself.
Placed = tuple[str, str, Resource]


def read(files: Files) -> pd.DataFrame:
    """Records of every living patient, on the latest day any resource of the files names.

    Raises:
        PolyGuardError: a file is no bundle, a resource is not valid FHIR R4, or a measurement is impossible.
    """
    placed = [one for path in files["bundles"] for one in _resources(path)]
    today = max((day for _, _, resource in placed for day in _days(resource)), default="")
    people: dict[str, PatientRecord] = {}
    for place, url, resource in placed:
        if resource["resourceType"] == "Patient" and not (
            resource.get("deceasedBoolean") or resource.get("deceasedDateTime")
        ):
            record = _person(place, resource, today)
            people |= {key: record for key in (url, f"Patient/{resource.get('id', '')}") if key}
    drugs = {key: one for place, url, one in placed if one["resourceType"] == "Medication"
             for key in (url, f"Medication/{one.get('id', '')}") if key}  # fmt: skip
    latest: dict[tuple[str, str], str] = {}
    for place, _, resource in placed:
        subject = resource.get("subject") or resource.get("patient") or {}
        record_or_none = people.get(subject.get("reference", ""))
        if record_or_none is not None:
            _take_in(place, resource, record_or_none, drugs, today, latest)
    return records_frame({id(record): record for record in people.values()}.values())


def _resources(path: Path) -> Iterator[Placed]:
    try:
        with open_text(path) as handle:
            if ".ndjson" in path.name.lower():
                for number, line in enumerate(handle, start=1):
                    if line.strip():
                        yield from _valid(f"{path.name} line {number}", "", _parsed(line, f"{path.name} line {number}"))
                return
            bundle = _parsed(handle.read(), path.name)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise PolyGuardError(path.name, str(error), "it cannot be read; supply the file again") from error
    entries = bundle.get("entry", [])
    if bundle.get("resourceType") != "Bundle" or not isinstance(entries, list):
        raise PolyGuardError(f"{path.name}, resourceType", bundle.get("resourceType"), "give a FHIR R4 Bundle")
    for number, entry in enumerate(entries):
        place = f"{path.name} entry[{number}]"
        if not isinstance(entry, dict) or not isinstance(entry.get("resource"), dict):
            raise PolyGuardError(f"{place}, resource", entry, "give a resource")
        yield from _valid(place, str(entry.get("fullUrl", "")), entry["resource"])


def _parsed(text: str, place: str) -> Resource:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise PolyGuardError(f"{place}, line {error.lineno} column {error.colno}", error.msg, "give JSON") from error
    if not isinstance(found, dict):
        raise PolyGuardError(place, type(found).__name__, "give a JSON object")
    return found


def _valid(place: str, url: str, resource: Resource) -> Iterator[Placed]:
    # Imported here: nobody else needs the FHIR models.
    from fhir.resources.R4B import get_fhir_model_class

    kind = resource.get("resourceType")
    if kind not in READ:
        return
    try:
        get_fhir_model_class(kind).model_validate(resource)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise PolyGuardError(
            f"{place}, {kind}.{field}", first.get("input"), f"give valid FHIR R4: {first['msg']}"
        ) from error
    yield place, url, resource


def _days(resource: Resource) -> list[str]:
    return [str(resource[name])[:10] for name in DATES if len(str(resource.get(name, ""))) >= 10]


def _person(place: str, resource: Resource, today: str) -> PatientRecord:
    born = str(resource.get("birthDate", ""))
    if len(born) < 4 or not today:
        field = "Patient.birthDate" if len(born) < 4 else "date of any resource"
        raise PolyGuardError(f"{place}, {field}", born, "give it: the age follows from both")
    # FHIR allows a year, or a year and month: the middle of what is left open.
    a = date.fromisoformat((born + ("-07-01" if len(born) == 4 else "-15"))[:10])
    b = date.fromisoformat(today)
    age = b.year - a.year - ((b.month, b.day) < (a.month, a.day))
    sex = SEXES.get(resource.get("gender", ""), "")
    return PatientRecord(SOURCE, str(resource.get("id", "")), age, sex, date=today)


def _take_in(
    place: str, resource: Resource, record: PatientRecord, drugs: dict[str, Resource], today: str,
    latest: dict[tuple[str, str], str],
) -> None:  # fmt: skip
    kind = resource["resourceType"]
    if kind in ("MedicationRequest", "MedicationStatement") and resource.get("status") == "active":
        name, rxcui = _medication(place, resource, drugs)
        began = min(_days(resource), default=today)
        days = float((date.fromisoformat(today) - date.fromisoformat(began)).days + 1)
        record.take(name, days, rxcui, directions_of(resource))
    elif kind == "Condition" and _is_present(resource):
        codings = resource.get("code", {}).get("coding", [])
        coded = [f"{SYSTEMS[c['system']]}|{c['code']}" for c in codings if c.get("system") in SYSTEMS and "code" in c]
        record.conditions += [one for one in coded if one not in record.conditions]
    elif kind == "AllergyIntolerance" and not _codes(resource, "verificationStatus") & WRONG:
        name = _named(resource.get("code", {}))
        record.allergies += [name] if name and name not in record.allergies else []
    elif kind == "Observation" and resource.get("status") not in ("cancelled", "entered-in-error"):
        day = min(_days(resource), default="")
        for part in (resource, *resource.get("component", [])):
            _observe(place, part, record, day, latest)


def _observe(
    place: str, part: Resource, record: PatientRecord, day: str, latest: dict[tuple[str, str], str]
) -> None:  # fmt: skip
    quantity = part.get("valueQuantity") or {}
    if "value" not in quantity:
        return
    unit = str(quantity.get("code") or quantity.get("unit") or "")
    for coding in part.get("code", {}).get("coding", []):
        if coding.get("system") == "http://loinc.org":
            found = measured(place, f"loinc|{coding.get('code', '')}", float(quantity["value"]), unit)
            if found and day >= latest.get((record.patient_id, found[0]), ""):
                latest[record.patient_id, found[0]] = day
                keep_measurement(record, *found)


def _medication(place: str, resource: Resource, drugs: dict[str, Resource]) -> tuple[str, str]:
    """The name and RxNorm id of what is taken."""
    concept = resource.get("medicationCodeableConcept")
    if concept is None:
        reference = (resource.get("medicationReference") or {}).get("reference", "")
        held = {f"#{one.get('id')}": one for one in resource.get("contained", [])}
        medication = held.get(reference) or drugs.get(reference)
        if medication is None:
            raise PolyGuardError(f"{place}, medicationReference", reference, "give the Medication it points to")
        concept = medication.get("code", {})
    rxcui = next((str(c.get("code", "")) for c in concept.get("coding", []) if c.get("system") == RXNORM), "")
    return _named(concept), rxcui


def directions_of(resource: Resource) -> str:
    """The dosage of a request or statement as words: what is structured, else its text; "" without any.

    Several dosages that are taken one after another, or a text beside them, cannot be told as one: their texts follow
    each other and are read as such.
    """
    dosages = resource.get("dosageInstruction") or resource.get("dosage") or []
    told = [_structured(one) or str(one.get("text") or one.get("patientInstruction") or "") for one in dosages]
    return ", then ".join(part.strip() for part in told if part.strip())[:400]


def _structured(dosage: Resource) -> str:
    """ "20 mg 2 times per 1 d" of a dose quantity and a timing; "" where either is missing."""
    repeat = (dosage.get("timing") or {}).get("repeat") or {}
    rates = [rate for rate in dosage.get("doseAndRate", []) if rate.get("doseQuantity") or rate.get("doseRange")]
    if len(rates) != 1 or not {"frequency", "period", "periodUnit"} <= set(repeat):
        return ""
    quantity = rates[0].get("doseQuantity") or rates[0]["doseRange"].get("high") or {}
    unit = str(quantity.get("unit") or quantity.get("code") or "")
    period = str(repeat["periodUnit"])
    hours = HOURS.get("year" if period == "a" else period)
    if "value" not in quantity or not unit or hours is None:
        return ""
    often = float(repeat.get("frequencyMax") or repeat["frequency"])
    every = float(repeat["period"]) * hours / often
    needed = " as needed" if dosage.get("asNeededBoolean") or dosage.get("asNeededCodeableConcept") else ""
    most = repeat.get("boundsPeriod", {}).get("end", "")
    return "" if most else f"{figures(float(quantity['value']))} {unit} every {figures(every)} hours{needed}"


def _named(concept: Resource) -> str:
    codings = concept.get("coding", [])
    displays = [str(c["display"]) for c in codings if c.get("display")]
    preferred = [str(c["display"]) for c in codings if c.get("display") and c.get("system") == RXNORM]
    return next(iter([*preferred, *([str(concept["text"])] if concept.get("text") else []), *displays]), "")


def _codes(resource: Resource, field: str) -> set[str]:
    return {str(c.get("code", "")) for c in (resource.get(field) or {}).get("coding", [])}


def _is_present(resource: Resource) -> bool:
    status = _codes(resource, "clinicalStatus")
    return (not status or bool(status & PRESENT)) and not _codes(resource, "verificationStatus") & WRONG
