"""Foreign names and names of several meanings, and pairs that a reader found missing."""

from __future__ import annotations

import pytest

from polyguard_env.knowledge.base import KnowledgeBase

KNOWLEDGE = KnowledgeBase.default()


@pytest.mark.parametrize(
    ("name", "drug"),
    [
        ("Previscan", "fluindione"), ("EES", "erythromycin"), ("pénicilline V", "penicillin_v"),
        ("Johanniskraut", "st_john_s_wort"),
    ],
)  # fmt: skip
def test_foreign_names(name: str, drug: str) -> None:
    assert KNOWLEDGE.resolve_all(name) == (drug,)


@pytest.mark.parametrize("name", ["previsccan", "artificial tears", "sodium phosphate"])
def test_misspelt_and_ambiguous_names_are_nobodys(name: str) -> None:
    assert KNOWLEDGE.resolve_all(name) == () and KNOWLEDGE.suggest(name)


@pytest.mark.parametrize(
    ("one", "other", "severity", "mechanism"),
    [
        ("amifampridine", "bupropion", "major", "seizure"),
        ("droxidopa", "midodrine", "major", "hypertensive_crisis"),
        ("droxidopa", "norepinephrine", "major", "hypertensive_crisis"),
        ("obeticholic_acid", "warfarin", "moderate", "antagonism"),
        ("sotagliflozin", "rifampin", "moderate", "cyp_induction"),
        ("sotagliflozin", "digoxin", "moderate", "digoxin_toxicity"),
        ("levodopa", "pyridoxine", "minor", "antagonism"),
    ],
)
def test_pairs(one: str, other: str, severity: str, mechanism: str) -> None:
    found = KNOWLEDGE.interaction(one, other)
    assert found is not None and (found.severity, found.mechanism) == (severity, mechanism)
