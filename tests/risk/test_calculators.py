"""Calculators against worked examples and hand-computed values."""

from __future__ import annotations

import pytest

from polyguard_env.errors import PolyGuardError
from polyguard_env.risk.calculators import (
    adjusted_weight,
    child_pugh,
    ckd_epi_2021,
    cockcroft_gault,
    drug_burden_index,
    ideal_weight,
    medication_appropriateness,
    qtc,
)


def test_cockcroft_gault() -> None:
    assert cockcroft_gault(age=60, weight=72, creatinine=1.0, sex="M") == pytest.approx(80.0)
    assert cockcroft_gault(age=80, weight=60, creatinine=1.2, sex="F") == pytest.approx(35.4, abs=0.05)


@pytest.mark.parametrize(
    ("age", "creatinine", "sex", "egfr"),
    [(50, 1.0, "M", 92), (50, 1.0, "F", 69), (75, 1.5, "M", 48), (80, 0.7, "F", 87)],
)
def test_ckd_epi_2021(age: int, creatinine: float, sex: str, egfr: int) -> None:
    assert round(ckd_epi_2021(age, creatinine, sex)) == pytest.approx(egfr, abs=1)


def test_child_pugh_classes() -> None:
    assert child_pugh(1.0, 4.0, 1.1, "none", 0) == (5, "A")
    assert child_pugh(2.5, 3.0, 1.8, "mild", 0) == (9, "B")
    assert child_pugh(4.0, 2.5, 2.5, "moderate", 3) == (15, "C")


def test_body_weights() -> None:
    assert ideal_weight(177.8, "M") == pytest.approx(73.0)
    assert ideal_weight(162.56, "F") == pytest.approx(54.7)
    assert adjusted_weight(100.0, 177.8, "M") == pytest.approx(83.8)


def test_qtc() -> None:
    assert qtc(400, 60) == pytest.approx(400)
    assert qtc(360, 100) == pytest.approx(464.8, abs=0.1)
    assert qtc(360, 100, "fridericia") == pytest.approx(426.8, abs=0.1)


def test_drug_burden_index_is_half_at_the_minimum_dose() -> None:
    assert drug_burden_index([(5.0, 5.0)]) == pytest.approx(0.5)
    assert drug_burden_index([(5.0, 5.0), (20.0, 10.0)]) == pytest.approx(0.5 + 2 / 3)


def test_medication_appropriateness() -> None:
    assert medication_appropriateness({}) == 0
    assert medication_appropriateness({"indication": True, "dose": True, "cost": False}) == 5


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("creatinine", lambda: cockcroft_gault(80, 60, 106, "F")),
        ("weight", lambda: cockcroft_gault(80, 6, 1.0, "F")),
        ("age", lambda: ckd_epi_2021(8, 1.0, "F")),
        ("height", lambda: ideal_weight(1.7, "M")),
        ("heart_rate", lambda: qtc(400, 0)),
        ("albumin", lambda: child_pugh(1.0, 40.0, 1.1, "none", 0)),
        ("criterion", lambda: medication_appropriateness({"colour": True})),
    ],
)
def test_wrong_units_and_impossible_values_name_the_field(field: str, call: object) -> None:
    with pytest.raises(PolyGuardError) as raised:
        call()  # type: ignore[operator]
    assert raised.value.field == field
