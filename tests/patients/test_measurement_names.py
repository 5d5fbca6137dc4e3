"""Names of measurements and allergies as people write them."""

from __future__ import annotations

import pytest

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.reading import measurement_table, patient_from
from polyguard_env.risk.review import review_regimen

PERSON = {"age": 80, "sex": "F", "weight": 60, "height": 160}


@pytest.mark.parametrize(
    ("written", "measured", "value"),
    [
        ("hemoglobin", "haemoglobin", 11.0), ("Hemoglobin", "haemoglobin", 11.0), ("lithium", "lithium_level", 0.8),
        ("digoxin", "digoxin_level", 1.1), ("serum potassium", "potassium", 4.4), ("hematocrit", "haematocrit", 33.0),
        ("digoxin_level", "digoxin_level", 1.1),
    ],
)  # fmt: skip
def test_other_names_of_a_measurement(written: str, measured: str, value: float) -> None:
    patient = patient_from({**PERSON, "measurements": {written: value}}, KnowledgeBase.default())
    assert patient.measurements == {measured: value}


def test_one_measurement_under_two_names_is_refused() -> None:
    told = {"hemoglobin": 11.0, "haemoglobin": 12.0}
    with pytest.raises(PolyGuardError, match="given as hemoglobin as well"):
        patient_from({**PERSON, "measurements": told}, KnowledgeBase.default())
    with pytest.raises(PolyGuardError, match="use one of"):
        patient_from({**PERSON, "measurements": {"hemoglobine": 11.0}}, KnowledgeBase.default())


def test_every_other_name_is_of_a_measurement() -> None:
    assert {row["measurement_id"] for row in read_fragments("measurement_names")} <= set(measurement_table())


@pytest.mark.parametrize(
    ("allergy", "drug"),
    [("PEG", "polyethylene glycol"), ("insulin", "insulin glargine"), ("insulin", "insulin lispro"),
     ("insulin", "insulin human")],
)  # fmt: skip
def test_an_allergy_reaches_the_drugs_it_means(allergy: str, drug: str) -> None:
    knowledge = KnowledgeBase.default()
    patient = patient_from({**PERSON, "allergies": [allergy], "regimen": [drug]}, knowledge)
    assert any("allergy" in finding.mechanism for finding in review_regimen(patient, knowledge).findings)
