"""Names of medication lists: counts are no part of them, short names need their unit, products have their strengths."""

from __future__ import annotations

import pytest

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.checks import figures
from polyguard_env.patients.directed import directed_items, entries_of
from polyguard_env.patients.entries import doses_in_words
from polyguard_env.patients.named import named_drugs
from polyguard_env.patients.reading import patient_from
from polyguard_env.risk.review import review_regimen

PERSON = {"age": 80, "sex": "F", "weight": 60, "height": 160}


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return KnowledgeBase.default()


def doses(line: str, knowledge: KnowledgeBase) -> dict[str, float | None]:
    return {item.drug_id: item.dose for item in directed_items(line, 0, knowledge, "drugs[0]", 70.0)}


@pytest.mark.parametrize(
    ("line", "dose"),
    [
        ("Tylenol 500 mg 2 tabs q6h", 4000.0), ("Tylenol 325 mg 2 tabs q4h prn", 3900.0),
        ("Tylenol Extra Strength 500 mg 2 tabs q6h", 4000.0), ("Tylenol 650 mg 4 times daily", 2600.0),
        ("Tylenol 3 tabs daily", None), ("Tylenol 500 mg take 2 every 6 hours", 4000.0),
        ("Tylenol 500 mg 2 tabs q6h #3", 4000.0), ("Tylenol 500 mg 1-0-2", 1500.0),
    ],
)  # fmt: skip
def test_a_count_is_no_part_of_the_name(knowledge: KnowledgeBase, line: str, dose: float | None) -> None:
    assert doses(line, knowledge) == {"acetaminophen": pytest.approx(dose) if dose else None}


@pytest.mark.parametrize(
    ("line", "codeine"),
    [
        ("Tylenol 3", None), ("Tylenol #3 1 tab q6h", 120.0), ("Tylenol 3 1 tab q6h", 120.0),
        ("Tylenol-3 2 tabs q6h", 240.0), ("Tylenol with codeine 1 tab q6h", None),
    ],
)  # fmt: skip
def test_a_number_that_is_told_as_the_name_is_the_product(
    knowledge: KnowledgeBase, line: str, codeine: float | None
) -> None:
    found = doses(line, knowledge)
    assert set(found) == {"acetaminophen", "codeine"} and found["codeine"] == codeine


@pytest.mark.parametrize(
    ("counted", "other"),
    [("AREDS 2 tabs daily", "AREDS 2"), ("Ferrlecit 125 mg 2 vials weekly", "Ferrlecit 2"),
     ("Iodine 131 tabs", "Iodine 131"), ("vitamin D 2 tabs daily", "vitamin D 2")],
)  # fmt: skip
def test_pieces_of_other_numbered_names(knowledge: KnowledgeBase, counted: str, other: str) -> None:
    found = named_drugs(counted, knowledge, "drugs[0]")
    assert found and found != named_drugs(other, knowledge, "drugs[0]")
    assert found == named_drugs(counted.split()[0] if "vitamin" not in counted else "vitamin D", knowledge, "drugs[0]")


def test_the_paracetamol_of_two_entries_adds_up(knowledge: KnowledgeBase) -> None:
    lines = entries_of("Tylenol 650 mg 2 tabs q4h; Norco 10/325 2 tabs q6h")
    patient = patient_from({**PERSON, "regimen": lines}, knowledge)
    assert sum(item.dose or 0 for item in patient.regimen if item.drug_id == "acetaminophen") == 10400.0
    assert all(item.drug_id != "codeine" for item in patient.regimen)
    findings = review_regimen(patient, knowledge).findings
    assert any("acetaminophen" in finding.drugs and finding.limit for finding in findings)


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("amlodipine 5 mg daily; C 500 mg daily", ["amlodipine 5 mg daily", "C 500 mg daily"]),
        ("amlodipine 5 mg daily, C 500 mg daily", ["amlodipine 5 mg daily", "C 500 mg daily"]),
        ("warfarin 5 mg daily; B12 500 mcg daily", ["warfarin 5 mg daily", "B12 500 mcg daily"]),
        ("calcium 600 mg bid, D3 1000 units", ["calcium 600 mg bid", "D3 1000 units"]),
        ("warfarin 5 mg\nOne A Day", ["warfarin 5 mg", "One A Day"]),
        ("warfarin 5 mg, One A Day", ["warfarin 5 mg", "One A Day"]),
        ("warfarin 5 mg, one a day", ["warfarin 5 mg, one a day"]),
        ("Lantus 20 units; at bedtime", ["Lantus 20 units", "at bedtime"]),
        ("Lantus 20 units, at bedtime, prn", ["Lantus 20 units, at bedtime, prn"]),
    ],
)  # fmt: skip
def test_only_a_comma_joins_directions(text: str, entries: list[str]) -> None:
    assert entries_of(text) == entries


