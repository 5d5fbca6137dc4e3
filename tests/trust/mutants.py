"""Changed rules, one at a time: every rule table, weight, gate, parameter and reading of an answer.

The compiled rules read their tables and parameters from arrays, which these mutants change in place. What is fixed when
the rules are compiled, such as a column or a named reason, `rule_mutants` changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from polyguard_env.engine.parameters import PLACE
from polyguard_env.environment import env as env_module
from polyguard_env.environment import reading
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.reward.columns import COLUMNS
from polyguard_env.risk import burden, combinations, contradictions, genes, organs, review

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


def no_table(kind: str) -> Apply:
    return lambda patch, env: patch.setitem(env.index._by_drug, kind, {})


def attribute(owner: Any, name: str, value: Any) -> Apply:
    return lambda patch, _: patch.setattr(owner, name, value)


class Cells:
    """An array that a monkeypatch can change and restore cell by cell."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def get(self, key: Any, _: Any = None) -> Any:
        return np.copy(self.array[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        self.array[key] = value


def parameters(**values: float) -> Apply:
    """Other simulation parameters."""

    def apply(patch: Patch, env: PolyGuardEnv) -> None:
        cells = Cells(env.engine.facts.parameters)
        for name, value in values.items():
            patch.setitem(cells, PLACE[name], value)  # type: ignore[arg-type]

    return apply


def each(names: str, value: float) -> Apply:
    """One value for every parameter whose name begins so."""
    return parameters(**{name: value for name in PLACE if name.startswith(names)})


def fact(table: str, field: str | None, value: Any) -> Apply:
    """A table of the compiled rules that says the same of everything."""

    def apply(patch: Patch, env: PolyGuardEnv) -> None:
        array = getattr(env.engine.facts, table)
        patch.setitem(Cells(array[field] if field else array), ..., value)  # type: ignore[arg-type]

    return apply


def times(table: str, field: str, factor: float) -> Apply:
    """A table of the compiled rules whose values are all too high or too low."""

    def apply(patch: Patch, env: PolyGuardEnv) -> None:
        array = getattr(env.engine.facts, table)[field]
        patch.setitem(Cells(array), ..., array * factor)  # type: ignore[arg-type]

    return apply


def together(*changes: Apply) -> Apply:
    def apply(patch: Patch, env: PolyGuardEnv) -> None:
        for change in changes:
            change(patch, env)

    return apply


def unread(reason: int) -> Apply:
    """A misreading that is taken for the first candidate."""
    original = reading.read_answer

    def careless(*answer: Any) -> Any:
        place, reasons = original(*answer)
        return (0, 0) if reasons == reason else (place, reasons)

    return attribute(env_module, "read_answer", careless)


WEIGHT_MUTANTS = [
    Mutant(f"weight of {name}", "rewards_weigh_columns_as_designed",
           lambda patch, env, place=place: patch.setitem(Cells(env.engine.facts.weights), place, 0.2))
    for place, name in enumerate(COLUMNS)
]  # fmt: skip
TABLE_MUTANTS = [Mutant(f"no {kind} rules", caught_by, no_table(kind)) for kind, caught_by in TABLES.items()]
TABLE_MUTANTS += [
    Mutant("no omission rules", REVIEW, lambda patch, env: patch.setattr(env.index, "omissions_for", lambda _: [])),
    Mutant("no duplicate_therapy rules", REVIEW, lambda patch, env: patch.setattr(env.index, "duplicates", {})),
    Mutant("no interactions", REVIEW, lambda patch, env: patch.setattr(review, "interaction_findings", lambda *_: [])),
]
REVIEW_MUTANTS = [
    Mutant("the lowest limit no stricter", REVIEW, attribute(review, "_strictness", lambda rule: (False, 0.0))),
    Mutant("kidney rules whatever the kidneys", REVIEW, attribute(organs, "_within", lambda *_: True)),
    Mutant("no liver classes", REVIEW, attribute(organs, "CHILD_PUGH_RANK", {"": 0, "A": 1, "B": 1, "C": 1})),
    Mutant("every dose breaks its limit", REVIEW, attribute(review, "_dose_breaks", lambda *_: True)),
    Mutant("excepted pairs are duplicates", REVIEW, attribute(review, "_pair_is_excepted", lambda *_: False)),
    Mutant("a later rule overwrites a worse one", REVIEW, attribute(
        review, "keep_worst", lambda held, found: held.setdefault(found.finding_id, found))),
    Mutant("one drug fills two sides", REVIEW, attribute(combinations, "has_representatives", lambda sides: True)),
    Mutant("burden rules apply to all", REVIEW, attribute(burden, "_applies", lambda *_: True)),
    Mutant("clearance without sex", REVIEW, attribute(contradictions, "cockcroft_gault", (
        lambda age, weight, creatinine, sex: (140 - age) * weight / (72 * creatinine)))),
    Mutant("genes do not matter", REVIEW, attribute(review, "gene_findings", lambda *_: [])),
]  # fmt: skip
ENGINE = "the_engine_finds_what_the_review_finds"
ENGINE_MUTANTS = [
    *(
        Mutant(f"no {name} rows in the engine", ENGINE, fact("drug", name, 0))
        for name in ("renal", "hepatic", "disease", "gene", "burden", "sides", "duplicate")
    ),
    Mutant("no interactions in the engine", ENGINE, fact("hash_value", None, -1)),
    Mutant("every interaction minor in the engine", ENGINE, fact("edge", "severity", 1)),
    Mutant("kidney limits tenfold in the engine", ENGINE, fact("organ", "threshold", 0.0)),
    Mutant("doses unlimited in the engine", "an_excess_dose_has_to_come_down", together(
        fact("drug", "dose_max", 1e9), fact("drug", "renal", 0), fact("drug", "hepatic", 0))),
    Mutant("nothing to omit in the engine", ENGINE, fact("drug", "gives", -1)),
    Mutant("no anticholinergic load in the engine", ENGINE, fact("drug", "acb", 0.0)),
    Mutant("no sedative load in the engine", ENGINE, fact("drug", "dbi_delta", 0.0)),
    Mutant("no taper rows in the engine", "stopping_at_once_what_needs_a_taper_is_worse", fact("drug", "taper", -1)),
    Mutant("no hold rows in the engine", "a_pause_answers_what_passes", fact("drug", "hold", 0)),
    Mutant("no substitution rows in the engine", "a_switch_is_on_offer_somewhere", fact("drug", "swap", 0)),
]  # fmt: skip
GATE_MUTANTS = [
    Mutant("no gate", "leaving_a_severe_problem_is_named_and_gated", parameters(unsafe_gate=1.0)),
    Mutant("severe relief never asked for", "leaving_a_severe_problem_is_named_and_gated",
           parameters(severe_relief=1e9)),
    Mutant("a delta saturates", "a_better_move_is_the_more_efficient", parameters(delta_scale=1e6)),
    Mutant("harm added is free", "adding_harm_is_gated", parameters(harm_slope=0.0, needless_gate=1.0)),
    Mutant("keeping costs nothing", "doing_nothing_is_right_in_a_control", parameters(cost_keep=0.0)),
    Mutant("needless changes are free", "a_needless_change_is_named_and_gated", parameters(needless_gate=1.0)),
    Mutant("one may leave it at harm done", "who_leaves_it_at_the_harm_done_is_not_paid_for_the_rest",
           parameters(repair_gate=1.0)),
    Mutant("own harm repaired is a gain", "harm_and_its_repair_pay_no_more_than_leaving", parameters(repair_gate=1.0)),
    Mutant("everything is actionable", "asking_where_one_can_act_is_abuse", parameters(actionable=1e9)),
]  # fmt: skip
REASON_MUTANTS = [
    Mutant("no unsafe_no_op", "leaving_a_severe_problem_is_named_and_gated", parameters(actionable=1e9)),
    Mutant(
        "no needless_change",
        "a_needless_change_is_named_and_gated",
        parameters(cost_reduce=-9.0, cost_increase=-9.0, cost_substitute=-9.0),
    ),
    Mutant("no keep_regimen_abuse", "keeping_twice_is_abuse_and_repeating_is_named", parameters(max_keeps=1e9)),
    *(
        Mutant(f"{name} passes", "an_unreadable_answer_earns_nothing", unread(reason))
        for name, reason in (
            ("candidate_id_mismatch", reading.ID_MISMATCH),
            ("unreadable_answer", reading.UNREADABLE),
            ("parser_exploit", reading.PARSER_EXPLOIT),
        )
    ),
    Mutant("dose_above_maximum passes", "a_dose_above_the_maximum_is_illegal", times("drug", "dose_max", 3.0)),
]
HOLD_MUTANTS = [
    Mutant("every course goes on for ever", "a_pause_answers_what_passes", fact("hold", "days", -1.0)),
    Mutant("anything is a course", "a_pause_is_no_answer_to_what_lasts", fact("hold", "days", 1e9)),
    Mutant("a pause takes all the time ahead", "a_pause_answers_what_passes", parameters(held_share=1.0)),
    Mutant("a pause costs no treatment", "a_pause_answers_what_passes", parameters(held_share=0.0)),
    Mutant("a lasting change is free where a pause would do", "a_lasting_change_costs_where_a_pause_would_do",
           parameters(cost_lasting=0.0)),
    Mutant("a pause harms nobody", "a_harmful_pause_is_a_withdrawal", each("withdrawal_", 0.0)),
    Mutant("any pause is safe", "a_harmful_pause_is_a_withdrawal", together(
        fact("hold", "severity", 0), fact("drug", "taper", -1))),
    Mutant("a held drug never comes back", "a_held_drug_comes_back_and_is_not_held_twice", parameters(hold_days=1e2)),
    Mutant("a held drug comes back at once", "a_held_drug_comes_back_and_is_not_held_twice", parameters(hold_days=1.0)),
]  # fmt: skip
DYNAMICS_MUTANTS = [
    Mutant("findings weigh nothing", "the_best_fix_is_safe_and_finishing_is_not", each("weight_", 0.0)),
    Mutant("severities weigh alike", "the_best_fix_is_safe_and_finishing_is_not", each("weight_", 0.2)),
    Mutant("burden left out of the potential", "burden_counts_where_burden_is_the_problem", together(
        parameters(dbi=0.0, acb=0.0, drug=0.0, acb_threshold=1e9, dbi_threshold=1e9), fact("drug", "burden", 0))),
    Mutant("no drift", "stopping_a_needed_drug_lets_its_disease_drift", fact("priority", None, 0.0)),
    Mutant("withdrawal weighs nothing", "stopping_at_once_what_needs_a_taper_is_worse", each("withdrawal_", 0.0)),
    Mutant("a taper ends at once", "a_taper_goes_down_in_steps", parameters(taper_end=10.0)),
    Mutant("a taper goes nowhere", "a_taper_goes_down_in_steps", fact("taper", "step_fraction", 0.0)),
    Mutant("danger never strikes", "standing_danger_strikes_more_often", each("hazard_", 0.0)),
    Mutant("danger strikes whatever stands", "standing_danger_strikes_more_often", each("hazard_", 1e6)),
    Mutant("untreated disease never strikes", "untreated_disease_strikes", parameters(hazard_untreated=0.0)),
]  # fmt: skip
MUTANTS: tuple[Mutant, ...] = (
    *WEIGHT_MUTANTS, *TABLE_MUTANTS, *REVIEW_MUTANTS, *ENGINE_MUTANTS, *GATE_MUTANTS,
    *REASON_MUTANTS, *HOLD_MUTANTS, *DYNAMICS_MUTANTS,
)  # fmt: skip
assert genes.gene_findings is review.gene_findings
