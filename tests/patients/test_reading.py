"""Patients from JSON: units, ranges, names, and one clear error for each bad value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.reading import patient_from, read_patient

GOOD: dict[str, Any] = {
    "age": 81, "sex": "F", "weight": 52, "height": 158, "conditions": ["hypertension"],
    "measurements": {"creatinine": 1.4}, "regimen": ["Coumadin", {"drug": "levothyroxine", "dose": 75, "unit": "mcg"}],
}  # fmt: skip


def made(**changed: Any) -> Any:
    return patient_from(GOOD | changed, KnowledgeBase.default())


def refused(**changed: Any) -> PolyGuardError:
    with pytest.raises(PolyGuardError) as caught:
        made(**changed)
    return caught.value


def test_names_resolve_and_units_convert() -> None:
    patient = made(
        measurements={"creatinine": {"value": 124, "unit": "µmol/L"}, "glucose": {"value": 126, "unit": "mg/dL"}}
    )
    assert patient.drug_ids == ("warfarin", "levothyroxine")
    assert patient.measurements["creatinine"] == pytest.approx(1.40, abs=0.01)
    assert patient.measurements["glucose"] == pytest.approx(7.0, abs=0.01)


def test_doses_convert_between_masses() -> None:
    assert made(regimen=[{"drug": "metformin", "dose": 1, "unit": "g"}]).regimen[0].dose == pytest.approx(1000)


def test_a_combination_product_becomes_its_ingredients() -> None:
    drugs = made(regimen=["sulfamethoxazole and trimethoprim"]).drug_ids
    assert set(drugs) == {"sulfamethoxazole", "trimethoprim"}


@pytest.mark.parametrize(
    ("changed", "field", "fix"),
    [
        ({"age": 300}, "age", "18 to 120"),
        ({"age": True}, "age", "number"),
        ({"weight": float("nan")}, "weight", "number"),
        ({"sex": "female"}, "sex", "F or M"),
        ({"measurements": {"potassium": 45}}, "measurements.potassium", "1.5 to 9"),
        ({"measurements": {"creatinine": 124}}, "measurements.creatinine", "umol/L"),
        ({"measurements": {"creatinine": {"value": 1, "unit": "stone"}}}, "measurements.creatinine.unit", "mg/dL"),
        ({"measurements": {"kalium": 4}}, "measurements.kalium", "potassium"),
        ({"conditions": ["hypertenson"]}, "conditions[0]", "hypertension"),
        ({"conditions": "hypertension"}, "conditions", "list"),
        ({"regimen": ["warfrin"]}, "regimen[0].drug", "warfarin"),
        ({"regimen": [{"drug": "digoxin", "dose": 250}]}, "regimen[0].dose", "digoxin"),
        ({"regimen": [{"drug": "digoxin", "dose": 0.25, "unit": "mL"}]}, "regimen[0].unit", "mg"),
        ({"regimen": [{"drug": "digoxin", "dose": -1}]}, "regimen[0].dose", "impossible"),
        ({"regimen": [{"name": "digoxin"}]}, "regimen[0]", "drug"),
        ({"allergies": ["penicilin"]}, "allergies[0]", "penicillin"),
        ({"allergies": ["latex", "amoxicilin"]}, "allergies[1]", "amoxicillin"),
        ({"allergies": ["peanuts", "latx"]}, "allergies[1]", "latex"),
        ({"allergies": ["cefalosporins", "cephalosporns"]}, "allergies[1]", "cephalosporin"),
        ({"allergies": [""]}, "allergies[0]", "empty list"),
        ({"allergies": [None]}, "allergies[0]", "drug class"),
        ({"allergies": "latex"}, "allergies", "list"),
        ({"child_pugh": "D"}, "child_pugh", "A, B, C"),
        ({"genotype": {"CYP2C19": "slow"}}, "genotype.CYP2C19", "poor"),
        ({"genotype": {"CYP2X19": "poor"}}, "genotype.CYP2X19", "CYP2C19"),
        ({"wieght": 3}, "wieght", "weight"),
    ],
)  # fmt: skip
def test_a_bad_value_names_field_and_fix(changed: dict[str, Any], field: str, fix: str) -> None:
    error = refused(**changed)
    assert error.field == field
    assert fix in str(error)


@pytest.mark.parametrize(
    ("written", "ids"),
    [("Augmentin", ("amoxicillin", "clavulanic_acid")), ("Penicillin", ("penicillins",)),
     ("sulfa drugs", ("sulfonamides",)), ("NSAIDs", ("nsaids",)), ("ACE inhibitor", ("ace_inhibitors",)),
     ("Allergy to tetracycline (finding)", ("tetracycline",)), ("tetracyclines", ("tetracyclines",)),
     ("contrast dye", ("iodinated_contrast",)), ("Latex", ("latex",)), ("eggs", ("egg",)), ("peanut", ("peanut",))],
)  # fmt: skip
def test_an_allergy_is_a_drug_else_a_class_else_another_allergen(written: str, ids: tuple[str, ...]) -> None:
    assert set(made(allergies=[written]).allergies) == set(ids)


def test_a_class_id_names_its_own_class() -> None:
    classes = [row["class_id"] for row in read_fragments("classes")]
    assert [made(allergies=[name]).allergies for name in classes] == [(name,) for name in classes]


def test_a_missing_field_is_named() -> None:
    with pytest.raises(PolyGuardError, match="height"):
        patient_from({name: value for name, value in GOOD.items() if name != "height"}, KnowledgeBase.default())


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, "\xff"])
def test_a_malformed_file_is_one_clear_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "patient.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(PolyGuardError):
        read_patient(path, KnowledgeBase.default())


def test_a_file_makes_a_patient(tmp_path: Path) -> None:
    path = tmp_path / "mrs_a.json"
    path.write_text(json.dumps(GOOD))
    assert read_patient(path, KnowledgeBase.default()).patient_id == "mrs_a"
