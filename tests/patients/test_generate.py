"""The generator: the same patient at any batch size, correlated, and like the published cohorts."""

from __future__ import annotations

import numpy as np
import pytest

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.body import ckd_epi_vector
from polyguard_env.patients.generate import Cohort, PatientGenerator
from polyguard_env.patients.model import Patient
from polyguard_env.risk.calculators import ckd_epi_2021
from polyguard_env.risk.review import rule_index


@pytest.fixture(scope="module")
def generator() -> PatientGenerator:
    return PatientGenerator(rule_index(KnowledgeBase.default()), seed=7)


@pytest.fixture(scope="module")
def cohort(generator: PatientGenerator) -> Cohort:
    return generator.cohort(0, 40_000)


def test_a_patient_is_the_same_in_any_batch(generator: PatientGenerator) -> None:
    whole = generator.table(0, 1000)
    pieces = [generator.table(start, 250) for start in range(0, 1000, 250)]
    for place, piece in enumerate(pieces):
        assert whole.slice(place * 250, 250).to_pylist() == piece.to_pylist()
    assert generator.patient(617).to_dict() == list(generator.patients(600, 30))[17].to_dict()


def test_another_seed_gives_other_patients(generator: PatientGenerator) -> None:
    other = PatientGenerator(generator.index, seed=8)
    assert other.table(0, 50).to_pylist() != generator.table(0, 50).to_pylist()


@pytest.mark.parametrize(("least", "published", "tolerance"), [(1, 0.885, 0.03), (3, 0.664, 0.03), (5, 0.419, 0.02)])
def test_drug_counts_match_nchs(cohort: Cohort, least: int, published: float, tolerance: float) -> None:
    taken = (cohort.drugs >= 0).sum(axis=1)
    assert (taken >= least).mean() == pytest.approx(published, abs=tolerance)


def test_conditions_hang_together(cohort: Cohort) -> None:
    held = {name: cohort.conditions[:, place] for place, name in enumerate(cohort.condition_ids)}
    assert held["angina"][held["coronary_artery_disease"]].mean() > 2 * held["angina"].mean()
    assert held["neuropathic_pain"][held["diabetes"]].mean() > 1.3 * held["neuropathic_pain"].mean()
    assert held["dementia"][cohort.age >= 85].mean() > 3 * held["dementia"][cohort.age < 72].mean()
    assert not held["bph"][cohort.female].any()
    counts = cohort.conditions.sum(axis=1)
    taken = (cohort.drugs >= 0).sum(axis=1)
    assert np.corrcoef(counts, taken)[0, 1] > 0.5


def test_nobody_takes_a_drug_twice(cohort: Cohort) -> None:
    for row in cohort.drugs[:5000]:
        taken = row[row >= 0]
        assert len(set(taken.tolist())) == len(taken)


def test_vector_kidney_function_agrees_with_the_calculator() -> None:
    ages, creatinine, female = np.array([66.0, 80.0, 91.0]), np.array([0.6, 1.4, 3.2]), np.array([True, False, True])
    vector = ckd_epi_vector(ages, creatinine, female)
    single = [ckd_epi_2021(a, c, "F" if f else "M") for a, c, f in zip(ages, creatinine, female, strict=True)]
    assert vector == pytest.approx(single, rel=1e-12)


def test_a_patient_survives_json(generator: PatientGenerator) -> None:
    patient = generator.patient(5)
    assert Patient.from_dict(patient.to_dict()) == patient


def test_bad_ranges_are_refused(generator: PatientGenerator) -> None:
    with pytest.raises(PolyGuardError, match="start, count"):
        generator.cohort(-1, 5)
    with pytest.raises(PolyGuardError, match="seed"):
        PatientGenerator(generator.index, seed=-1)
