"""A dose within its label's limit lowers a pair; a labelled dose of another form or use is no dose too high."""

from __future__ import annotations

from typing import Any

import pytest

from polyguard_env.commands.review import patient_of_drugs
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.directed import entries_of
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.review import graded_findings, review_regimen


def found(text: str, **person: Any) -> dict[str, Finding]:
    knowledge = KnowledgeBase.default()
    report = review_regimen(patient_of_drugs(entries_of(text), knowledge, person), knowledge)
    return {finding.finding_id: finding for finding in report.findings}


@pytest.mark.parametrize(
    ("text", "pair", "severity"),
    [
        ("simvastatin 20 mg daily; amlodipine 5 mg daily", "amlodipine+simvastatin", "minor"),
        ("simvastatin 40 mg daily; amlodipine 5 mg daily", "amlodipine+simvastatin", "major"),
        ("simvastatin; amlodipine 5 mg daily", "amlodipine+simvastatin", "major"),
        ("simvastatin 20 mg daily; simvastatin; amlodipine", "amlodipine+simvastatin", "major"),
        ("simvastatin 10 mg daily; ranolazine 500 mg bid", "ranolazine+simvastatin", "minor"),
        ("citalopram 20 mg daily; omeprazole 20 mg daily", "citalopram+omeprazole", "moderate"),
        ("citalopram 40 mg daily; omeprazole 20 mg daily", "citalopram+omeprazole", "major"),
        ("escitalopram 10 mg daily; omeprazole 20 mg daily", "escitalopram+omeprazole", "moderate"),
        ("escitalopram 20 mg daily; omeprazole 20 mg daily", "escitalopram+omeprazole", "major"),
        ("metformin 500 mg bid; ranolazine 500 mg bid", "metformin+ranolazine", "minor"),
        ("cilostazol 50 mg bid; omeprazole 20 mg daily", "cilostazol+omeprazole", "moderate"),
        ("cilostazol 100 mg bid; omeprazole 20 mg daily", "cilostazol+omeprazole", "major"),
        ("eplerenone 25 mg daily; diltiazem 120 mg daily", "diltiazem+eplerenone", "moderate"),
        ("ranolazine 500 mg bid; diltiazem 120 mg daily", "diltiazem+ranolazine", "moderate"),
        ("ticagrelor 90 mg bid; simvastatin 40 mg daily", "simvastatin+ticagrelor", "minor"),
        ("aspirin 81 mg daily; lisinopril 10 mg daily", "aspirin+lisinopril", "minor"),
        ("aspirin 81 mg daily; furosemide 40 mg daily", "aspirin+furosemide", "minor"),
        ("aspirin 500 mg tid; lisinopril 10 mg daily", "aspirin+lisinopril", "moderate"),
        ("methotrexate 15 mg weekly; omeprazole 20 mg daily", "methotrexate+omeprazole", "moderate"),
        ("methotrexate; omeprazole 20 mg daily", "methotrexate+omeprazole", "major"),
        ("rivaroxaban 2.5 mg bid; aspirin 81 mg daily", "aspirin+rivaroxaban", "moderate"),
        ("rivaroxaban 2.5 mg bid; aspirin 500 mg tid", "aspirin+rivaroxaban", "major"),
        ("rivaroxaban 20 mg daily; aspirin 81 mg daily", "aspirin+rivaroxaban", "major"),
        ("warfarin 5 mg daily; amoxicillin 500 mg tid", "amoxicillin+warfarin", "moderate"),
        ("warfarin 5 mg daily; vitamin k2", "vitamin_k_2+warfarin", "major"),
        ("celecoxib 200 mg daily; trimethoprim 100 mg bid", "celecoxib+trimethoprim", "moderate"),
    ],
)
def test_a_told_dose_grades_a_pair(text: str, pair: str, severity: str) -> None:
    assert found(text)[f"interaction:{pair}"].severity == severity


@pytest.mark.parametrize(
    ("text", "drug_id", "severity"),
    [
        ("memantine XR 28 mg daily", "memantine", ""),
        ("memantine 28 mg daily", "memantine", "moderate"),
        ("Rybelsus 14 mg daily", "semaglutide", ""),
        ("Rybelsus 28 mg daily", "semaglutide", "major"),
        ("Stelara 90 mg every 8 weeks", "ustekinumab", ""),
        ("Stelara 90 mg every 4 weeks", "ustekinumab", "major"),
        ("donepezil 23 mg daily", "donepezil", ""),
        ("donepezil 20 mg daily", "donepezil", "major"),
        ("Rytary 48.75/195 3 caps tid", "carbidopa", ""),
        ("Rytary 48.75/195 3 caps tid", "levodopa", ""),
        ("ferrous sulfate 325 mg tid", "ferrous_sulfate", ""),
        ("ferrous sulfate 325 mg qid", "ferrous_sulfate", "moderate"),
        ("apixaban 10 mg bid", "apixaban", "moderate"),
    ],
)
def test_a_labelled_dose_of_another_form_is_not_too_high(text: str, drug_id: str, severity: str) -> None:
    finding = found(text).get(f"organ_dosing:maximum:{drug_id}")
    assert (finding.severity if finding else "") == severity


def test_the_first_days_of_treating_a_clot_are_told_by_the_condition() -> None:
    maximum = "organ_dosing:maximum:apixaban"
    assert found("apixaban 10 mg bid", conditions=["venous_thromboembolism"])[maximum].severity == "minor"
    assert found("apixaban 10 mg bid", conditions=["atrial_fibrillation"])[maximum].severity == "major"


def test_advice_names_the_drug_that_is_taken() -> None:
    finding = found("escitalopram 20 mg daily; omeprazole 20 mg daily")["interaction:escitalopram+omeprazole"]
    assert finding.management == "reduce_dose: at most 10 mg escitalopram from 65 years on"


def test_one_danger_of_a_product_is_one_finding() -> None:
    ids = found("Entresto 49/51 mg bid; Bactrim DS bid; spironolactone 25 mg daily; celecoxib 200 mg daily")
    assert "interaction:spironolactone+valsartan" in ids and "interaction:trimethoprim+valsartan" in ids
    twice = {"sacubitril+spironolactone", "sacubitril+trimethoprim", "sulfamethoxazole+valsartan"}
    twice |= {"sulfamethoxazole+spironolactone", "spironolactone+sulfamethoxazole", "celecoxib+sulfamethoxazole"}
    assert not {f"interaction:{pair}" for pair in twice} & set(ids)


def test_what_to_watch_is_said_once() -> None:
    text = found("aspirin 500 mg tid; lisinopril 10 mg daily")["interaction:aspirin+lisinopril"].management
    assert text.count("creatinine") == 1


def test_every_row_of_a_pair_lowers_one_that_is_graded() -> None:
    knowledge = KnowledgeBase.default()
    for row in read_fragments("dosed_pairs"):
        names = [cell.split(";")[0].partition(":") for cell in (row["side_a"], row["side_b"])]
        a, b = (min(knowledge.drugs_in_class(name)) if kind == "class" else name for kind, _, name in names)
        if names[1][0] == "class":
            b = {"ras_agents": "lisinopril", "ppis": "omeprazole"}[names[1][2]]
        patient = patient_of_drugs(entries_of(f"{a}; {b}"), knowledge, {})
        held = [f for f in graded_findings(patient, knowledge) if f.category == "interaction"]
        assert [f.mechanism in row["mechanisms"].split(";") for f in held] == [True], row["rule_id"]
