"""The MIMIC-III demo: orders running on the day of each patient's last discharge.

These are inpatient orders, not home regimens; the day of discharge is the nearest the data has. Ages over 89
are hidden in the data (shifted to 300) and stand as 91, the published median of that group.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from pathlib import Path

import pandas as pd

from polyguard_env.sources.records import PatientRecord, records_frame
from polyguard_env.sources.supplied import Files, Wanted, as_date, one_of, read_rows

SOURCE = "mimic"


def _named(name: str) -> tuple[str, ...]:
    return (f"{name}.csv", f"{name}.csv.gz", f"m3_{name}.csv")


FILES = (
    Wanted("patients", _named("patients")),
    Wanted("admissions", _named("admissions")),
    Wanted("prescriptions", _named("prescriptions")),
    Wanted("diagnoses", _named("diagnoses_icd")),
)
SEXES = {"F": "F", "M": "M"}
HIDDEN_AGE, MEDIAN_HIDDEN_AGE = 89, 91


def read(files: Files) -> pd.DataFrame:
    """Records at the last discharge of everyone with an admission.

    Raises:
        PolyGuardError: a malformed row, or a row of an unknown patient.
    """
    people = _people(files["patients"])
    last = _last_admissions(files["admissions"], people)
    diagnoses: dict[str, list[str]] = defaultdict(list)
    for path in files["diagnoses"]:
        for _, row in read_rows(path, ("subject_id", "icd9_code")):
            coded = f"icd9|{row['icd9_code']}"
            if row["icd9_code"] and coded not in diagnoses[row["subject_id"]]:
                diagnoses[row["subject_id"]].append(coded)
    records = {}
    for subject, (admission, day) in last.items():
        sex, born = people[subject]
        years = (date.fromisoformat(day) - date.fromisoformat(born)).days // 365.2425
        hidden = years > HIDDEN_AGE
        age = MEDIAN_HIDDEN_AGE if hidden else int(years)
        record = PatientRecord(SOURCE, subject, age, sex, conditions=diagnoses[subject], date=day)
        record.assumed += ["age"] if hidden else []
        records[admission] = record
    _order(files["prescriptions"], records)
    return records_frame(records.values())


def _people(paths: tuple[Path, ...]) -> dict[str, tuple[str, str]]:
    found = {}
    for path in paths:
        for line, row in read_rows(path, ("subject_id", "gender", "dob")):
            born = as_date(path, line, "dob", row["dob"])
            one_of(path, line, "dob", "date" if born else "", {"date": ""})
            found[row["subject_id"]] = (one_of(path, line, "gender", row["gender"], SEXES), born)
    return found


def _last_admissions(paths: tuple[Path, ...], people: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Subject to the id and discharge day of the last admission."""
    found: dict[str, tuple[str, str]] = {}
    for path in paths:
        for line, row in read_rows(path, ("subject_id", "hadm_id", "dischtime")):
            known = "known" if row["subject_id"] in people else row["subject_id"]
            one_of(path, line, "subject_id", known, {"known": ""})
            day = as_date(path, line, "dischtime", row["dischtime"])
            if day and day > found.get(row["subject_id"], ("", ""))[1]:
                found[row["subject_id"]] = (row["hadm_id"], day)
    return found


def _order(paths: tuple[Path, ...], records: dict[str, PatientRecord]) -> None:
    columns = ("hadm_id", "startdate", "enddate", "drug_type", "drug")
    for path in paths:
        for line, row in read_rows(path, columns, ("drug_name_generic",)):
            start = as_date(path, line, "startdate", row["startdate"])
            end = as_date(path, line, "enddate", row["enddate"])
            record = records.get(row["hadm_id"])
            # Bases and additives are the fluids a drug is given in.
            if record is None or row["drug_type"] != "MAIN" or not start or start > record.date:
                continue
            if not end or end >= record.date:
                days = (date.fromisoformat(record.date) - date.fromisoformat(start)).days + 1
                record.take(row["drug"], float(days))
