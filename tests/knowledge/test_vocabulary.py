"""The vocabulary: each name belongs to one drug, look-alikes stay apart, combinations come apart."""

from __future__ import annotations

import pytest

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.names import is_latin, normalise, without_form, without_salt


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return KnowledgeBase.default()


@pytest.mark.parametrize(
    "pair",
    [("quinine", "quinidine"), ("ephedrine", "pseudoephedrine"), ("hydroxyzine", "hydralazine"),
     ("prednisone", "prednisolone"), ("clonidine", "clonazepam"), ("zuclopenthixol", "clopenthixol"),
     ("cobicistat", "tenofovir alafenamide"), ("clofezone", "rabeprazole"), ("sultopride", "amisulpride")],
)  # fmt: skip
def test_look_alikes_and_relatives_stay_apart(knowledge: KnowledgeBase, pair: tuple[str, str]) -> None:
    a, b = map(knowledge.resolve, pair)
    assert a is not None and a != b


@pytest.mark.parametrize(
    ("name", "drug_id"),
    [("24 HR Metoprolol Succinate 50 MG Extended Release Oral Tablet", "metoprolol"),
     ("lisinopril 10 MG Oral Tablet [Zestril]", "lisinopril"), ("sodium valproate", "valproic_acid"),
     ("NDA020503 200 ACTUAT Albuterol 0.09 MG/ACTUAT Metered Dose Inhaler", "albuterol"),
     ("acide valproïque", "valproic_acid"), ("Norethisterone", "norethindrone"), ("vitamin B12", "cyanocobalamin"),
     ("dabigatran etexilate mesylate", "dabigatran"), ("grapefruit juice", "grapefruit"), ("alcohol", "ethanol")],
)  # fmt: skip
def test_prescription_lines_salts_and_synonyms(knowledge: KnowledgeBase, name: str, drug_id: str) -> None:
    assert knowledge.resolve(name) == drug_id


@pytest.mark.parametrize(
    ("name", "drugs"),
    [("co-codamol", {"codeine", "acetaminophen"}), ("Percocet", {"oxycodone", "acetaminophen"}),
     ("amoxicillin/clavulanate", {"amoxicillin", "clavulanic_acid"}), ("Sinemet", {"carbidopa", "levodopa"}),
     ("Acetaminophen w/Codeine", {"acetaminophen", "codeine"}),
     ("Oxycodone-Acetaminophen", {"oxycodone", "acetaminophen"}),
     ("Hydrochlorothiazide 12.5 MG / Lisinopril 20 MG Oral Tablet", {"hydrochlorothiazide", "lisinopril"}),
     ("warfarin", {"warfarin"}), ("Percocet and nonsensium", set())],
)  # fmt: skip
def test_combination_products_come_apart(knowledge: KnowledgeBase, name: str, drugs: set[str]) -> None:
    assert set(knowledge.resolve_all(name)) == drugs


def test_a_combination_is_no_single_drug(knowledge: KnowledgeBase) -> None:
    assert knowledge.resolve("Percocet") is None and knowledge.resolve("Sinemet") is None


def test_every_drug_resolves_by_its_id_and_display_name(knowledge: KnowledgeBase) -> None:
    lost = [d.drug_id for d in knowledge.drugs.values() if knowledge.resolve(d.drug_id) != d.drug_id]
    assert not lost
    formulary = [d for d in knowledge.drugs.values() if d.profile]
    assert all(knowledge.resolve(d.name) == d.drug_id for d in formulary)


def test_no_name_belongs_to_two_drugs(knowledge: KnowledgeBase) -> None:
    every = [name for names in knowledge.tables["vocabulary"]["names"] for name in names]
    assert len(every) == len(set(every))


def test_identifiers(knowledge: KnowledgeBase) -> None:
    warfarin, verapamil = knowledge.drug("warfarin"), knowledge.drug("verapamil")
    assert (warfarin.rxcui, warfarin.drugbank_id) == ("11289", "DB00682")
    assert (verapamil.rxcui, verapamil.drugbank_id) == ("11170", "DB00661")


def test_normalising() -> None:
    assert normalise("  Éliquis® 5 ") == "eliquis 5"
    assert without_salt("potassium chloride") == "potassium chloride"
    assert without_salt("metoprolol succinate") == "metoprolol"
    assert without_form("Warfarin Sodium 5 MG Oral Tablet") == "warfarin sodium"
    assert not is_latin("β-quinine") and is_latin("acide salicylé")
