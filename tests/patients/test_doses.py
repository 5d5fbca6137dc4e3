"""Daily doses in the units of real medication lists: converted where defined, else unknown with a note."""

from __future__ import annotations

from typing import Any

import pytest

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.doses import daily_dose, read_unit
from polyguard_env.patients.reading import patient_from
from polyguard_env.risk.review import review_regimen

PERSON = {"age": 80, "sex": "F", "weight": 60, "height": 160}


def item_of(**item: Any) -> Any:
    (found,) = patient_from(PERSON | {"regimen": [item]}, KnowledgeBase.default()).regimen
    return found


@pytest.mark.parametrize(
    ("drug", "dose", "unit", "strength", "expected"),
    [
        ("metformin", 1, "g", None, 1000), ("metformin", 500, "MG", None, 500), ("metformin", 500, "mg/day", None, 500),
        ("metformin", 500, "mg daily", None, 500), ("levothyroxine", 75, "µg", None, 0.075),
        ("levothyroxine", 75, "micrograms", None, 0.075), ("fentanyl", 25, "mcg/h", None, 600),
        ("fentanyl", 25, "mcg/hr", None, 600), ("fentanyl", 0.6, "mg/24 h", None, 600),
        ("buprenorphine", 5, "mcg/hour", None, 120), ("rotigotine", 4, "mg/24h", None, 4),
        ("insulin glargine", 20, "IU", None, 20), ("insulin glargine", 20, "units", None, 20),
        ("insulin glargine", 0.2, "units/kg/day", None, 12), ("insulin glargine", 20, "U", None, 20),
        ("enoxaparin", 1, "mg/kg", None, 60), ("methotrexate", 14, "mg/week", None, 2),
        ("potassium chloride", 20, "mEq", None, 20), ("vitamin D3", 25, "mcg", None, 1000),
        ("insulin glargine", 0.2, "mL", "100 units/mL", 20), ("lactulose", 30, "mL", "10 g/15 mL", 20000),
        ("morphine", 10, "mL", "10 mg/5 mL", 20), ("albuterol", 4, "puffs", "90 mcg/puff", 360),
        ("metformin", 2, "tablets", "500 mg", 1000), ("fentanyl", 1, "patch", "25 mcg/h", 600),
        ("morphine", 1, "mL", "2 %", 20),
    ],
)  # fmt: skip
def test_a_defined_conversion_is_made(drug: str, dose: float, unit: str, strength: str | None, expected: float) -> None:
    told = {"drug": drug, "dose": dose, "unit": unit} | ({"strength": strength} if strength else {})
    item = item_of(**told)
    assert (item.dose, item.note) == (pytest.approx(expected), "")


@pytest.mark.parametrize(
    ("drug", "dose", "unit", "strength"),
    [
        ("latanoprost", 1, "drop", None), ("timolol", 2, "drops", "0.5 %"), ("albuterol", 2, "puffs", None),
        ("digoxin", 0.25, "mL", None), ("digoxin", 1, "tablet", None), ("hydrocortisone", 1, "%", None),
        ("potassium chloride", 600, "mg", None), ("morphine", 10, "mL", "10 mg/tablet"), ("warfarin", 5, "units", None),
    ],
)  # fmt: skip
def test_what_has_none_leaves_the_dose_unknown_and_the_review_says_so(
    drug: str, dose: float, unit: str, strength: str | None
) -> None:
    told = {"drug": drug, "dose": dose, "unit": unit} | ({"strength": strength} if strength else {})
    knowledge = KnowledgeBase.default()
    patient = patient_from(PERSON | {"regimen": [told]}, knowledge)
    assert patient.regimen[0].dose is None
    (warning,) = review_regimen(patient, knowledge).warnings
    assert patient.drug_ids[0] in warning and unit in warning and "not known" in warning


def test_tablets_of_a_combination_product_are_kept_unknown() -> None:
    told = {"drug": "Bactrim", "dose": 2, "unit": "tablets"}
    patient = patient_from(PERSON | {"regimen": [told]}, KnowledgeBase.default())
    assert {item.dose for item in patient.regimen} == {None} and all("parts" in item.note for item in patient.regimen)


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"drug": "digoxin", "dose": 1, "unit": "stone"}, "unit"),
        ({"drug": "digoxin", "dose": 1, "unit": "mg/fortnight"}, "unit"),
        ({"drug": "digoxin", "dose": 1, "unit": "mg/kg/kg"}, "unit"),
        ({"drug": "digoxin", "dose": 1, "unit": "mg/0h"}, "unit"),
        ({"drug": "digoxin", "dose": 1, "unit": ["mg"]}, "unit"),
        ({"drug": "digoxin", "dose": 1, "unit": "tablet", "strength": "strong"}, "strength"),
        ({"drug": "digoxin", "dose": 1, "unit": "tablet", "strength": "0 mg"}, "strength"),
        ({"drug": "digoxin", "dose": 10**400}, "dose"),
        ({"drug": "digoxin", "dose": True}, "dose"),
        ({"drug": "digoxin", "dose": float("nan")}, "dose"),
    ],
)
def test_a_bad_dose_names_its_field(item: dict[str, Any], field: str) -> None:
    with pytest.raises(PolyGuardError) as raised:
        item_of(**item)
    assert raised.value.field == f"regimen[0].{field}"


def test_an_impossible_dose_is_told_as_a_limit_of_input_with_the_unit_it_fits() -> None:
    with pytest.raises(PolyGuardError) as raised:
        item_of(drug="digoxin", dose=250)
    told = str(raised.value)
    assert raised.value.field == "regimen[0].dose" and "250" in told
    assert "not a recommended dose" in told and '"unit": "mcg"' in told and "12.5 mg" in told


def test_every_dose_unit_of_the_formulary_is_read() -> None:
    drugs = [drug for drug in KnowledgeBase.default().drugs.values() if drug.profile]
    units = {drug.drug_id: drug.profile.dose_unit for drug in drugs if drug.profile}
    assert len(units) > 900
    assert [drug_id for drug_id, unit in units.items() if read_unit(unit, drug_id) is None] == []


def test_where_a_number_is_needed_an_unknown_dose_is_an_error() -> None:
    knowledge = KnowledgeBase.default()
    assert daily_dose(75, "mcg", "levothyroxine", "taper", knowledge) == pytest.approx(0.075)
    with pytest.raises(PolyGuardError, match=r"taper\.unit"):
        daily_dose(2, "tablets", "levothyroxine", "taper", knowledge)


def test_the_limits_of_a_number_are_written_out() -> None:
    with pytest.raises(PolyGuardError, match=r"give 0\.000000001 to 1000000000 a day$"):
        item_of(drug="warfarin", dose=1e10, unit="mg")
