"""Data that contradict each other: the review names both and which one it uses."""

from __future__ import annotations

from typing import Any

import pytest

from polyguard_env.commands.review import as_text
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.generate import PatientGenerator
from polyguard_env.patients.reading import patient_from
from polyguard_env.risk.contradictions import kidney_function, warnings_of
from polyguard_env.risk.review import review_regimen, rule_index

PERSON: dict[str, Any] = {"age": 80, "sex": "F", "weight": 60, "height": 160}


def warnings(**changed: Any) -> tuple[str, ...]:
    return warnings_of(patient_from(PERSON | changed, KnowledgeBase.default()))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"measurements": {"egfr": 90, "creatinine": 4}}, ("egfr 90", "creatinine 4")),
        ({"measurements": {"crcl": 100, "creatinine": 3}}, ("crcl 100", "creatinine 3")),
        ({"measurements": {"egfr": 12, "creatinine": 0.7}}, ("egfr 12", "creatinine 0.7")),
        ({"measurements": {"weight": 90}}, ("90 kg", "60 kg")),
        ({"weight": 25, "height": 200}, ("25 kg", "200 cm")),
        ({"measurements": {"systolic_bp": 80, "diastolic_bp": 120}}, ("systolic_bp 80", "diastolic_bp 120")),
        ({"measurements": {"wbc": 3, "neutrophils": 9}}, ("wbc 3", "neutrophils 9")),
        ({"measurements": {"haemoglobin": 8, "haematocrit": 50}}, ("haemoglobin 8", "haematocrit 50")),
    ],
)
def test_both_values_are_named_and_which_is_used(changed: dict[str, Any], named: tuple[str, str]) -> None:
    (told,) = warnings(**changed)
    assert all(value in told for value in named) and "used" in told


@pytest.mark.parametrize(
    "measurements",
    [{"egfr": 50, "creatinine": 1.4}, {"egfr": 40, "creatinine": 0.9}, {"egfr": 5, "creatinine": 4}, {"weight": 63},
     {"systolic_bp": 130, "diastolic_bp": 70}, {"haemoglobin": 12, "haematocrit": 36}],
)  # fmt: skip
def test_two_formulas_or_two_days_are_no_contradiction(measurements: dict[str, float]) -> None:
    assert warnings(measurements=measurements) == ()


def test_the_lower_kidney_function_counts_so_that_no_finding_is_lost() -> None:
    knowledge = KnowledgeBase.default()
    person = PERSON | {"measurements": {"egfr": 90, "creatinine": 4}, "regimen": ["metformin"]}
    patient = patient_from(person, knowledge)
    assert kidney_function(patient)["egfr"] < 15
    report = review_regimen(patient, knowledge)
    assert "organ_dosing:renal:metformin" in {finding.finding_id for finding in report.findings}
    assert "egfr 90 contradicts" in as_text(report, patient, knowledge)
    assert report.to_dict()["warnings"] == report.warnings


def test_generated_people_do_not_contradict_themselves() -> None:
    people = PatientGenerator(rule_index(KnowledgeBase.default()), 7)
    found = [told for number in range(300) for told in warnings_of(people.patient(number))]
    assert found == []
