"""Candidates are laid out so that how many there are, and of what kind, tells little about which is best."""

from __future__ import annotations

from collections import Counter

import pytest

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import ActionType, PolyGuardAction
from polyguard_env.environment.scenarios import DIFFICULTIES, make_id
from polyguard_env.risk.danger import dangerous

TEST, FETCH, TAPER = ActionType.TEST_COMBINATION, ActionType.FETCH_EXTERNAL_EVIDENCE, ActionType.TAPER_DRUG
MADE = ("STOP_DRUG", "TAPER_DRUG", "REDUCE_DOSE", "INCREASE_DOSE", "SUBSTITUTE_DRUG", "RECOMMEND_ALTERNATIVE")


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_one_dangerous_combination_is_offered_while_any_is_left(env: PolyGuardEnv, difficulty: str) -> None:
    """And one of the worst of those that are left, so that it is the best move."""
    steps = 0
    for number in range(12):
        observation = env.reset(seed=number, scenario_id=make_id("train", "BANDIT_MINING", difficulty, number))
        danger = {found.drugs: found.severity for found in dangerous(env.scenario.combinations, env.index)}
        while not observation.done:
            offered = [c for c in observation.candidates if c.action_type is TEST]
            fresh = [danger[tuple(c.targets)] for c in offered if tuple(c.targets) in danger]
            assert len(fresh) == min(1, len(danger)) or len(env.scenario.combinations) - steps < 8
            worst = "contraindicated" if "contraindicated" in danger.values() else "major"
            assert not fresh or worst in fresh
            chosen = next((c for c in offered if tuple(c.targets) in danger), offered[0])
            danger.pop(tuple(chosen.targets), None)
            observation = env.step(PolyGuardAction(candidate_id=chosen.candidate_id))
            if not danger:
                break
            steps += 1
    assert steps or difficulty == "easy"


@pytest.mark.parametrize("name", ["DDI", "ALTERNATIVE_SUGGESTION"])
def test_the_chart_is_offered_whether_or_not_it_is_hidden(env: PolyGuardEnv, name: str) -> None:
    seen: Counter[tuple[bool, bool]] = Counter()
    for number in range(150):
        observation = env.reset(seed=number, scenario_id=make_id("train", name, "hard", number))
        offered = any(c.action_type is FETCH and c.targets[0] == "chart" for c in observation.candidates)
        seen[bool(observation.patient["to_check"]), offered] += 1
    assert seen[True, False] == 0 < seen[True, True]
    assert seen[False, True] > 20 and seen[False, False] > 20


def test_every_difficulty_shows_moves_on_as_many_drugs(env: PolyGuardEnv) -> None:
    for difficulty in DIFFICULTIES:
        for number in range(30):
            observation = env.reset(seed=2, scenario_id=make_id("train", "REGIMEN_RISK", difficulty, number))
            legal = set(env.legal_candidate_ids())
            drugs = {c.targets[0] for c in observation.candidates if c.action_type in MADE and c.candidate_id in legal}
            assert len(drugs) <= 3  # two rows of the table, and a drug that a rule's illegal neighbour may share


def test_a_taper_is_on_offer_where_a_substitute_is_sought(env: PolyGuardEnv) -> None:
    """Whether or not it is the best move."""
    best: Counter[bool] = Counter()
    for number in range(250):
        observation = env.reset(seed=1, scenario_id=make_id("train", "ALTERNATIVE_SUGGESTION", "hard", number))
        prices, legal = env.price(), set(env.legal_candidate_ids())
        tapers = [c for c in observation.candidates if c.action_type is TAPER and c.candidate_id in legal]
        best.update(prices[c.candidate_id] == max(prices.values()) for c in tapers)
    assert best[True] >= 5 and best[False] >= 5