@pytest.mark.parametrize(
    ("line", "drug", "dose"),
    [
        ("C 500 mg daily", "ascorbic_acid", 500.0), ("K 20 meq daily", "potassium_chloride", 20.0),
        ("T3 25 mcg daily", "liothyronine", 0.025), ("K2 100 mcg daily", "vitamin_k_2", None),
        ("Q10 100 mg daily", "coenzyme_q10", None), ("E 400 IU daily", "vitamin_e", None),
        ("D 50,000 units weekly", "cholecalciferol", 50000 / 7), ("B12 500 mcg daily", "cyanocobalamin", 500.0),
        ("D3 1000 units daily", "cholecalciferol", 1000.0),
        ("One A Day 1 tab daily", "multivitamin_with_minerals", None),
    ],
)  # fmt: skip
def test_a_short_name_is_read_by_its_unit(knowledge: KnowledgeBase, line: str, drug: str, dose: float | None) -> None:
    assert doses(line, knowledge) == {drug: pytest.approx(dose) if dose else None}


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("K 99 mg daily", "potassium chloride or vitamin K"), ("K daily", "potassium chloride or vitamin K"),
        ("D 5 mg daily", "vitamin D2 or vitamin D3"), ("C daily", "vitamin C"),
        ("T3 1 tab", "liothyronine or Tylenol #3"),
        ("at bedtime", "it names no drug"), ("Z 5 mg daily", "check the spelling"),
    ],
)  # fmt: skip
def test_what_names_no_drug_is_an_error_that_names_it(knowledge: KnowledgeBase, line: str, fix: str) -> None:
    with pytest.raises(PolyGuardError) as caught:
        patient_from({**PERSON, "regimen": ["warfarin", line]}, knowledge)
    assert caught.value.field.startswith("regimen[1]") and caught.value.value == line and fix in caught.value.fix


def test_what_short_names_stand_for_is_known(knowledge: KnowledgeBase) -> None:
    assert all(len(knowledge.resolve_all(row["means"])) == 1 for row in read_fragments("short_names"))


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("Advair 250/50 1 puff bid", (500, 100)), ("Symbicort 160/4.5 2 puffs bid", (640, 18)),
        ("Fostair 100/6 2 puffs bid", (400, 24)), ("Trelegy 100/62.5/25 1 puff daily", (100, 62.5, 25)),
        ("Breo 100/25 1 puff daily", (100, 25)), ("Anoro 62.5/25 1 puff daily", (62.5, 25)),
        ("Seretide 250/25 2 puffs bid", (1000, 100)), ("Advair HFA 115/21 2 puffs bid", (460, 84)),
        ("Norco 5/325 1 tab q6h", (20, 1300)), ("Diovan HCT 80/12.5 daily", (80, 12.5)),
    ],
)  # fmt: skip
def test_strengths_without_a_unit_are_in_the_drugs_own(
    knowledge: KnowledgeBase, line: str, wanted: tuple[float, ...]
) -> None:
    assert tuple(doses(line, knowledge).values()) == pytest.approx(wanted)


