"""What the verifier promises of harm that an agent adds and takes away again: a cycle earns nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import Candidate, PolyGuardAction
from tests.trust.posed import T, finish_of, first, ids, step

# A harm that is worth repairing, in units of risk.
HARM = 0.5
CELLS = (
    ("WEB_SEARCH_MISSING_DATA", "easy"), ("WEB_SEARCH_MISSING_DATA", "medium"), ("NEW_DRUG_DECOMPOSITION", "easy"),
    ("NEW_DRUG_DECOMPOSITION", "medium"), ("NEW_DRUG_DECOMPOSITION", "hard"),
)  # fmt: skip
LEAST = 60
CHANGES = (T.STOP_DRUG, T.TAPER_DRUG, T.SUBSTITUTE_DRUG, T.REDUCE_DOSE, T.INCREASE_DOSE)


@cache
def problems() -> tuple[str, ...]:
    """Problems that often offer to add a drug."""
    return tuple(scenario_id for cell in CELLS for scenario_id in ids(*cell, False, 60))


def harmful_additions(env: PolyGuardEnv) -> Iterator[tuple[str, Candidate, float]]:
    """Additions on offer at the first step of a problem that add risk: scenario, candidate and how much."""
    for scenario_id in problems():
        observation = first(env, scenario_id)
        rows, legal = env._episode.state["candidate"], set(env.legal_candidate_ids())
        for place, candidate in enumerate(observation.candidates):
            relief = sum(float(rows[place][part]) for part in ("safety", "dosing", "burden", "disease"))
            if candidate.action_type is T.ADD_DRUG and candidate.candidate_id in legal and relief < -HARM:
                yield scenario_id, candidate, -relief
                break


def free_of_debt(env: PolyGuardEnv) -> dict[str, float]:
    """Prices as if nothing were owed; nothing is from then on."""
    kept = env.get_state()
    kept["state"] |= {"debt": 0.0, "harmed": []}
    env.set_state(kept)
    return env.price()


def harm_and_its_repair_pay_no_more_than_leaving(env: PolyGuardEnv) -> None:
    """Taken back at once or a step later, what was added for the worse is not paid twice."""
    excess = []
    for waits in (0, 1):
        for scenario_id, candidate, added in list(harmful_additions(env)):
            floor = step(env, finish_of(first(env, scenario_id))).reward or 0.0
            first(env, scenario_id)
            observation = step(env, candidate)
            rewards = [observation.reward or 0.0]
            assert float(env._episode.state["debt"]) == pytest.approx(added, abs=1e-9)
            if waits and not observation.done:
                observation = env.step(PolyGuardAction(text="nonsense"))
            stops = [c for c in observation.candidates if c.action_type is T.STOP_DRUG]
            back = next((c for c in stops if c.targets == candidate.targets[:1]), None)
            if observation.done or back is None:
                continue
            repaired = step(env, back)
            rewards.append(repaired.reward or 0.0)
            assert float(env._episode.state["debt"]) == pytest.approx(0.0, abs=1e-9)
            assert ("undone_change" in repaired.info["reasons"]) is not bool(waits)
            excess.append(sum(rewards) / 2 - floor)
    assert len(excess) >= LEAST
    assert max(excess) <= 0.03 and sum(excess) / len(excess) <= 0.02


def harm_with_one_drug_takes_nothing_off_the_pay_for_another(env: PolyGuardEnv) -> None:
    """After an addition for the worse, the best move on another drug is paid as if there had been none."""
    seen = 0
    for scenario_id, candidate, _ in list(harmful_additions(env)):
        first(env, scenario_id)
        observation = step(env, candidate)
        if observation.done:
            continue
        kept, prices, legal = env.get_state(), env.price(), set(env.legal_candidate_ids())
        assert kept["state"]["harmed"] == candidate.targets[:1]
        free = free_of_debt(env)
        for other in observation.candidates:
            if other.action_type in CHANGES and other.candidate_id in legal:
                about = candidate.targets[0] in other.targets[:2]
                assert prices[other.candidate_id] == pytest.approx(free[other.candidate_id]) or about
                seen += not about and free[other.candidate_id] > 0.9
    assert seen >= 8


def who_leaves_it_at_the_harm_done_is_not_paid_for_the_rest(env: PolyGuardEnv) -> None:
    """To finish while a harm of 0.5 or more is owed keeps a tenth of what it would be paid over its form."""
    seen = 0
    for scenario_id, candidate, _ in list(harmful_additions(env)):
        first(env, scenario_id)
        observation = step(env, candidate)
        if observation.done:
            continue
        finish, kept, owing = finish_of(observation).candidate_id, env.get_state(), env.price()
        assert kept["state"]["debt"] >= HARM
        assert owing[finish] < free_of_debt(env)[finish] - 1e-3
        seen += 1
    assert seen >= LEAST


REPAIR_SPECIFICATIONS: tuple[Callable[[PolyGuardEnv], None], ...] = (
    harm_and_its_repair_pay_no_more_than_leaving, harm_with_one_drug_takes_nothing_off_the_pay_for_another,
    who_leaves_it_at_the_harm_done_is_not_paid_for_the_rest,
)  # fmt: skip
