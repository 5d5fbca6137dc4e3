"""Synthea's CSV export: living people, the drugs and conditions they have on the day the data ends."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd

from polyguard_env.sources.records import PatientRecord, keep_measurement, measured, records_frame
from polyguard_env.sources.supplied import Files, Wanted, as_date, as_number, one_of, read_rows

SOURCE = "synthea"
FILES = (
    Wanted("patients", ("patients.csv", "patients.csv.gz")),
    Wanted("medications", ("medications.csv", "medications.csv.gz")),
    Wanted("conditions", ("conditions.csv", "conditions.csv.gz")),
    Wanted("observations", ("observations.csv", "observations.csv.gz"), required=False),
    Wanted("allergies", ("allergies.csv", "allergies.csv.gz"), required=False),
)
SEXES = {"F": "F", "M": "M"}


def read(files: Files) -> pd.DataFrame:
    """Records of the living, on the last day any medication starts.

    Raises:
        PolyGuardError: a malformed row, an unknown patient, or an impossible measurement.
    """
    medications = [row for path in files["medications"] for row in _timed(path, ("CODE", "DESCRIPTION"))]
    today = max((row["START"] for _, _, row in medications), default="")
    records = _people(files["patients"], today)
    for path, line, row in medications:
        record = _owner(path, line, row, records)
        if record and _current(row, today):
            days = (date.fromisoformat(today) - date.fromisoformat(row["START"])).days + 1
            record.take(row["DESCRIPTION"], float(days), row["CODE"])
    for path in files["conditions"]:
        for _, line, row in _timed(path, ("CODE",)):
            record = _owner(path, line, row, records)
            coded = f"snomed|{row['CODE']}"
            if record and _current(row, today) and coded not in record.conditions:
                record.conditions.append(coded)
    _observe(files["observations"], records)
    for path in files["allergies"]:
        for _, line, row in _timed(path, ("DESCRIPTION",)):
            record = _owner(path, line, row, records)
            if record and _current(row, today):
                record.allergies.append(row["DESCRIPTION"])
    return records_frame(record for record in records.values() if record)


def _people(paths: tuple[Path, ...], today: str) -> dict[str, PatientRecord | None]:
    """Records by id; None for the dead."""
    records: dict[str, PatientRecord | None] = {}
    for path in paths:
        for line, row in read_rows(path, ("Id", "BIRTHDATE", "DEATHDATE", "GENDER")):
            born = as_date(path, line, "BIRTHDATE", row["BIRTHDATE"])
            died = as_date(path, line, "DEATHDATE", row["DEATHDATE"])
            sex = one_of(path, line, "GENDER", row["GENDER"], SEXES)
            one_of(path, line, "BIRTHDATE", "date" if born else "", {"date": ""})
            records[row["Id"]] = None if died else PatientRecord(SOURCE, row["Id"], _age(born, today), sex, date=today)
    return records


def _timed(path: Path, columns: tuple[str, ...]) -> list[tuple[Path, int, dict[str, str]]]:
    found = []
    for line, row in read_rows(path, ("START", "STOP", "PATIENT", *columns)):
        row |= {field: as_date(path, line, field, row[field]) for field in ("START", "STOP")}
        found.append((path, line, row))
    return found


def _current(row: dict[str, str], today: str) -> bool:
    return row["START"] <= today and (not row["STOP"] or row["STOP"] > today)


def _owner(
    path: Path, line: int, row: dict[str, str], records: dict[str, PatientRecord | None]
) -> PatientRecord | None:
    one_of(path, line, "PATIENT", "known" if row["PATIENT"] in records else row["PATIENT"], {"known": ""})
    return records[row["PATIENT"]]


def _observe(paths: tuple[Path, ...], records: dict[str, PatientRecord | None]) -> None:
    latest: dict[tuple[str, str], str] = {}
    for path in paths:
        for line, row in read_rows(path, ("DATE", "PATIENT", "CODE", "VALUE", "UNITS")):
            record = _owner(path, line, row, records)
            code = f"loinc|{row['CODE']}"
            if record is None or not _numeric(row["VALUE"]):
                continue
            value = as_number(path, line, "VALUE", row["VALUE"])
            found = measured(f"{path.name} line {line}", code, value, row["UNITS"])
            day = as_date(path, line, "DATE", row["DATE"])
            if found and day >= latest.get((row["PATIENT"], found[0]), ""):
                latest[row["PATIENT"], found[0]] = day
                keep_measurement(record, *found)


def _numeric(text: str) -> bool:
    return bool(text) and (text[0].isdigit() or text[0] in "+-.")


def _age(born: str, today: str) -> int:
    a, b = date.fromisoformat(born), date.fromisoformat(today)
    return b.year - a.year - ((b.month, b.day) < (a.month, a.day))
