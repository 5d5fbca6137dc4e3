"""Which dose change in a row counts as a repeat: the same one, and one that takes the last one back."""

from __future__ import annotations

from typing import Any

import pytest

from polyguard_env.engine.layout import KIND
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import ActionType, Candidate, PolyGuardAction, PolyGuardObservation
from polyguard_env.environment.scenarios import make_id
from polyguard_env.reward.columns import WEIGHTS

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


def seen_after(
    env: PolyGuardEnv, offer: tuple[str, Candidate, float], last: ActionType, dose: float
) -> PolyGuardObservation:
    """What comes of an offer when the last move changed its drug from `dose` to the dose that is taken."""
    scenario_id, candidate, taken = offer
    env.reset(seed=3, scenario_id=scenario_id)
    saved: dict[str, Any] = env.get_state()
    saved["state"]["last_action"] = [KIND[last], env.engine.table.drug_at[candidate.targets[0]], -1]
    saved["state"]["last_dose"] = [dose, taken]
    env.set_state(saved)
    return env.step(PolyGuardAction(candidate_id=candidate.candidate_id))


def reasons_after(env: PolyGuardEnv, offer: tuple[str, Candidate, float], last: ActionType, dose: float) -> set[str]:
    """The reasons that come with it."""
    return set(seen_after(env, offer, last, dose).info["reasons"])


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


def test_a_change_taken_back_for_nothing_is_paid_for_its_form_alone(env: PolyGuardEnv) -> None:
    paid: dict[bool, list[float]] = {True: [], False: []}
    for sub_environment in ("DDI", "PRECISION_DOSING", "REGIMEN_RISK"):
        for number in range(60):
            scenario_id = make_id("train", sub_environment, "easy", number)
            observation = env.reset(seed=3, scenario_id=scenario_id)
            legal = set(env.legal_candidate_ids())
            for candidate in observation.candidates:
                if candidate.action_type is not REDUCE or candidate.candidate_id not in legal:
                    continue
                taken = env.state.regimen[candidate.targets[0]]
                offer = (scenario_id, candidate, taken)
                seen = seen_after(env, offer, INCREASE, float(candidate.targets[1]))
                assert "undone_change" in seen.info["reasons"] and seen.reward is not None
                paid["needless_change" in seen.info["reasons"]].append(float(seen.reward))
                env.reset(seed=3, scenario_id=scenario_id)
    form = 0.001 + 0.998 * (WEIGHTS["format_compliance_score"] + WEIGHTS["candidate_alignment_score"])
    assert len(paid[True]) > 10 and all(reward == pytest.approx(form) for reward in paid[True])
    assert paid[False] and min(paid[False]) > form
