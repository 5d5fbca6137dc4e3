"""What the verifier and the dynamics promise, each as one named check that raises when it is broken.

The mutation tests hold every rule against these: a changed rule has to break at least one of them.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardAction
from polyguard_env.trust.second.agreement import compare as compare_person
from polyguard_env.trust.second.agreement import packaged_facts
from tests.trust.engine_specifications import (
    REVIEWED,
    reviewed,
    the_engine_finds_what_the_review_finds,
    with_combinations,
)
from tests.trust.hold_specifications import HOLD_SPECIFICATIONS, offers_to_hold
from tests.trust.posed import (
    LOOKS,
    T,
    best_and_finish,
    best_of,
    finish_of,
    first,
    gate_of,
    kind_of,
    known_ids,
    people,
    step,
)
from tests.trust.repair_specifications import REPAIR_SPECIFICATIONS, problems

# The design's weights, written out: the code may not drift from them.
DESIGNED = {
    "format_compliance_score": 0.08, "candidate_alignment_score": 0.08, "legality_score": 0.12,
    "safety_delta_score": 0.15, "burden_improvement_score": 0.08, "disease_stability_score": 0.10,
    "dosing_quality_score": 0.08, "abstention_quality_score": 0.06, "efficiency_score": 0.06,
    "process_fidelity_score": 0.06, "explanation_grounding_score": 0.03, "anti_cheat_score": 0.06,
    "uncertainty_calibration_score": 0.04,
}  # fmt: skip


def agrees_with_the_second_checker(env: PolyGuardEnv) -> None:
    facts = packaged_facts()
    for number, (person, second) in enumerate(people()):
        assert compare_person(person, number, env.knowledge, facts, second) == []


def rewards_weigh_columns_as_designed(env: PolyGuardEnv) -> None:
    for scenario_id in known_ids("REGIMEN_RISK", "medium", False):
        for place in range(5):
            observation = first(env, scenario_id)
            after = step(env, observation.candidates[place % len(observation.candidates)], confidence=0.3)
            raw = sum(DESIGNED[name] * value for name, value in after.columns.items())
            assert after.reward == pytest.approx(0.001 + 0.998 * raw, abs=1e-9)
            assert all(0.0 <= value <= 1.0 for value in after.columns.values())


def an_unreadable_answer_earns_nothing(env: PolyGuardEnv) -> None:
    observation = first(env, known_ids("DDI", "hard", False)[0])
    regimen = env.state.regimen
    for action, reason in (
        (PolyGuardAction(text="do what is best"), "unreadable_answer"),
        (PolyGuardAction(candidate_id="c1"), "candidate_id_mismatch"),
        (PolyGuardAction(text="finish\x00"), "parser_exploit"),
        (PolyGuardAction(candidate_id=observation.candidates[0].candidate_id, targets=["x"]), "candidate_id_mismatch"),
    ):
        first(env, known_ids("DDI", "hard", False)[0])
        after = env.step(action)
        assert after.info["reasons"] == [reason]
        clinical = [v for name, v in after.columns.items() if name != "anti_cheat_score"]
        assert clinical == [0.0] * 12 and (after.reward or 1.0) < 0.05
        assert env.state.regimen == regimen


def an_illegal_move_earns_its_form_only(env: PolyGuardEnv) -> None:
    seen = 0
    for scenario_id in (*known_ids("REGIMEN_RISK", "hard", False), *known_ids("DDI", "medium", False)):
        observation = first(env, scenario_id)
        legal, regimen = set(env.legal_candidate_ids()), env.state.regimen
        for candidate in observation.candidates:
            if candidate.candidate_id not in legal:
                after = step(env, candidate)
                assert after.info["legal"] is False and after.info["reasons"]
                assert after.columns["legality_score"] == 0.0 == after.columns["safety_delta_score"]
                assert after.columns["uncertainty_calibration_score"] == after.columns["efficiency_score"] == 0.0
                assert env.state.regimen == regimen
                seen += 1
                break
    assert seen >= 3


def a_dose_above_the_maximum_is_illegal(env: PolyGuardEnv) -> None:
    seen = 0
    levels = [known_ids("PRECISION_DOSING", difficulty, False) for difficulty in ("easy", "medium", "hard")]
    for scenario_id in (name for cell in (known_ids("REGIMEN_RISK", "hard", False), *levels) for name in cell):
        observation = first(env, scenario_id)
        legal = set(env.legal_candidate_ids())
        for c in observation.candidates:
            if c.action_type is T.INCREASE_DOSE:
                profile = env.knowledge.drugs[c.targets[0]].profile
                over = profile is not None and float(c.targets[1]) > profile.dose_max * 1.001
                assert not (over and c.candidate_id in legal)
                seen += over
    assert seen >= 2


def the_best_fix_is_safe_and_finishing_is_not(env: PolyGuardEnv) -> None:
    for scenario_id in known_ids("DDI", "easy", False):
        best, finish = best_and_finish(env, scenario_id)
        assert best.columns["safety_delta_score"] > 0.9
        assert finish.columns["safety_delta_score"] < 0.1


def burden_counts_where_burden_is_the_problem(env: PolyGuardEnv) -> None:
    low = 0
    for scenario_id in known_ids("LONGITUDINAL_DEPRESCRIBING", "medium", False):
        best, finish = best_and_finish(env, scenario_id)
        assert best.columns["burden_improvement_score"] > 0.6
        low += finish.columns["burden_improvement_score"] < 0.25 * gate_of(finish)
    assert low >= 2


def stopping_a_needed_drug_lets_its_disease_drift(env: PolyGuardEnv) -> None:
    seen = 0
    for scenario_id in (*known_ids("DDI", "medium", True), *known_ids("LONGITUDINAL_DEPRESCRIBING", "easy", True)):
        observation = first(env, scenario_id)
        legal = set(env.legal_candidate_ids())
        stops = [c for c in observation.candidates if c.action_type is T.STOP_DRUG and c.candidate_id in legal]
        for candidate in stops:
            indications = {item.drug_id: item.indication for item in env.scenario.patient.regimen}
            treated = indications[candidate.targets[0]]
            if treated and env.index.priority(treated) >= 1.5 and list(indications.values()).count(treated) == 1:
                observation = first(env, scenario_id)
                after = step(env, candidate)
                assert after.columns["disease_stability_score"] < 0.7 * gate_of(after)
                seen += 1
                break
    assert seen >= 2


def an_excess_dose_has_to_come_down(env: PolyGuardEnv) -> None:
    seen = 0
    for scenario_id in known_ids("PRECISION_DOSING", "easy", False):
        best, finish = best_and_finish(env, scenario_id)
        # Against a column under the same gate, so that the gate alone does not pass it.
        low = finish.columns["dosing_quality_score"] < 0.3 * finish.columns["disease_stability_score"]
        seen += best.columns["dosing_quality_score"] > 0.9 and low
    assert seen >= 2


def asking_where_one_can_act_is_abuse(env: PolyGuardEnv) -> None:
    seen = 0
    for name in ("DDI", "REGIMEN_RISK", "NEW_DRUG_DECOMPOSITION", "WEB_SEARCH_MISSING_DATA"):
        for scenario_id in known_ids(name, "easy", False):
            observation = first(env, scenario_id)
            review = kind_of(observation, T.REQUEST_SPECIALIST_REVIEW)
            if review is not None:
                after = step(env, review)
                assert "review_abuse" in after.info["reasons"]
                assert after.columns["abstention_quality_score"] < 0.3
                seen += 1
    assert seen >= 3


def leaving_a_severe_problem_is_named_and_gated(env: PolyGuardEnv) -> None:
    for scenario_id in known_ids("DDI", "easy", False):
        finish = step(env, finish_of(first(env, scenario_id)))
        assert "unsafe_no_op" in finish.info["reasons"]
        assert finish.columns["process_fidelity_score"] <= 0.35
        assert finish.columns["legality_score"] == finish.columns["format_compliance_score"] == 1.0
        assert finish.columns["candidate_alignment_score"] == 1.0
        assert finish.columns["anti_cheat_score"] < 0.2
        assert finish.columns["uncertainty_calibration_score"] < 0.05
        assert (finish.reward or 1.0) < 0.5


def adding_harm_is_gated(env: PolyGuardEnv) -> None:
    """The worst legal move of a control keeps little of the columns that judge nothing clinical."""
    shares = []
    for scenario_id in known_ids("LONGITUDINAL_DEPRESCRIBING", "easy", True):
        observation = first(env, scenario_id)
        prices, legal = env.price(), set(env.legal_candidate_ids())
        worst = min(
            (c for c in observation.candidates if c.candidate_id in legal), key=lambda c: prices[c.candidate_id]
        )
        after = step(env, worst, confidence=None)
        if worst.action_type is T.STOP_DRUG:
            shares.append(gate_of(after))
    assert shares and min(shares) < 0.5


def doing_nothing_is_right_in_a_control(env: PolyGuardEnv) -> None:
    for name in ("DDI", "REGIMEN_RISK", "PRECISION_DOSING"):
        for scenario_id in known_ids(name, "easy", True):
            observation = first(env, scenario_id)
            while observation.patient["to_check"]:
                # A missing lab comes first, in a control too.
                look = best_of(env, observation)
                if look.action_type is T.FINISH:
                    break  # nothing in the regimen hangs on it
                assert look.action_type in LOOKS
                observation = step(env, look)
            prices = env.price()
            finish = finish_of(observation)
            assert prices[finish.candidate_id] > 0.9
            keep = kind_of(observation, T.KEEP_REGIMEN)
            if keep is not None:
                assert prices[keep.candidate_id] < prices[finish.candidate_id]


def stopping_at_once_what_needs_a_taper_is_worse(env: PolyGuardEnv) -> None:
    seen = 0
    for scenario_id in known_ids("LONGITUDINAL_DEPRESCRIBING", "medium", False):
        observation = first(env, scenario_id)
        for taper in [c for c in observation.candidates if c.action_type is T.TAPER_DRUG]:
            stop = next(
                (c for c in observation.candidates if c.action_type is T.STOP_DRUG and c.targets == taper.targets), None
            )
            if stop is None or env.index.rules("taper", taper.targets[0])[0].severity == "minor":
                continue
            tapered = step(env, taper, confidence=None)
            first(env, scenario_id)
            stopped = step(env, stop, confidence=None)
            assert (stopped.reward or 1.0) < (tapered.reward or 0.0)
            assert stopped.columns["safety_delta_score"] < 0.1
            assert stopped.columns["process_fidelity_score"] <= 0.5
            seen += 1
            first(env, scenario_id)
    assert seen >= 2


def a_taper_goes_down_in_steps(env: PolyGuardEnv) -> None:
    for scenario_id in known_ids("LONGITUDINAL_DEPRESCRIBING", "medium", False)[:4]:
        observation, legal = first(env, scenario_id), set(env.legal_candidate_ids())
        tapers = [c for c in observation.candidates if c.action_type is T.TAPER_DRUG and c.candidate_id in legal]
        if not tapers:
            continue
        taper = tapers[0]
        drug_id, before = taper.targets[0], env.state.regimen[taper.targets[0]]
        step(env, taper)
        rule = env.index.rules("taper", drug_id)[0].fields
        left = env.state.regimen.get(drug_id, 0.0)
        days = env.scenario.step_days
        cut = float(rule["step_fraction"]) * max(1.0, days / float(rule["step_days"] or days))
        assert left == pytest.approx(max(0.0, before * (1 - cut)), abs=before * 0.121)
        assert left < before
        return
    raise AssertionError("no taper on offer")


def days_pass_with_each_step(env: PolyGuardEnv) -> None:
    for name in ("DDI", "LONGITUDINAL_DEPRESCRIBING"):
        scenario_id = known_ids(name, "hard", False)[0]
        observation = first(env, scenario_id)
        days, budget = env.scenario.step_days, observation.steps_left
        after = env.step(PolyGuardAction(text="nonsense"))
        assert (after.day, after.steps_left) == (days, budget - 1)
        again = step(env, best_of(env, after))
        assert again.day == 2 * days or again.done


def keeping_twice_is_abuse_and_repeating_is_named(env: PolyGuardEnv) -> None:
    reasons: set[str] = set()
    names = ("LONGITUDINAL_DEPRESCRIBING", "REGIMEN_RISK", "PRECISION_DOSING", "DDI", "BANDIT_MINING")
    for scenario_id in (scenario_id for name in names for scenario_id in known_ids(name, "hard", False)):
        for kinds in ((T.KEEP_REGIMEN,), (T.REQUEST_SPECIALIST_REVIEW,), (T.ORDER_MONITORING, T.TEST_COMBINATION)):
            observation = first(env, scenario_id)
            texts: set[str] = set()
            while not observation.done:
                again = next((c for c in observation.candidates if c.text in texts and c.action_type in kinds), None)
                chosen = again or kind_of(observation, *kinds)
                if chosen is None:
                    observation = env.step(PolyGuardAction(text="nonsense"))
                    continue
                texts.add(chosen.text)
                observation = step(env, chosen)
                reasons |= set(observation.info["reasons"])
    assert {"keep_regimen_abuse", "retry_of_no_op", "repeated_action_loop", "unsafe_no_op"} <= reasons


def stated_confidence_is_scored_by_being_right(env: PolyGuardEnv) -> None:
    scenario_id = known_ids("DDI", "easy", False)[0]
    scores = []
    for confidence in (1.0, None, 0.0):
        observation = first(env, scenario_id)
        scores.append(
            step(env, best_of(env, observation), confidence=confidence).columns["uncertainty_calibration_score"]
        )
    assert scores == pytest.approx([1.0, 0.75, 0.0], abs=1e-6)


def facts_have_to_exist_and_support(env: PolyGuardEnv) -> None:
    name = "explanation_grounding_score"
    seen = 0
    for scenario_id in known_ids("DDI", "easy", False):
        best = best_of(env, first(env, scenario_id))
        if best.action_type in LOOKS:
            continue  # a look-up lessens no finding, so there is nothing to cite for it
        seen += 1
        support = env.supporting_facts(best.candidate_id)
        scores = []
        for cited in (support, ["invented#fact"], [], [*support[:1], "invented#fact"]):
            first(env, scenario_id)
            scores.append(step(env, best, evidence_ids=cited).columns[name])
        assert scores == pytest.approx([1.0, 0.0, 0.0, 0.5], abs=1e-6)
    assert seen >= 3


def a_better_move_is_the_more_efficient(env: PolyGuardEnv) -> None:
    for scenario_id in known_ids("REGIMEN_RISK", "medium", False):
        observation = first(env, scenario_id)
        best, finish = best_and_finish(env, scenario_id)
        assert best.columns["efficiency_score"] > 0.9
        assert finish.columns["efficiency_score"] < 0.3 * finish.columns["disease_stability_score"]
        assert observation.candidates


def standing_danger_strikes_more_often(env: PolyGuardEnv) -> None:
    """Over seeds, leaving a dangerous pair brings severe events that resolving it avoids."""
    left = solved = 0
    for scenario_id in known_ids("DDI", "easy", False):
        for seed in range(12):
            observation = env.reset(seed=seed, scenario_id=scenario_id)
            finish = step(env, finish_of(observation))
            left += sum(event["severe"] for event in finish.info["events"])
            observation = env.reset(seed=seed, scenario_id=scenario_id)
            after = step(env, best_of(env, observation))
            if not after.done:
                after = step(env, finish_of(after))
            solved += sum(event["severe"] for event in after.info["events"])
    assert 12 <= left <= 140 and solved <= left / 3


def untreated_disease_strikes(env: PolyGuardEnv) -> None:
    struck = 0
    for scenario_id in known_ids("DDI", "medium", True):
        for seed in range(12):
            observation = env.reset(seed=seed, scenario_id=scenario_id)
            stop = kind_of(observation, T.STOP_DRUG)
            if stop is None:
                continue
            after = step(env, stop)
            if not after.done:
                after = step(env, finish_of(after))
            struck += sum(event["category"] == "untreated" for event in after.info["events"])
    assert struck >= 3


def a_switch_is_on_offer_somewhere(env: PolyGuardEnv) -> None:
    kinds = set()
    for scenario_id in known_ids("DDI", "medium", False):
        observation, legal = first(env, scenario_id), set(env.legal_candidate_ids())
        kinds |= {c.action_type for c in observation.candidates if c.candidate_id in legal}
    assert T.SUBSTITUTE_DRUG in kinds


def a_needless_change_is_named_and_gated(env: PolyGuardEnv) -> None:
    seen = 0
    for name in ("DDI", "LONGITUDINAL_DEPRESCRIBING"):
        for scenario_id in known_ids(name, "medium", True):
            observation = first(env, scenario_id)
            for candidate in observation.candidates:
                if candidate.action_type in (T.REDUCE_DOSE, T.INCREASE_DOSE, T.SUBSTITUTE_DRUG):
                    first(env, scenario_id)
                    after = step(env, candidate)
                    if "needless_change" in after.info["reasons"]:
                        assert (after.reward or 1.0) < 0.75
                        seen += 1
    assert seen >= 4


SPECIFICATIONS: tuple[Callable[[PolyGuardEnv], None], ...] = (
    *HOLD_SPECIFICATIONS, *REPAIR_SPECIFICATIONS,
    agrees_with_the_second_checker, rewards_weigh_columns_as_designed, an_unreadable_answer_earns_nothing,
    an_illegal_move_earns_its_form_only, a_dose_above_the_maximum_is_illegal, the_best_fix_is_safe_and_finishing_is_not,
    burden_counts_where_burden_is_the_problem, stopping_a_needed_drug_lets_its_disease_drift,
    an_excess_dose_has_to_come_down, asking_where_one_can_act_is_abuse, leaving_a_severe_problem_is_named_and_gated,
    adding_harm_is_gated, doing_nothing_is_right_in_a_control, stopping_at_once_what_needs_a_taper_is_worse,
    a_taper_goes_down_in_steps, days_pass_with_each_step, keeping_twice_is_abuse_and_repeating_is_named,
    stated_confidence_is_scored_by_being_right, facts_have_to_exist_and_support, a_better_move_is_the_more_efficient,
    standing_danger_strikes_more_often, untreated_disease_strikes, a_switch_is_on_offer_somewhere,
    the_engine_finds_what_the_review_finds, a_needless_change_is_named_and_gated,
)  # fmt: skip


def prepare() -> None:
    """Pose every scenario and review every person while the rules are whole."""
    people()
    for name in ("DDI", "REGIMEN_RISK", "LONGITUDINAL_DEPRESCRIBING", "PRECISION_DOSING", "NEW_DRUG_DECOMPOSITION",
                 "WEB_SEARCH_MISSING_DATA", "BANDIT_MINING"):  # fmt: skip
        for difficulty in ("easy", "medium", "hard"):
            for control in (False, True):
                known_ids(name, difficulty, control)
    for name, difficulty in REVIEWED:
        for scenario_id in known_ids(name, difficulty, False):
            reviewed(scenario_id)
    with_combinations()
    offers_to_hold()
    problems()
