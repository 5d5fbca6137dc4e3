"""Which dose change in a row counts as a repeat: the same one, and one that takes the last one back."""

from __future__ import annotations

from typing import Any

import pytest

from polyguard_env.engine.layout import KIND
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import ActionType, Candidate, PolyGuardAction
from polyguard_env.environment.scenarios import make_id

REDUCE, INCREASE = ActionType.REDUCE_DOSE, ActionType.INCREASE_DOSE
REPEATS = {"repeated_action_loop", "undone_change"}


def offers(env: PolyGuardEnv, kind: ActionType, least: int = 4) -> list[tuple[str, Candidate, float]]:
    """Legal dose changes of a kind: scenario, candidate and the dose that is taken."""
    found = []
    for number in range(80):
        scenario_id = make_id("train", "PRECISION_DOSING", "medium", number)
        observation = env.reset(seed=3, scenario_id=scenario_id)
        legal, doses = set(env.legal_candidate_ids()), env.state.regimen
        chosen = next((c for c in observation.candidates if c.action_type is kind and c.candidate_id in legal), None)
        if chosen is not None:
            found.append((scenario_id, chosen, doses[chosen.targets[0]]))
        if len(found) == least:
            return found
    raise AssertionError(f"fewer than {least} legal {kind}")


def reasons_after(env: PolyGuardEnv, offer: tuple[str, Candidate, float], last: ActionType, dose: float) -> set[str]:
    """Reasons of an offer when the last move changed its drug from `dose` to the dose that is taken."""
    scenario_id, candidate, taken = offer
    env.reset(seed=3, scenario_id=scenario_id)
    saved: dict[str, Any] = env.get_state()
    saved["state"]["last_action"] = [KIND[last], env.engine.table.drug_at[candidate.targets[0]], -1]
    saved["state"]["last_dose"] = [dose, taken]
    env.set_state(saved)
    return set(env.step(PolyGuardAction(candidate_id=candidate.candidate_id)).info["reasons"])


@pytest.mark.parametrize("kind", [REDUCE, INCREASE])
def test_a_further_change_the_same_way_is_no_repeat(env: PolyGuardEnv, kind: ActionType) -> None:
    for offer in offers(env, kind):
        before = offer[2] * (2.0 if kind is REDUCE else 0.5)
        assert not REPEATS & reasons_after(env, offer, kind, before)


@pytest.mark.parametrize(("kind", "last"), [(REDUCE, INCREASE), (INCREASE, REDUCE)])
def test_a_dose_taken_back_is_an_undone_change(env: PolyGuardEnv, kind: ActionType, last: ActionType) -> None:
    for offer in offers(env, kind):
        value = float(offer[1].targets[1])
        assert "undone_change" in reasons_after(env, offer, last, value)
        beyond, short = value * (1.2 if kind is REDUCE else 0.8), value * (0.8 if kind is REDUCE else 1.2)
        assert "undone_change" in reasons_after(env, offer, last, beyond)
        assert not REPEATS & reasons_after(env, offer, last, short)


def test_the_same_dose_again_is_a_repeat(env: PolyGuardEnv) -> None:
    scenario_id, candidate, taken = offers(env, INCREASE)[0]
    value = float(candidate.targets[1])
    env.reset(seed=3, scenario_id=scenario_id)
    saved = env.get_state()
    saved["state"]["last_action"] = [KIND[INCREASE], env.engine.table.drug_at[candidate.targets[0]], -1]
    saved["state"]["last_dose"] = [taken, value]
    env.set_state(saved)
    after = env.step(PolyGuardAction(candidate_id=candidate.candidate_id))
    assert "repeated_action_loop" in after.info["reasons"]
