"""The interaction graph against pairs written down before looking at it: proxies, and a supplied sample of DDInter.

`python -m pytest tests/knowledge/test_reference_pairs.py -s` prints the measured shares.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyguard_env.knowledge.base import KnowledgeBase

PAIRS = Path(__file__).parent / "pairs"
SEVERE = ("major", "contraindicated")
SHARED = Path(os.environ.get("POLYGUARD_SHARED_DATA") or Path(__file__).parents[3] / "shared" / "data")
DDINTER = SHARED / "ddinter" / "ddinter_downloads_code_B.csv"


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return KnowledgeBase.default()


def grades(knowledge: KnowledgeBase, name: str) -> dict[tuple[str, str], str]:
    """Grade of every pair of a file, "none" without an edge; each pair once."""
    return {
        (min(a, b), max(a, b)): found.severity if (found := knowledge.interaction(a, b)) else "none"
        for a, b in pairs(knowledge, name)
    }


def pairs(knowledge: KnowledgeBase, name: str) -> Iterator[tuple[str, str]]:
    for line in (PAIRS / name).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            left, right = ([knowledge.resolve(n.strip()) for n in cell.split(",")] for cell in line.split("|")[-2:])
            assert all(left) and all(right), line
            yield from ((a, b) for a in left for b in right if a != b)  # type: ignore[misc]


def share(found: dict[tuple[str, str], str], wanted: tuple[str, ...]) -> float:
    value = sum(grade in wanted for grade in found.values()) / len(found)
    print(f"\n{' or '.join(wanted)}: {value:.4f} of {len(found)} pairs")
    return value


def test_the_onc_rules_expanded_to_drugs_are_major_or_worse(knowledge: KnowledgeBase) -> None:
    assert share(grades(knowledge, "onc.txt"), SEVERE) >= 0.99


def test_pairs_known_as_severe_are_major_or_worse(knowledge: KnowledgeBase) -> None:
    assert share(grades(knowledge, "severe.txt"), SEVERE) >= 0.98


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("severe_again.txt", 0.99), ("severe_specialist.txt", 0.97), ("severe_crossed.txt", 0.90),
        ("severe_held_out.txt", 0.99), ("severe_drugwise.txt", 0.91),
    ],
)  # fmt: skip
def test_later_lists_of_severe_pairs_are_major_or_worse(knowledge: KnowledgeBase, name: str, least: float) -> None:
    assert share(grades(knowledge, name), SEVERE) >= least


def test_pairs_not_worth_interrupting_for_are_seldom_contraindicated(knowledge: KnowledgeBase) -> None:
    found = grades(knowledge, "low_priority.txt")
    assert share(found, ("contraindicated",)) == 0.0
    assert share(found, SEVERE) <= 0.10


@pytest.mark.skipif(not DDINTER.is_file(), reason="no DDInter sample (set POLYGUARD_SHARED_DATA)")
def test_the_grades_follow_ddinter(knowledge: KnowledgeBase) -> None:
    with DDINTER.open(encoding="utf-8", newline="") as handle:
        rows = [(r["Level"], *(knowledge.resolve(r[f"Drug_{s}"]) for s in "AB")) for r in csv.DictReader(handle)]
    order = ("Minor", "Moderate", "Major")  # a pair of several forms has the level of its worst
    rows = sorted((row for row in rows if row[0] in order), key=lambda row: order.index(row[0]))
    level = {(min(a, b), max(a, b)): level for level, a, b in rows if a and b and a != b}
    found = {pair: found.severity if (found := knowledge.interaction(*pair)) else "none" for pair in sorted(level)}
    assert share({p: g for p, g in found.items() if level[p] == "Major"}, SEVERE) >= 0.95
    assert share({p: g for p, g in found.items() if level[p] == "Minor"}, SEVERE) <= 0.01


@pytest.mark.parametrize("name", ["harmless.txt", "harmless_again.txt"])
def test_harmless_pairs_are_seldom_flagged(knowledge: KnowledgeBase, name: str) -> None:
    found = grades(knowledge, name)
    assert share(found, SEVERE) == 0.0
    assert share(found, ("minor", "moderate", *SEVERE)) <= 0.03


def test_the_formulary_covers_what_is_dispensed(knowledge: KnowledgeBase) -> None:
    lines = (PAIRS / "dispensed.txt").read_text(encoding="utf-8").splitlines()
    names = [line for line in lines if not line.startswith("#")]
    missing = [
        name
        for name in names
        if not (ids := knowledge.resolve_all(name)) or any(knowledge.drugs[d].profile is None for d in ids)
    ]
    print(f"\n{len(names) - len(missing)} of {len(names)} dispensed medicines; without a profile: {missing}")
    assert len(missing) <= 3
