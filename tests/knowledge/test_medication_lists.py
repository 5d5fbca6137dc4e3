"""Names of medication lists, RxNorm strings and several countries' brands; abbreviations in doubt; misspellings."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from polyguard_env.knowledge.base import KnowledgeBase

LISTED = Path(__file__).with_name("medication_lists.csv")
MISSPELT = Path(__file__).with_name("misspelt.csv")
FIRST = 3


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return KnowledgeBase.default()


def test_names_of_real_lists_resolve_to_their_ingredients(knowledge: KnowledgeBase) -> None:
    rows = [(row["written"], set(row["drug_ids"].split(";"))) for row in read(LISTED) if row["drug_ids"]]
    assert len(rows) >= 2_500
    wrong = {written: found for written, ids in rows if (found := set(knowledge.resolve_all(written))) != ids}
    assert wrong == {}


def test_what_is_in_doubt_gives_choices_and_no_match(knowledge: KnowledgeBase) -> None:
    doubtful = [row["written"] for row in read(LISTED) if not row["drug_ids"]]
    assert len(doubtful) >= 30
    assert [written for written in doubtful if knowledge.resolve_all(written)] == []
    assert [written for written in doubtful if len(knowledge.suggest(written)) < 2] == []


@pytest.mark.parametrize(
    ("written", "meant"),
    [("cartia", {"aspirin", "diltiazem"}), ("Urex", {"furosemide", "methenamine"}), ("LMWH", {"enoxaparin"}),
     ("IV vanc", {"vancomycin", "ertapenem"}), ("AZA", {"azathioprine", "azacitidine"})],
)  # fmt: skip
def test_choices_of_an_abbreviation_in_doubt(knowledge: KnowledgeBase, written: str, meant: set[str]) -> None:
    assert meant <= set(knowledge.suggest(written))


def test_a_known_misspelling_has_the_meant_name_among_the_first_suggestions(knowledge: KnowledgeBase) -> None:
    rows = read(MISSPELT)
    assert len(rows) >= 180
    assert [row["written"] for row in rows if knowledge.resolve_all(row["written"])] == []
    near = {row["written"]: knowledge.suggest(row["written"])[:FIRST] for row in rows}
    meant = {row["written"]: set(knowledge.resolve_all(row["meant"])) for row in rows}
    missed = {
        written: names
        for written, names in near.items()
        if meant[written] not in [set(knowledge.resolve_all(name)) for name in names]
    }
    assert missed == {}


def test_the_sound_of_a_name_ranks_before_letters_in_common(knowledge: KnowledgeBase) -> None:
    assert knowledge.suggest("zanax")[0] == "xanax"


def test_an_allergy_to_contrast_reaches_the_agents(knowledge: KnowledgeBase) -> None:
    (found,) = knowledge.resolve_all("contrast dye")
    assert found in knowledge.drug("iohexol").classes
