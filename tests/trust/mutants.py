"""Changed rules, one at a time: every rule table, column, gate, reason and term of the dynamics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from polyguard_env.environment import candidates, checkpoint, episode, harm, potential, reading
from polyguard_env.environment import env as env_module
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.reward import columns as columns_module
from polyguard_env.reward import verifier
from polyguard_env.reward.columns import COLUMNS
from polyguard_env.risk import burden, combinations, genes, review

Patch = pytest.MonkeyPatch
Apply = Callable[[Patch, PolyGuardEnv], None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed rule.

    Attributes:
        name: what is changed. caught_by: the specification that has to break.
    """

    name: str
    caught_by: str
    apply: Apply


REVIEW = "agrees_with_the_second_checker"
TABLES = {kind: REVIEW for kind in ("renal", "hepatic", "drug_disease", "monitoring", "burden", "combination",
                                    "pharmacogenomics")}  # fmt: skip
TABLES |= {"taper": "stopping_at_once_what_needs_a_taper_is_worse", "substitution": "a_switch_is_on_offer_somewhere"}


def no_table(kind: str) -> Apply:
    return lambda patch, env: patch.setitem(env.index._by_drug, kind, {})


def attribute(owner: Any, name: str, value: Any) -> Apply:
    return lambda patch, _: patch.setattr(owner, name, value)


def entry(table: dict[str, Any], key: str, value: Any) -> Apply:
    return lambda patch, _: patch.setitem(table, key, value)


def column_is(name: str, value: float) -> Apply:
    """A column that says the same whatever was done."""
    original = verifier._verdict

    def stuck(columns: dict[str, float], legal: bool, reasons: Any) -> Any:
        return original(columns | {name: value}, legal, reasons)

    return attribute(verifier, "_verdict", stuck)


def silent(reason: str) -> Apply:
    """A named conduct reason that is never given."""
    original = verifier.conduct_reasons
    return attribute(verifier, "conduct_reasons", lambda *a: [r for r in original(*a) if r != reason])


def unread(reason: str) -> Apply:
    """A misreading that is taken for another."""
    original = reading.read_answer

    def careless(action: Any, offered: Any) -> Any:
        place, reasons = original(action, offered)
        return (0, []) if reason in reasons else (place, reasons)

    return attribute(env_module, "read_answer", careless)


def legal_after_all(reason: str) -> Apply:
    """An illegal option that passes for a legal one."""
    original = candidates.illegal_offers

    def lax(*arguments: Any) -> Any:
        for offer in original(*arguments):
            yield replace(offer, legal=True, reason="") if offer.reason == reason else offer

    return attribute(candidates, "illegal_offers", lax)


def risk_without(part: str) -> Apply:
    """A potential that leaves out one component."""
    original = potential.assess

    def blind(*arguments: Any) -> Any:
        return replace(original(*arguments), **{part: 0.0})

    def apply(patch: Patch, _: PolyGuardEnv) -> None:
        for module in (env_module, verifier):
            patch.setattr(module, "assess", blind)

    return apply


