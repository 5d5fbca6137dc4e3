"""A second checker, written apart and brute force, makes the same findings and calls the same moves legal."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS, make_id
from polyguard_env.trust.second import agreement, findings, legality, tables

REGIMENS = 1_000


@pytest.mark.parametrize("module", [tables, findings, legality])
def test_it_shares_nothing_with_what_it_checks(module: object) -> None:
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))  # type: ignore[attr-defined]
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    own = {name for name in imported if name.startswith("polyguard")}
    assert own <= {"polyguard_env.trust.second.tables"}


def test_both_make_the_same_findings_on_random_regimens() -> None:
    found = agreement.agreement(REGIMENS, seed=7)
    assert found["examples"] == []
    assert found["findings"] > 10 * REGIMENS
    assert set(found["by_category"]) == {
        "interaction", "drug_disease", "organ_dosing", "burden", "duplication", "omission", "monitoring",
    }  # fmt: skip


@pytest.mark.parametrize("number", [719, 814, 1248])
def test_the_worst_of_several_rules_grades_a_finding(env: PolyGuardEnv, number: int) -> None:
    """Regimens in which two rules ask for one measurement with different urgency."""
    facts = agreement.packaged_facts()
    person = agreement.random_person(number, 7, facts)
    assert agreement.compare(person, number, env.knowledge, facts) == []


def differing(env: PolyGuardEnv, sub_environment: str, difficulty: str) -> list[str]:
    return agreement.legality_disagreements(env, [make_id("train", sub_environment, difficulty, n) for n in range(8)])


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
@pytest.mark.parametrize("sub_environment", SUB_ENVIRONMENTS)
def test_both_call_the_same_moves_legal(env: PolyGuardEnv, sub_environment: str, difficulty: str) -> None:
    """Absent drugs, doses above the maximum, allergies, and what has to be looked up first."""
    assert differing(env, sub_environment, difficulty) == []
