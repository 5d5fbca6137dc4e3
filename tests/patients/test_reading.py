"""Patients from JSON: units, ranges, names, and one clear error for each bad value."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.json_text import read_json
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
        ({"regimen": [{"drug": "digoxin", "dose": 0.25, "unit": "stone"}]}, "regimen[0].unit", "mg"),
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
        ({"age": 10**400}, "age", "18 to 120"),
        ({"weight": -(10**400)}, "weight", "25 to 300"),
        ({"falls": 10**5000}, "falls", "0 to 365"),
        ({"measurements": {"creatinine": 10**400}}, "measurements.creatinine", "0.2 to 20"),
        ({"measurements": {"creatinine": {"value": 10**400, "unit": "umol/L"}}}, "measurements.creatinine.value", "g"),
        ({"measurements": {"creatinine": {"value": 1, "unit": ["mg"]}}}, "measurements.creatinine.unit", "text"),
        ({"regimen": [{"drug": "digoxin", "days": 10**400}]}, "regimen[0].days", "36500"),
        ({"regimen": ["x" * 10**6]}, "regimen[0].drug", "500 characters"),
        ({"regimen": [{"drug": ["digoxin"]}]}, "regimen[0].drug", "text"),
        ({"regimen": ["digoxin"] * 501}, "regimen", "at most 500"),
        ({"allergies": ["x" * 10**6]}, "allergies[0]", "500 characters"),
        ({"conditions": ["x" * 10**6]}, "conditions[0]", "500 characters"),
        ({"conditions": [["hypertension"]]}, "conditions[0]", "text"),
        ({"patient_id": "x" * 10**6}, "patient_id", "500 characters"),
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


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"{", "line 1"), (b"[]", "list"), (b"[" * 100_000, "nested"), (b"\xff", "UTF-8"),
        (b'{"age": ' + b"[" * 200 + b"]" * 200 + b"}", "nested"),
        (b'{"age": ' + b"9" * 5_000 + b"}", "digits"), (b'{"age": ' + b"9" * 400 + b"}", "age"),
        (b'{"age": 80, "age": 81}', "age: 81"),
        (b'{"regimen": [{"drug": "digoxin", "dose": 1, "dose": 2}]}', "regimen[0].dose"),
        (b'{"measurements": {"creatinine": {"value": 1, "value": 2}}}', "measurements.creatinine.value"),
    ],
)  # fmt: skip
def test_a_malformed_file_is_one_clear_error(tmp_path: Path, content: bytes, named: str) -> None:
    path = tmp_path / "patient.json"
    path.write_bytes(content)
    with pytest.raises(PolyGuardError) as raised:
        read_patient(path, KnowledgeBase.default())
    assert named in str(raised.value) and len(str(raised.value)) < 1_000


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_file_makes_a_patient_with_or_without_a_byte_order_mark(tmp_path: Path, mark: bytes) -> None:
    path = tmp_path / "mrs_a.json"
    path.write_bytes(mark + json.dumps(GOOD).encode())
    assert read_patient(path, KnowledgeBase.default()).patient_id == "mrs_a"


def test_an_exported_patient_reads_back_with_its_notes() -> None:
    patient = made(regimen=[{"drug": "albuterol", "dose": 2, "unit": "puffs"}, "warfarin"])
    told = patient.to_dict()
    again = made(regimen=[{k: v for k, v in item.items() if v not in (None, "", 0)} for item in told["regimen"]])
    assert again.regimen == patient.regimen and again.regimen[0].note


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(10**500), 10**500), st.floats(), st.text(max_size=30),
    st.sampled_from(["warfarin", "digoxin", "hypertension", "penicillin", "mg", "mcg/h", "%", "F", "M", "A", "poor"]),
)  # fmt: skip
NAMES = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["drug", "drug_id", "dose", "unit", "strength", "parts", "days", "indication", "value", "note",
                     "entered", "product", "creatinine", "egfr", "CYP2C19", "warfarin"]),
)  # fmt: skip
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=8
)
FIELDS = ("age", "sex", "weight", "height", "conditions", "measurements", "allergies", "genotype", "child_pugh",
          "frailty", "falls", "regimen", "patient_id")  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(FIELDS), ANYTHING, min_size=1, max_size=3))
def test_whatever_is_written_is_a_patient_or_one_clear_error(changed: dict[str, Any]) -> None:
    knowledge = KnowledgeBase.default()
    try:
        patient = patient_from(GOOD | changed, knowledge)
    except PolyGuardError as error:
        assert error.field and error.fix and len(str(error)) < 2_000
        return
    assert 18 <= patient.age <= 120 and patient.sex in ("F", "M")
    assert all(item.dose is None or 0 < item.dose < math.inf for item in patient.regimen)
    assert all(item.drug_id in knowledge.drugs for item in patient.regimen)


@settings(max_examples=300, deadline=None)
@given(ANYTHING, ANYTHING, ANYTHING)
def test_whatever_dose_is_written_is_read_unknown_or_one_clear_error(dose: Any, unit: Any, strength: Any) -> None:
    try:
        (item,) = made(regimen=[{"drug": "digoxin", "dose": dose, "unit": unit, "strength": strength}]).regimen
    except PolyGuardError as error:
        assert error.field.startswith("regimen[0]")
        return
    assert (item.dose is None) == (dose is None or item.note != "")


@settings(max_examples=300, deadline=None)
@given(ANYTHING.filter(lambda value: isinstance(value, dict)))
def test_strict_json_reads_what_json_writes(value: dict[str, Any]) -> None:
    text = json.dumps(value)
    assert repr(read_json(text, "text")) == repr(json.loads(text))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=200))
def test_no_text_breaks_the_reader(content: str | bytes) -> None:
    try:
        assert isinstance(read_json(content, "text"), dict)
    except PolyGuardError as error:
        assert error.field
