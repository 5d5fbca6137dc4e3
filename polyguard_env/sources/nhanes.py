"""NHANES: demographics, prescription medications, body measures and laboratory files (SAS transport or CSV).

Ages are topped at 80 in the data and stand as 80. Names of combinations are split at semicolons.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from polyguard_env.errors import PolyGuardError
from polyguard_env.sources.records import (
    PatientRecord,
    condition_codes,
    keep_measurement,
    measured,
    observation_codes,
    records_frame,
)
from polyguard_env.sources.supplied import Files, Wanted

SOURCE = "nhanes"


def _named(stem: str) -> tuple[str, ...]:
    return (f"{stem}.xpt", f"{stem}_?.xpt", f"p_{stem}.xpt", f"{stem}.csv", f"{stem}_?.csv", f"p_{stem}.csv")


MEASURED = ("bmx", "biopro", "cbc", "ghb", "bpx", "bpxo")
ASKED = ("mcq", "bpq", "diq")
FILES = (
    Wanted("people", _named("demo")),
    Wanted("medications", _named("rxq_rx")),
    *(Wanted(stem, _named(stem), required=False) for stem in (*MEASURED, *ASKED)),
)
SEXES = {1.0: "M", 2.0: "F"}
TOPPED_AGE = 80
# "Refused", "don't know" and "could not be identified".
UNKNOWN_DRUGS = {"55555", "77777", "99999"}
UNKNOWN_DAYS = {77777.0, 99999.0}
YES = 1.0


def read(files: Files) -> pd.DataFrame:
    """Records of every participant.

    Raises:
        PolyGuardError: a file is no transport file, a column is missing, or a value is impossible.
    """
    records: dict[int, PatientRecord] = {}
    for path in files["people"]:
        for row, values in _rows(path, ("SEQN", "RIDAGEYR", "RIAGENDR")):
            age, sex = _number(values["RIDAGEYR"]), SEXES.get(_number(values["RIAGENDR"]) or 0.0, "")
            if age is None or not sex:
                field, value = ("RIDAGEYR", age) if age is None else ("RIAGENDR", values["RIAGENDR"])
                raise PolyGuardError(f"{path.name} row {row}, {field}", value, "give years, and 1 or 2 for the sex")
            person = int(_number(values["SEQN"]) or 0)
            records[person] = PatientRecord(SOURCE, str(person), int(age), sex)
            records[person].assumed += ["age"] if age >= TOPPED_AGE else []
    for path in files["medications"]:
        _medicate(path, records)
    for stem in MEASURED:
        for path in files[stem]:
            _measure(path, records)
    for stem in ASKED:
        for path in files[stem]:
            _ask(path, records)
    return records_frame(records.values())


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, object]]]:
    """Row number (from 1) and values of a file."""
    try:
        if path.suffix.lower() == ".xpt":
            frame = pd.read_sas(path, format="xport", encoding="utf-8")
        else:
            frame = pd.read_csv(path)
    except (ValueError, OSError, UnicodeDecodeError, IndexError) as error:
        raise PolyGuardError(path.name, str(error), "it cannot be read; supply the file as published") from error
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise PolyGuardError(f"{path.name}, columns {', '.join(missing)}", "missing", "supply the file as published")
    for number, values in enumerate(frame.to_dict("records"), start=1):
        yield number, {str(name): value for name, value in values.items()}


def _number(value: object) -> float | None:
    """A number; None when missing. (SAS transport's nearest to zero is 5.4e-79.)"""
    if not isinstance(value, (int, float)) or value != value:
        return None
    return 0.0 if abs(value) < 1e-70 else float(value)


def _owner(path: Path, row: int, values: dict[str, object], records: dict[int, PatientRecord]) -> PatientRecord:
    person = _number(values["SEQN"])
    if person is None or int(person) not in records:
        raise PolyGuardError(f"{path.name} row {row}, SEQN", values["SEQN"], "give a participant of the demographics")
    return records[int(person)]


def _medicate(path: Path, records: dict[int, PatientRecord]) -> None:
    for row, values in _rows(path, ("SEQN", "RXDDRUG", "RXDDAYS")):
        record = _owner(path, row, values, records)
        name = values["RXDDRUG"].strip() if isinstance(values["RXDDRUG"], str) else ""
        if not name or name in UNKNOWN_DRUGS:
            continue
        days = _number(values["RXDDAYS"])
        for part in name.split(";"):
            record.take(part.strip(), 1.0 if days is None or days in UNKNOWN_DAYS else days)
        for column in ("RXDRSC1", "RXDRSC2", "RXDRSC3"):
            reason = values.get(column)
            coded = f"icd10|{reason.strip()}" if isinstance(reason, str) and reason.strip() else ""
            record.conditions += [coded] if coded and coded not in record.conditions else []


def _measure(path: Path, records: dict[int, PatientRecord]) -> None:
    for row, values in _rows(path, ("SEQN",)):
        record = _owner(path, row, values, records)
        for name, value in values.items():
            number = _number(value)
            code = f"nhanes|{name}"
            if number is None or code not in observation_codes():
                continue
            unit = next(iter(observation_codes()[code][1]))
            # A diastolic pressure of zero is how the protocol records that no sound was heard last.
            if number == 0.0 and name in ("BPXDI1", "BPXODI1"):
                continue
            found = measured(f"{path.name} row {row}", code, number, unit)
            if found:
                keep_measurement(record, *found)


def _ask(path: Path, records: dict[int, PatientRecord]) -> None:
    known = condition_codes()["nhanes"]
    for row, values in _rows(path, ("SEQN",)):
        record = _owner(path, row, values, records)
        said = [f"nhanes|{name}" for name, value in values.items() if name in known and _number(value) == YES]
        record.conditions += [coded for coded in said if coded not in record.conditions]
