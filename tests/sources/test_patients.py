"""Patients of Synthea and MIMIC: who is kept, what they take, what is named when a file is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.condition_names import condition_ids
from polyguard_env.risk.review import review_regimen
from polyguard_env.sources import mimic, synthea
from polyguard_env.sources.records import condition_codes, condition_of, measured, records_of, to_patients
from polyguard_env.sources.resolve import Resolver
from polyguard_env.sources.supplied import find_files

Write = Callable[[str, str], Path]
PATIENTS = "Id,BIRTHDATE,DEATHDATE,GENDER\np1,1940-05-01,,F\np2,1990-05-01,,M\np3,1930-01-01,2019-01-01,M\n"
MEDICATIONS = (
    "START,STOP,PATIENT,CODE,DESCRIPTION\n"
    "2019-01-01T00:00:00Z,,p1,855332,Warfarin Sodium 5 MG Oral Tablet\n"
    "2010-01-01T00:00:00Z,2011-01-01T00:00:00Z,p1,1,Digoxin 0.125 MG Oral Tablet\n"
    "2020-01-01T00:00:00Z,,p2,1,Unobtainium 5 MG Oral Tablet\n"
)
CONDITIONS = "START,STOP,PATIENT,CODE,DESCRIPTION\n2001-01-01,,p1,59621000,Essential hypertension (disorder)\n"
OBSERVATIONS = (
    "DATE,PATIENT,CODE,DESCRIPTION,VALUE,UNITS,TYPE\n"
    "2018-01-01T00:00:00Z,p1,2160-0,Creatinine,1.4,mg/dL,numeric\n"
    "2019-01-01T00:00:00Z,p1,2160-0,Creatinine,1.1,mg/dL,numeric\n"
    "2019-01-01T00:00:00Z,p1,29463-7,Weight,61.5,kg,numeric\n"
    "2019-01-01T00:00:00Z,p1,72166-2,Smoking,Never smoker,,text\n"
)


def synthea_folder(write: Write, **changes: str) -> Path:
    texts = {"patients": PATIENTS, "medications": MEDICATIONS, "conditions": CONDITIONS, "observations": OBSERVATIONS}
    for name, text in (texts | changes).items():
        folder = write(f"{name}.csv", text)
    return folder


def test_synthea_keeps_the_living_and_what_they_take_now(write: Write, resolver: Resolver) -> None:
    frame = synthea.read(find_files("synthea", synthea_folder(write), synthea.FILES))
    assert frame["patient_id"].tolist() == ["p1", "p2"]
    joined = to_patients(records_of(frame), resolver)
    (patient,) = joined.patients
    assert (patient.patient_id, patient.age, patient.sex) == ("synthea:p1", 79, "F")
    assert patient.drug_ids == ("warfarin",) and patient.regimen[0].days == 366
    assert patient.conditions == ("hypertension",)
    assert patient.measurements == {"creatinine": 1.1} and patient.weight == 61.5
    row = joined.frame.iloc[0]
    assert list(row["assumed"]) == ["height"] and row["source"] == "synthea"
    assert joined.excluded == {"under 65": 1}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"patients": PATIENTS.replace("1940-05-01", "May 1940")}, "patients.csv line 2, BIRTHDATE"),
        ({"patients": PATIENTS.replace(",F\n", ",X\n")}, "patients.csv line 2, GENDER"),
        ({"medications": MEDICATIONS.replace("p1,855332", "p9,855332")}, "medications.csv line 2, PATIENT"),
        ({"observations": OBSERVATIONS.replace("1.1,mg/dL", "1.1,mg")}, "observations.csv line 3, unit of creatinine"),
        ({"observations": OBSERVATIONS.replace("1.4,mg", "140,mg")}, "line 2, creatinine: '140 mg/dL': impossible"),
        ({"observations": OBSERVATIONS.replace("61.5", "6 stone")}, "line 4, VALUE"),
    ],
)
def test_a_malformed_row_names_file_row_and_field(write: Write, changes: dict[str, str], named: str) -> None:
    folder = synthea_folder(write, **changes)
    with pytest.raises(PolyGuardError, match=named):
        synthea.read(find_files("synthea", folder, synthea.FILES))


def test_a_missing_file_is_named(write: Write) -> None:
    with pytest.raises(PolyGuardError, match=r"supply medications\.csv"):
        find_files("synthea", write("patients.csv", PATIENTS), synthea.FILES)


def test_unresolved_names_are_listed_not_guessed(write: Write, resolver: Resolver) -> None:
    old = PATIENTS.replace("1990-05-01", "1945-05-01")
    joined = to_patients(
        records_of(synthea.read(find_files("synthea", synthea_folder(write, patients=old), synthea.FILES))), resolver
    )
    assert dict(joined.unresolved) == {"Unobtainium 5 MG Oral Tablet": 1}
    assert list(joined.frame.iloc[1]["unresolved"]) == ["Unobtainium 5 MG Oral Tablet"]


def mimic_folder(write: Write, prescriptions: str = "") -> Path:
    write("PATIENTS.csv", "ROW_ID,SUBJECT_ID,GENDER,DOB\n1,10,F,2090-01-01 00:00:00\n2,11,M,1870-01-01 00:00:00\n")
    write("ADMISSIONS.csv", "ROW_ID,SUBJECT_ID,HADM_ID,ADMITTIME,DISCHTIME\n"
          "1,10,100,2160-01-01 01:00:00,2160-01-05 01:00:00\n2,10,101,2165-01-01 01:00:00,2165-01-09 01:00:00\n"
          "3,11,102,2170-01-01 01:00:00,2170-01-05 01:00:00\n")  # fmt: skip
    write("DIAGNOSES_ICD.csv", "ROW_ID,SUBJECT_ID,HADM_ID,SEQ_NUM,ICD9_CODE\n1,10,101,1,42731\n2,10,101,2,E8859\n")
    return write("PRESCRIPTIONS.csv", prescriptions or "ROW_ID,SUBJECT_ID,HADM_ID,STARTDATE,ENDDATE,DRUG_TYPE,DRUG\n"
                 "1,10,101,2165-01-02 00:00:00,2165-01-09 00:00:00,MAIN,Warfarin\n"
                 "2,10,101,2165-01-02 00:00:00,2165-01-03 00:00:00,MAIN,Digoxin\n"
                 "3,10,101,2165-01-02 00:00:00,2165-01-09 00:00:00,BASE,D5W\n"
                 "4,10,100,2160-01-02 00:00:00,2160-01-09 00:00:00,MAIN,Lisinopril\n")  # fmt: skip


def test_mimic_gives_the_orders_of_the_last_discharge(write: Write, resolver: Resolver) -> None:
    frame = mimic.read(find_files("mimic", mimic_folder(write), mimic.FILES))
    first, second = to_patients(records_of(frame), resolver).patients
    assert first.age == 75 and first.drug_ids == ("warfarin",) and first.regimen[0].days == 8
    assert first.conditions == ("atrial_fibrillation",)
    assert second.age == 91 and "age" in frame.iloc[1]["assumed"]


def test_the_synthea_sample(shared: Callable[[str], Path], resolver: Resolver, knowledge: KnowledgeBase) -> None:
    joined = to_patients(
        records_of(synthea.read(find_files("synthea", shared("synthea_sample"), synthea.FILES))), resolver
    )
    assert len(joined.patients) == 14 and not joined.unresolved
    assert all(len(review_regimen(patient, knowledge).knowledge_fingerprint) for patient in joined.patients)


def test_the_mimic_sample(shared: Callable[[str], Path], resolver: Resolver) -> None:
    joined = to_patients(records_of(mimic.read(find_files("mimic", shared("mimic_demo"), mimic.FILES))), resolver)
    taken = joined.frame["drugs"].map(len).sum()
    lost = joined.frame["unresolved"].map(len).sum()
    assert len(joined.patients) == 76 and taken / (taken + lost) > 0.9


def test_codes_lead_to_known_conditions() -> None:
    assert {name for codes in condition_codes().values() for name in codes.values()} <= condition_ids()
    assert condition_of("icd10|I48.91") == condition_of("icd9|42731") == "atrial_fibrillation"
    assert condition_of("icd9|4280") == "hfpef" and condition_of("icd9|42821") == "hfref"
    assert condition_of("icd10|Z00.0") == condition_of("snomed|1") == condition_of("loinc|1") == ""


def test_units_are_converted() -> None:
    assert measured("f line 2", "loinc|2160-0", 88.4, "umol/L") == ("creatinine", 1.0)
    assert measured("f line 2", "loinc|2345-7", 100.0, "mg/dL") == ("glucose", 5.551)
    assert measured("f line 2", "loinc|0000-0", 100.0, "furlong") is None
