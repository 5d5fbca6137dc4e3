"""Doses of a plain list reach the findings: summed, above the maximum, against kidneys, and too often."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from polyguard_env.commands.review import add_arguments, as_text, patient_of_drugs, person_of, run
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.directed import entries_of
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.review import review_regimen

LISTED = (
    "metoprolol tartrate 50 mg bid; warfarin 5 mg daily; acetaminophen 1000 mg q6h prn; Entresto 49/51 mg BID; "
    "Lantus 20 units at bedtime; fentanyl patch 25 mcg/h q72h; alendronate 70 mg weekly; methotrexate 15 mg once "
    "weekly; prednisone 5 mg every other day; Ventolin 2 puffs q4h prn; furosemide 40 mg 1 tab BID; atorvastatin "
    "1 x 40mg nocte; ramipril 2.5mg OD (UK)"
)


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return KnowledgeBase.default()


def found(text: str, **person: Any) -> dict[str, Finding]:
    knowledge = KnowledgeBase.default()
    report = review_regimen(patient_of_drugs(entries_of(text), knowledge, person), knowledge)
    return {finding.finding_id: finding for finding in report.findings}


@pytest.mark.parametrize("text", ["methotrexate 2.5 mg daily", "methotrexate 15 mg od", "methotrexate 2.5 mg tid"])
def test_weekly_methotrexate_taken_daily_is_the_worst_finding(text: str) -> None:
    finding = found(text)["organ_dosing:interval:methotrexate"]
    assert finding.severity == "contraindicated" and "at least 7 days" in finding.management
    assert {"fda_label", "ismp_methotrexate"} <= set(finding.evidence_ids)


@pytest.mark.parametrize("text", ["methotrexate 15 mg weekly", "methotrexate 15 mg every Monday", "methotrexate 15 mg"])
def test_weekly_methotrexate_is_none(text: str) -> None:
    assert "organ_dosing:interval:methotrexate" not in found(text)


def test_two_products_of_one_ingredient_are_summed() -> None:
    findings = found("Tylenol 3000 mg daily, acetaminophen 1 g tid")
    assert findings["organ_dosing:maximum:acetaminophen"].severity == "major"
    assert "6000 mg a day in all" in findings["duplication:acetaminophen"].management
    assert "organ_dosing:maximum:acetaminophen" not in found("Tylenol 3000 mg daily")


def test_kidney_function_of_the_command_line_meets_the_dose() -> None:
    person = person_of({"age": "85", "sex": "female", "weight": "55", "creatinine": "177 umol/L"})
    findings = found("metformin 1000 mg bid; gabapentin 600 mg tid", **person)
    assert {"organ_dosing:renal:metformin", "organ_dosing:renal:gabapentin"} <= set(findings)
    assert findings["organ_dosing:renal:gabapentin"].limit is not None
    assert "organ_dosing:renal:metformin" not in found("metformin 500 mg bid", **person_of({"egfr": "80"}))


def test_a_strength_is_no_daily_dose_and_the_output_says_so(knowledge: KnowledgeBase) -> None:
    patient = patient_of_drugs(["acetaminophen 3000 mg"], knowledge)
    report = review_regimen(patient, knowledge)
    assert patient.regimen[0].dose is None
    shown = as_text(report, patient, knowledge, "age 75 years")
    assert "3000 mg is a strength; how often it is taken is not said" in shown and "Assumed: age 75 years" in shown


def test_a_real_list_is_read(knowledge: KnowledgeBase) -> None:
    patient = patient_of_drugs(entries_of(LISTED), knowledge)
    unknown = [item.drug_id for item in patient.regimen if item.dose is None]
    assert unknown == ["albuterol"] and len(patient.regimen) == 14
    shown = as_text(review_regimen(patient, knowledge), patient, knowledge)
    assert "furosemide 80 mg" in shown and "prednisone 2.5 mg (on average; every 2 days)" in shown


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (["--drugs", "warfarin", "--age", "x"], "--age"), (["--drugs", "warfarin", "--age", "400"], "age"),
        (["--drugs", "warfarin", "--weight", "150 lb"], "--weight"), (["--drugs", "warfarin", "--sex", "Z"], "sex"),
        (["--drugs", "warfarin", "--creatinine", "124"], "measurements.creatinine"),
        (["--drugs", "warfarin", "--conditions", "gout of the knee"], "conditions[0]"),
        (["--drugs", "warfarin", "--allergies", "zzz"], "allergies[0]"),
        (["--patient", "none.json", "--egfr", "30"], "--egfr"), (["--drugs", " ; "], "--drugs"),
        (["--drugs", "warfarin 5 mg daily; ibuprofen 99 kg daily"], "--drugs[1]"),
    ],
)  # fmt: skip
def test_a_bad_option_is_an_error_that_names_it(options: list[str], field: str) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with pytest.raises(PolyGuardError) as error:
        run(parser.parse_args(options))
    assert error.value.field == field
