"""Names resolve exactly or not at all; misspellings get suggestions."""

from __future__ import annotations

import pytest

from polyguard_env.knowledge.base import KnowledgeBase


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return KnowledgeBase.default()


@pytest.mark.parametrize(
    ("name", "drug_id"),
    [
        ("warfarin", "warfarin"),
        ("WARFARIN SODIUM", "warfarin"),
        ("Coumadin", "warfarin"),
        ("paracetamol", "acetaminophen"),
        ("Tylenol", "acetaminophen"),
        ("salbutamol", "albuterol"),
        ("glibenclamide", "glyburide"),
        ("metoprolol succinate", "metoprolol"),
        ("potassium chloride", "potassium_chloride"),
        ("Éliquis", "apixaban"),
        ("rifampicine", "rifampin"),
        ("millepertuis", "st_john_s_wort"),
        ("valproic_acid", "valproic_acid"),
    ],
)
def test_brands_salts_synonyms_case_and_accents(knowledge: KnowledgeBase, name: str, drug_id: str) -> None:
    assert knowledge.resolve(name) == drug_id


@pytest.mark.parametrize("name", ["warfrin", "metforman", "hydralazin e", "clonodine", "", "xyz"])
def test_a_misspelling_is_never_matched(knowledge: KnowledgeBase, name: str) -> None:
    assert knowledge.resolve(name) is None


def test_a_misspelling_gets_suggestions(knowledge: KnowledgeBase) -> None:
    assert "warfarin" in knowledge.suggest("warfrin")


def test_a_combination_is_its_ingredients_or_nothing(knowledge: KnowledgeBase) -> None:
    assert knowledge.resolve_all("lisinopril/hydrochlorothiazide") == ("lisinopril", "hydrochlorothiazide")
    assert knowledge.resolve_all("lisinopril and hydrochlorthiazidd") == ()


def test_breadth(knowledge: KnowledgeBase) -> None:
    assert len(knowledge.drugs) >= 2_500
    assert sum(drug.profile is not None for drug in knowledge.drugs.values()) >= 200


@pytest.mark.parametrize(
    "name", ["tramadoc", "buprenophine", "alprazolan", "acetominophen", "labetolol", "hydroxizine", "propanolol"]
)
def test_a_misspelling_in_the_name_lists_is_suggested_not_matched(knowledge: KnowledgeBase, name: str) -> None:
    assert knowledge.resolve_all(name) == () and knowledge.suggest(name)


@pytest.mark.parametrize(
    ("name", "drug_id"),
    [("amoxicilina", "amoxicillin"), ("aciclovir", "acyclovir"), ("chlortalidone", "chlorthalidone"),
     ("oestradiol", "estradiol"), ("omeprazolum", "omeprazole"), ("norethisterone", "norethindrone")],
)  # fmt: skip
def test_national_forms_resolve(knowledge: KnowledgeBase, name: str, drug_id: str) -> None:
    assert knowledge.resolve(name) == drug_id


def test_an_ambiguous_abbreviation_names_what_it_may_mean(knowledge: KnowledgeBase) -> None:
    assert knowledge.resolve_all("MTX") == () and knowledge.suggest("MTX") == ["methotrexate", "mitoxantrone"]
    assert knowledge.resolve("MSO4") is None and "magnesium sulfate" in knowledge.suggest("MSO4")
