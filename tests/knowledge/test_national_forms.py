"""National forms of nonproprietary names: one rule for all, and never one that may be another drug's name."""

from __future__ import annotations

from collections.abc import Iterator
from string import ascii_lowercase

import pytest

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.names import normalise
from polyguard_env.knowledge.national import national_forms
from polyguard_env.knowledge.spelling import Lookalikes
from polyguard_env.knowledge.tabular import read_fragments


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return KnowledgeBase.default()


@pytest.mark.parametrize(
    ("form", "drug_id"),
    [("hydroxyzin", "hydroxyzine"), ("methotrexat", "methotrexate"), ("prednisolon", "prednisolone"),
     ("prednison", "prednisone"), ("amlodipin", "amlodipine"), ("amlodipino", "amlodipine"),
     ("metotrexat", "methotrexate"), ("klopidogrel", "clopidogrel"), ("levotyroxin", "levothyroxine"),
     ("hidroclorotiazida", "hydrochlorothiazide"), ("idroclorotiazide", "hydrochlorothiazide"),
     ("metoprololo", "metoprolol"), ("warfarinum", "warfarin"), ("apixabanum", "apixaban"),
     ("digoxine", "digoxin"), ("Furosemid", "furosemide"), ("atorvastatina", "atorvastatin"),
     ("methotrexaat", "methotrexate"), ("claritromicina", "clarithromycin"), ("Levothyroxin-Natrium", "levothyroxine")],
)  # fmt: skip
def test_forms_of_german_scandinavian_romance_and_latin(knowledge: KnowledgeBase, form: str, drug_id: str) -> None:
    assert knowledge.resolve(form) == drug_id


@pytest.mark.parametrize("name", ["hydroxizine", "hidroxyzine", "methotrexatt", "prednisolonn", "amlodipina d"])
def test_half_a_form_is_a_misspelling(knowledge: KnowledgeBase, name: str) -> None:
    assert name not in national_forms("hydroxyzine") and knowledge.resolve_all(name) == ()


def forms(knowledge: KnowledgeBase) -> Iterator[tuple[str, str]]:
    """Each national form that resolves, with its drug."""
    for drug in knowledge.drugs.values():
        for form in national_forms(normalise(drug.name)):
            if knowledge.resolve(form) == drug.drug_id:
                yield form, drug.drug_id


def test_no_form_made_by_rule_is_one_letter_from_a_name_of_another_drug(knowledge: KnowledgeBase) -> None:
    made = dict(forms(knowledge))
    assert len(made) > 5_000
    own = {normalise(drug.name): drug.drug_id for drug in knowledge.drugs.values()}
    own |= {normalise(row["name"]): row["drug_id"] for row in read_fragments("synonyms")}
    near = Lookalikes(own)
    clash = {form: other for form, drug_id in made.items() if (other := near.of_another(form, drug_id))}
    assert clash == {}


def test_forms_of_two_drugs_are_matched_to_neither(knowledge: KnowledgeBase) -> None:
    claimed: dict[str, set[str]] = {}
    for drug in knowledge.drugs.values():
        for form in national_forms(normalise(drug.name)):
            claimed.setdefault(form, set()).add(drug.drug_id)
    real = {normalise(drug.name) for drug in knowledge.drugs.values()}
    several = {form for form, drugs in claimed.items() if len(drugs) > 1 and form not in real}
    told = {form: found for form in several if (found := knowledge.resolve(form)) and found not in claimed[form]}
    assert told == {}


def one_letter_wrong(name: str) -> Iterator[str]:
    """A name with one letter left out, doubled, swapped with the next or made a vowel or another letter."""
    for at, letter in enumerate(name):
        yield name[:at] + name[at + 1 :]
        yield name[:at] + letter + name[at:]
        yield name[:at] + name[at : at + 2][::-1] + name[at + 2 :]
        yield name[:at] + ascii_lowercase[(ascii_lowercase.find(letter) + 1 + at) % 26] + name[at + 1 :]


def test_one_letter_wrong_in_any_name_never_makes_a_national_form_of_another_drug(knowledge: KnowledgeBase) -> None:
    names = {name: drug_id for name, drug_id in knowledge.names.items() if name.isalpha() and len(name) >= 6}
    made = dict(forms(knowledge))
    assert len(names) >= 25_000 and len(made) > 10_000
    crossed = {
        (name, wrong)
        for name, drug_id in names.items()
        if name not in made
        for wrong in one_letter_wrong(name)
        if made.get(wrong, drug_id) != drug_id
    }
    assert crossed == set()