@pytest.mark.parametrize("unit", ["mcg", "micrograms", "ug"])
def test_strengths_in_an_unlikely_order_are_not_taken_however_their_unit_is_spelled(
    knowledge: KnowledgeBase, unit: str
) -> None:
    assert doses(f"Advair 250/50 {unit} 1 puff bid", knowledge) == {"fluticasone": 500, "salmeterol": 100}
    assert doses(f"Advair 50/250 {unit} 1 puff bid", knowledge) == {"fluticasone": None, "salmeterol": None}


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("Bactrim DS 1 tab bid", {"sulfamethoxazole": 1600, "trimethoprim": 320}),
        ("Bactrim DS bid", {"sulfamethoxazole": 1600, "trimethoprim": 320}),
        ("Tylenol PM 2 tabs qhs", {"acetaminophen": 1000, "diphenhydramine": 50}),
        ("Bactrim 1 tab bid", {"sulfamethoxazole": None, "trimethoprim": None}),
        ("Bactrim DS 20 mL bid", {"sulfamethoxazole": None, "trimethoprim": None}),
    ],
)  # fmt: skip
def test_products_named_by_their_strength(knowledge: KnowledgeBase, line: str, wanted: dict[str, float | None]) -> None:
    assert doses(line, knowledge) == wanted


def test_every_product_of_known_strength_is_a_known_product(knowledge: KnowledgeBase) -> None:
    for row in read_fragments("product_strengths"):
        drugs = {part.split("=")[0] for part in row["strengths"].split(";")}
        assert set(knowledge.resolve_all(row["name"])) == drugs, row["name"]


@pytest.mark.parametrize(
    ("line", "partner"),
    [("Diovan 80/12.5", "hydrochlorothiazide"), ("losartan 100/25 daily", "losartan + hydrochlorothiazide"),
     ("losartan 100/25 mg 1 tab daily", "losartan + hydrochlorothiazide")],
)  # fmt: skip
def test_two_strengths_of_one_drug_warn_of_a_combination(knowledge: KnowledgeBase, line: str, partner: str) -> None:
    patient = patient_from({**PERSON, "regimen": [line]}, knowledge)
    assert patient.regimen[0].dose is None
    told = " ".join(review_regimen(patient, knowledge).warnings)
    assert "a combination product may be meant" in told and partner in told


@pytest.mark.parametrize("line", ["insulin 70/30 20 units bid", "losartan 50 mg 1/2 tab daily", "losartan 50 mg"])
def test_other_lines_warn_of_no_combination(knowledge: KnowledgeBase, line: str) -> None:
    assert all("combination" not in item.note for item in directed_items(line, 0, knowledge, "drugs[0]"))


@pytest.mark.parametrize("written", ["qhs", "q hs", "QHS", "q.h.s."])
def test_qhs_is_once_at_bedtime(knowledge: KnowledgeBase, written: str) -> None:
    assert doses(f"trazodone 50 mg {written}", knowledge) == {"trazodone": 50.0}


def test_times_told_with_meals_are_no_guess(knowledge: KnowledgeBase) -> None:
    (told,) = directed_items("metformin 500 mg tid with meals", 0, knowledge, "drugs[0]")
    (guessed,) = directed_items("metformin 500 mg with meals", 0, knowledge, "drugs[0]")
    assert (told.dose, told.note) == (1500.0, "") and "read as 3 times a day" in guessed.note


def test_numbers_are_written_out(knowledge: KnowledgeBase) -> None:
    items = directed_items("polyethylene glycol 3350 17 g daily", 0, knowledge, "drugs[0]")
    assert "e+" not in " ".join(doses_in_words(items, knowledge))
    items = directed_items("metformin 17000 mg daily", 0, knowledge, "drugs[0]")
    assert doses_in_words(items, knowledge) == ["metformin 17000 mg"]
    assert [figures(1.7e4, 4), figures(1200000), figures(0.125), figures(2.5e-5)] == [
        "17000", "1200000", "0.125", "0.000025",
    ]  # fmt: skip
