"""Names as people and pharmacy labels write them, and the look-alikes that must never pass for another."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.names import readings
from polyguard_env.knowledge.spelling import Lookalikes

WRITTEN = Path(__file__).with_name("free_text_names.csv")
# Names of other substances that are one letter away from a formulary drug's: approved names (WHO INN, USAN) and brands.
TRUE_NAMES = {
    "clidinium", "clobetasol", "colchiceine", "dimethicone", "penicillin g", "ulobetasol", "ziac",
    *(f"vitamin {letter}" for letter in "acdk"),
}  # fmt: skip


def rows() -> list[tuple[str, frozenset[str]]]:
    with WRITTEN.open(encoding="utf-8", newline="") as handle:
        return [(row["written"], frozenset(filter(None, row["drug_ids"].split(";")))) for row in csv.DictReader(handle)]


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return KnowledgeBase.default()


def edits(name: str) -> Iterator[str]:
    """A name with each letter left out, doubled, and swapped with the next."""
    for at, letter in enumerate(name):
        yield name[:at] + name[at + 1 :]
        yield name[:at] + letter + name[at:]
        if name[at : at + 2] != name[at : at + 2][::-1]:
            yield name[:at] + name[at : at + 2][::-1] + name[at + 2 :]


def test_names_as_written_resolve_to_their_ingredients(knowledge: KnowledgeBase) -> None:
    assert len(rows()) >= 400
    wrong = {written: found for written, ids in rows() if (found := set(knowledge.resolve_all(written))) != set(ids)}
    assert wrong == {}


def test_what_is_not_resolved_gets_near_names_where_there_are_any(knowledge: KnowledgeBase) -> None:
    assert knowledge.suggest("warfarn 5 mg daily")[0] == "warfarin"
    assert "metformin" in knowledge.suggest("metforman 500 bid")
    assert knowledge.suggest("HCT 25") == ["hydrochlorothiazide", "hydrocortisone"]


def test_a_letter_changed_in_a_formulary_name_never_makes_another_drug(knowledge: KnowledgeBase) -> None:
    own = {readings(d.name)[0]: d.drug_id for d in knowledge.drugs.values() if d.profile}
    near = Lookalikes(own)
    taken = {name for name, drug_id in knowledge.names.items() if len(name) > 4 and near.of_another(name, drug_id)}
    assert taken <= TRUE_NAMES


def test_a_letter_missing_doubled_or_swapped_never_makes_another_drug(knowledge: KnowledgeBase) -> None:
    own = {readings(d.name)[0]: d.drug_id for d in knowledge.drugs.values() if d.profile and len(d.name) > 4}
    tried = {wrong: drug_id for name, drug_id in own.items() for wrong in edits(name) if wrong not in own}
    other = {wrong for wrong, drug_id in tried.items() if set(knowledge.resolve_all(wrong)) - {drug_id}}
    assert len(tried) > 20_000 and other <= TRUE_NAMES


@pytest.mark.parametrize("name", ["tradol", "ursadiol", "carbose", "oriconazole", "potassium chlorine", "vitamin b"])
def test_listed_look_alikes_are_matched_to_nothing(knowledge: KnowledgeBase, name: str) -> None:
    assert knowledge.resolve_all(name) == ()
