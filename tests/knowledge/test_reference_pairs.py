"""The interaction graph against pairs written down before looking at it: proxies, not independent reference sets.

`python -m pytest tests/knowledge/test_reference_pairs.py -s` prints the measured shares.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from polyguard_env.knowledge.base import KnowledgeBase

PAIRS = Path(__file__).parent / "pairs"
SEVERE = ("major", "contraindicated")


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
    assert share(grades(knowledge, "severe.txt"), SEVERE) >= 0.95


def test_harmless_pairs_are_seldom_flagged(knowledge: KnowledgeBase) -> None:
    found = grades(knowledge, "harmless.txt")
    assert share(found, SEVERE) <= 0.01
    assert share(found, ("minor", "moderate", *SEVERE)) <= 0.05


def test_the_formulary_covers_what_is_dispensed(knowledge: KnowledgeBase) -> None:
    lines = (PAIRS / "dispensed.txt").read_text(encoding="utf-8").splitlines()
    names = [line for line in lines if not line.startswith("#")]
    missing = [
        name
        for name in names
        if not (ids := knowledge.resolve_all(name)) or any(knowledge.drugs[d].profile is None for d in ids)
    ]
    print(f"\n{len(names) - len(missing)} of {len(names)} dispensed medicines; without a profile: {missing}")
    assert len(missing) <= 0.03 * len(names)