WEIGHT_MUTANTS = [
    Mutant(f"weight of {name}", "rewards_weigh_columns_as_designed", entry(columns_module.WEIGHTS, name, 0.2))
    for name in COLUMNS
]
COLUMN_MUTANTS = [
    Mutant(f"{name} always full", caught_by, column_is(name, 1.0))
    for name, caught_by in {
        "format_compliance_score": "an_unreadable_answer_earns_nothing",
        "candidate_alignment_score": "an_unreadable_answer_earns_nothing",
        "legality_score": "an_illegal_move_earns_its_form_only",
        "safety_delta_score": "the_best_fix_is_safe_and_finishing_is_not",
        "burden_improvement_score": "burden_counts_where_burden_is_the_problem",
        "disease_stability_score": "stopping_a_needed_drug_lets_its_disease_drift",
        "dosing_quality_score": "an_excess_dose_has_to_come_down",
        "abstention_quality_score": "asking_where_one_can_act_is_abuse",
        "efficiency_score": "a_better_move_is_the_more_efficient",
        "process_fidelity_score": "stopping_at_once_what_needs_a_taper_is_worse",
        "explanation_grounding_score": "facts_have_to_exist_and_support",
        "anti_cheat_score": "leaving_a_severe_problem_is_named_and_gated",
        "uncertainty_calibration_score": "stated_confidence_is_scored_by_being_right",
    }.items()
]
TABLE_MUTANTS = [Mutant(f"no {kind} rules", caught_by, no_table(kind)) for kind, caught_by in TABLES.items()]
TABLE_MUTANTS += [
    Mutant("no omission rules", REVIEW, lambda patch, env: patch.setattr(env.index, "omissions", ())),
    Mutant("no duplicate_therapy rules", REVIEW, lambda patch, env: patch.setattr(env.index, "duplicates", {})),
    Mutant("no interactions", REVIEW, lambda patch, env: patch.setattr(review, "interaction_findings", lambda *_: [])),
]
REVIEW_MUTANTS = [
    Mutant("the lowest limit no stricter", REVIEW, attribute(review, "_strictness", lambda rule: (False, 0.0))),
    Mutant("kidney rules whatever the kidneys", REVIEW, attribute(review, "_renal_applies", lambda *_: True)),
    Mutant("no liver classes", REVIEW, attribute(review, "CHILD_PUGH_RANK", {"": 0, "A": 1, "B": 1, "C": 1})),
    Mutant("every dose breaks its limit", REVIEW, attribute(review, "_dose_breaks", lambda *_: True)),
    Mutant("excepted pairs are duplicates", REVIEW, attribute(review, "_pair_is_excepted", lambda *_: False)),
    Mutant("a later rule overwrites a worse one", REVIEW, attribute(
        review, "keep_worst", lambda held, found: held.setdefault(found.finding_id, found))),
    Mutant("one drug fills two sides", REVIEW, attribute(combinations, "has_representatives", lambda sides: True)),
    Mutant("burden rules apply to all", REVIEW, attribute(burden, "_applies", lambda *_: True)),
    Mutant("clearance without sex", REVIEW, attribute(review, "cockcroft_gault", lambda age, weight, creatinine, sex: (
        (140 - age) * weight / (72 * creatinine)))),
    Mutant("genes do not matter", REVIEW, attribute(review, "gene_findings", lambda *_: [])),
]  # fmt: skip
GATE_MUTANTS = [
    Mutant("no gate", "leaving_a_severe_problem_is_named_and_gated",
           attribute(verifier, "safety_gate", lambda *_: 1.0)),
    Mutant("severe relief never asked for", "leaving_a_severe_problem_is_named_and_gated",
           attribute(verifier, "SEVERE_RELIEF", 1e9)),
    Mutant("the gate spares nothing", "leaving_a_severe_problem_is_named_and_gated",
           attribute(columns_module, "UNGATED", frozenset())),
    Mutant("bounds moved", "rewards_weigh_columns_as_designed", attribute(columns_module, "LOW", 0.1)),
    Mutant("a delta saturates", "a_better_move_is_the_more_efficient", attribute(columns_module, "DELTA_SCALE", 1e6)),
    Mutant("harm added is free", "adding_harm_is_gated", attribute(verifier, "exp", lambda _: 1.0)),
    Mutant("keeping costs nothing", "doing_nothing_is_right_in_a_control",
           entry(verifier.STEP_COST, "KEEP_REGIMEN", 0.0)),
]  # fmt: skip
REASON_MUTANTS = [
    Mutant("no unsafe_no_op", "leaving_a_severe_problem_is_named_and_gated", silent("unsafe_no_op")),
    Mutant("no review_abuse", "asking_where_one_can_act_is_abuse", silent("review_abuse")),
    *(
        Mutant(f"no {reason}", "keeping_twice_is_abuse_and_repeating_is_named", silent(reason))
        for reason in ("keep_regimen_abuse", "retry_of_no_op", "repeated_action_loop")
    ),
    *(
        Mutant(f"{reason} passes", "an_unreadable_answer_earns_nothing", unread(reason))
        for reason in ("candidate_id_mismatch", "unreadable_answer", "parser_exploit")
    ),
    Mutant("dose_above_maximum passes", "a_dose_above_the_maximum_is_illegal", legal_after_all("dose_above_maximum")),
]
DYNAMICS_MUTANTS = [
    Mutant("safety left out of the potential", "the_best_fix_is_safe_and_finishing_is_not", risk_without("safety")),
    Mutant("dosing left out of the potential", "an_excess_dose_has_to_come_down", risk_without("dosing")),
    Mutant("burden left out of the potential", "burden_counts_where_burden_is_the_problem", risk_without("burden")),
    Mutant("disease left out of the potential", "stopping_a_needed_drug_lets_its_disease_drift",
           risk_without("disease")),
    Mutant("withdrawal weighs nothing", "stopping_at_once_what_needs_a_taper_is_worse",
           attribute(potential, "WITHDRAWAL_WEIGHT", dict.fromkeys(potential.WITHDRAWAL_WEIGHT, 0.0))),
    Mutant("no drift", "stopping_a_needed_drug_lets_its_disease_drift",
           attribute(potential, "untreated", lambda *_: ())),
    Mutant("a taper ends at once", "a_taper_goes_down_in_steps", attribute(episode, "tapered_dose", lambda *_: 0.0)),
    Mutant("a taper goes nowhere", "a_taper_goes_down_in_steps",
           attribute(episode, "tapered_dose", lambda drug_id, taken, *_: taken.dose)),
    Mutant("a wasted step costs no days", "days_pass_with_each_step",
           attribute(checkpoint, "idle", lambda state, _: replace(state, step=state.step + 1))),
    Mutant("danger never strikes", "standing_danger_strikes_more_often",
           attribute(harm, "HAZARD_PER_90_DAYS", dict.fromkeys(harm.HAZARD_PER_90_DAYS, 0.0))),
    Mutant("danger strikes whatever stands", "standing_danger_strikes_more_often",
           attribute(harm, "_uniform", lambda *_: 0.0)),
    Mutant("untreated disease never strikes", "untreated_disease_strikes",
           attribute(harm, "DRIFT_HAZARD_PER_PRIORITY", 0.0)),
    Mutant("severities weigh alike", "the_best_fix_is_safe_and_finishing_is_not",
           attribute(potential, "SEVERITY_WEIGHT", dict.fromkeys(potential.SEVERITY_WEIGHT, 0.2))),
]  # fmt: skip
MUTANTS: tuple[Mutant, ...] = (
    *WEIGHT_MUTANTS, *COLUMN_MUTANTS, *TABLE_MUTANTS, *REVIEW_MUTANTS, *GATE_MUTANTS, *REASON_MUTANTS,
    *DYNAMICS_MUTANTS,
)  # fmt: skip
assert genes.gene_findings is review.gene_findings
