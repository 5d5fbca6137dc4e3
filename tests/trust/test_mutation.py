"""Every rule matters: change one, and a named specification breaks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.knowledge.schema import RULE_KINDS
from polyguard_env.reward.columns import COLUMNS
from tests.trust.mutants import MUTANTS, Mutant
from tests.trust.specifications import SPECIFICATIONS, prepare

BY_NAME = {check.__name__: check for check in SPECIFICATIONS}


@pytest.fixture(scope="module", autouse=True)
def prepared() -> Iterator[None]:
    """Scenarios and people are drawn by whole rules; only their pricing and review is changed."""
    prepare()
    yield


@pytest.mark.parametrize("name", BY_NAME)
def test_every_specification_holds(env: PolyGuardEnv, name: str) -> None:
    BY_NAME[name](env)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_changed_rule_is_caught(env: PolyGuardEnv, mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.apply(monkeypatch, env)
    with pytest.raises(AssertionError):
        BY_NAME[mutant.caught_by](env)


def test_every_weight_and_rule_kind_has_a_mutant() -> None:
    names = " ".join(mutant.name for mutant in MUTANTS)
    assert all(f"weight of {column}" in names for column in COLUMNS)
    assert all(f"no {kind} rules" in names or f"no {kind} rows in the engine" in names for kind in RULE_KINDS)
    assert {mutant.caught_by for mutant in MUTANTS} <= set(BY_NAME)
