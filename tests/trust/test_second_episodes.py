"""Episodes as a second checker works them out: state, risk, prices, columns, reasons and hazard after every step."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyguard_env.engine.parameters import DEFAULTS, PLACE
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS, make_id
from polyguard_env.trust.second import dynamics, holds, legality, risk, verdict
from polyguard_env.trust.second.agreement import packaged_facts
from polyguard_env.trust.second.episodes import Walked, episode_agreement, walk

SEED = 5
SCENARIOS = 6
# Scenarios of each kind walked until a changed parameter shows; asking a specialist is seldom the best move.
MOST = 24
# Parameters that no rule rests on: which moves are laid out beside one another, and what nothing reads.
TUNING = {
    "least_weight": "below it a finding gets no moves of its own on offer",
    "illegal_share": "how often an easy step shows an illegal option",
    "raise": "how far an offered dose goes up",
    "cut": "how far an offered dose goes down",
    "withdrawal_contraindicated": "no taper rule is graded so",
}

# Values that make a difference where half as much again does not.
OTHERWISE = {"max_keeps": 0.0, "enough": 0.1, "safe_stop": 1.0, "taper_end": 0.6}


@pytest.fixture(scope="module", autouse=True)
def posed(env: PolyGuardEnv) -> None:
    """Scenarios are drawn by whole rules; only how they play is changed."""
    for name in SUB_ENVIRONMENTS:
        for difficulty in DIFFICULTIES:
            for number in range(MOST):
                env.factory.find(make_id("train", name, difficulty, number))


@pytest.fixture
def changed(env: PolyGuardEnv, request: pytest.FixtureRequest) -> Iterator[str]:
    """One parameter of the compiled rules changed for the length of a test."""
    place, values = PLACE[request.param], env.engine.facts.parameters
    held = float(values[place])
    values[place] = OTHERWISE.get(request.param, held * 1.5 + 0.05)
    yield request.param
    values[place] = held


@pytest.mark.parametrize("module", [dynamics, holds, legality, risk, verdict])
def test_it_shares_nothing_with_what_it_checks(module: object) -> None:
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))  # type: ignore[attr-defined]
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    own = {name for name in imported if name.startswith("polyguard")}
    names = ("tables", "findings", "legality", "dynamics", "risk", "holds")
    assert own <= {"polyguard_env.trust.second", *(f"polyguard_env.trust.second.{name}" for name in names)}


def test_both_agree_along_random_walks_everywhere(env: PolyGuardEnv) -> None:
    found = episode_agreement(SCENARIOS, SEED, env)
    assert found["examples"] == []
    assert found["scenarios"] == 2 * SCENARIOS * len(SUB_ENVIRONMENTS) * len(DIFFICULTIES)
    assert found["steps"] > 3 * found["scenarios"] and found["candidates"] > 30 * found["scenarios"]
    assert found["malformed"] > 50 and found["illegal"] > 50
    assert {
        "unsafe_no_op", "keep_regimen_abuse", "review_abuse", "repeated_action_loop", "retry_of_no_op",
        "undone_change", "needless_change", "timeout", "acted_on_unknown", "drug_not_taken", "dose_above_maximum",
        "not_a_reduction", "unreadable_answer", "candidate_id_mismatch", "parser_exploit",
    } <= set(found["reasons"])  # fmt: skip
    assert len(found["moves"]) == 15


def first_difference(env: PolyGuardEnv) -> list[str]:
    """What the first walk that differs shows."""
    found = Walked()
    for number in range(MOST):
        for name in SUB_ENVIRONMENTS:
            for difficulty in DIFFICULTIES:
                walk(env, make_id("train", name, difficulty, number), SEED, packaged_facts(), found)
                if found.differing:
                    return found.differing
    return []


@pytest.mark.parametrize("changed", [name for name in DEFAULTS if name not in TUNING], indirect=True)
def test_another_value_of_a_parameter_is_noticed(env: PolyGuardEnv, changed: str) -> None:
    assert first_difference(env) != [], changed


@pytest.mark.parametrize("changed", list(TUNING), indirect=True)
def test_tuning_changes_nothing_that_a_rule_says(env: PolyGuardEnv, changed: str) -> None:
    """Only what is laid out: what is laid out is still judged by the rules."""
    found = Walked()
    for name in ("DDI", "PRECISION_DOSING", "REGIMEN_RISK"):
        walk(env, make_id("train", name, "hard", 0), SEED, packaged_facts(), found)
    assert found.differing == [], changed
