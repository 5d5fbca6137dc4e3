"""The cohort beside published figures, and cohorts that must not pass."""

from __future__ import annotations

import pytest

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients import generate
from polyguard_env.patients.generate import PatientGenerator
from polyguard_env.patients.realism import compare
from polyguard_env.patients.rows import patient_of_row
from polyguard_env.risk.review import rule_index

COUNT = 20_000


def outside(generator: PatientGenerator) -> set[str]:
    return {row.figure for row in compare(generator.frame(0, COUNT), generator.index) if not row.plausible}


@pytest.fixture
def generator() -> PatientGenerator:
    return PatientGenerator(rule_index(KnowledgeBase.default()), seed=11)


def test_every_figure_is_in_its_range(generator: PatientGenerator) -> None:
    assert outside(generator) == set()


def test_every_figure_names_its_source(generator: PatientGenerator) -> None:
    rows = compare(generator.frame(0, COUNT), generator.index)
    assert len(rows) > 190
    assert all(row.source and row.year and row.low <= row.published <= row.high for row in rows)


def test_overprescribing_is_implausible(generator: PatientGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "HABIT_MEAN", 1.5)
    assert {"drugs_at_least_5", "drugs_at_least_3"} <= outside(generator)


def test_a_population_without_falls_is_implausible(
    generator: PatientGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "FALLS_BASE", -6.0)
    assert outside(generator) == {"falls", "falls_65_74", "falls_75_84", "falls_85", "falls_frail"}


def test_a_row_is_the_patient_it_was_made_from(generator: PatientGenerator) -> None:
    rows = generator.frame(0, 200).to_dict("records")
    assert [patient_of_row(row) for row in rows] == list(generator.patients(0, 200))
