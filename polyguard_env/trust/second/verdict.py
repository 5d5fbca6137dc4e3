"""The price of an answer worked out again: values of the options, gate, thirteen columns, reasons.

Imports nothing of the project but the second checker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

from polyguard_env.trust.second.dynamics import (
    ROUNDING,
    SWITCHES,
    WEEKS,
    Case,
    Situation,
    after,
    key_of,
    same,
    taper_due,
)
from polyguard_env.trust.second.legality import breaches
from polyguard_env.trust.second.risk import Risk, risk_of
from polyguard_env.trust.second.tables import Facts

WEIGHTS = {
    "format_compliance_score": 0.08, "candidate_alignment_score": 0.08, "legality_score": 0.12,
    "safety_delta_score": 0.15, "burden_improvement_score": 0.08, "disease_stability_score": 0.10,
    "dosing_quality_score": 0.08, "abstention_quality_score": 0.06, "efficiency_score": 0.06,
    "process_fidelity_score": 0.06, "explanation_grounding_score": 0.03, "anti_cheat_score": 0.06,
    "uncertainty_calibration_score": 0.04,
}  # fmt: skip
COST = {
    "FINISH": 0.0, "ORDER_MONITORING": 0.04, "STOP_DRUG": 0.05, "TAPER_DRUG": 0.05, "REDUCE_DOSE": 0.05,
    "INCREASE_DOSE": 0.05, "FETCH_EXTERNAL_EVIDENCE": 0.06, "DECOMPOSE_NEW_DRUG": 0.06, "TEST_COMBINATION": 0.06,
    "SUBSTITUTE_DRUG": 0.08, "RECOMMEND_ALTERNATIVE": 0.08, "ADD_DRUG": 0.08, "HOLD_DOSE": 0.11,
    "REQUEST_SPECIALIST_REVIEW": 0.12, "KEEP_REGIMEN": 0.15,
}  # fmt: skip
ASK = "REQUEST_SPECIALIST_REVIEW"
IDLE = ("KEEP_REGIMEN", "FINISH", ASK)
LOOKS = ("ORDER_MONITORING", "FETCH_EXTERNAL_EVIDENCE", "DECOMPOSE_NEW_DRUG")
LASTING = ("STOP_DRUG", "TAPER_DRUG", "REDUCE_DOSE", "SUBSTITUTE_DRUG", "RECOMMEND_ALTERNATIVE")
LASTING_COST = 0.5
DOSES = {"INCREASE_DOSE", "REDUCE_DOSE"}
WORTH_DOING = 0.15 + ROUNDING
Move = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Option:
    """What a move is worth: how much it takes off each part of the risk, and that in all less its cost."""

    move: Move
    broken: tuple[str, ...]
    safety: float = 0.0
    dosing: float = 0.0
    burden: float = 0.0
    disease: float = 0.0
    worth: float = float("-inf")

    @property
    def harm(self) -> float:
        """The worst it adds."""
        acute = self.safety + self.dosing
        return max(0.0, -acute, -acute - self.burden, -self.disease)

    @property
    def relief(self) -> float:
        """What it takes off the risk in all."""
        return self.safety + self.dosing + self.burden + self.disease

    @property
    def changes(self) -> bool:
        """True for a change of the regimen."""
        return self.move[0] not in (*IDLE, *LOOKS, "TEST_COMBINATION")


@dataclass(frozen=True, slots=True)
class Judged:
    """The price of an answer."""

    reward: float
    columns: dict[str, float]
    reasons: frozenset[str]


class Board:
    """The options of one situation, each worked out.

    Attributes:
        options: in the order offered. gain: what the best change is worth, 0 when none helps.
    """

    def __init__(self, case: Case, now: Situation, moves: Sequence[Move], facts: Facts) -> None:
        self.case, self.now, self.facts = case, now, facts
        self.risk: Risk = risk_of(case, now, facts)
        self.options = [self._option(move) for move in moves]
        self.gain = max([0.0, *(o.worth for o in self.options if o.move[0] not in IDLE)])
        if self.gain <= WORTH_DOING and self.risk.severe:
            self.options = [
                Option(o.move, o.broken, o.safety, o.dosing, o.burden, o.disease, 0.3)
                if o.move[0] == ASK and not o.broken
                else o
                for o in self.options
            ]

    def _option(self, move: Move) -> Option:
        action, targets = move
        doses = {drug: taken.dose for drug, taken in self.now.drugs.items()}
        broken = tuple(
            breaches(
                action, targets, doses, self.case.person["allergies"], frozenset(self.now.unknown), self.facts,
                self.case.products, {drug for drug, taken in self.now.drugs.items() if taken.held},
            )
        )  # fmt: skip
        if broken:
            return Option(move, broken)
        later = risk_of(self.case, after(self.case, self.now, action, targets, self.facts), self.facts)
        safety, dosing, burden, disease = (now - then for now, then in zip(self.risk.parts, later.parts))
        cost = COST[action]
        ends = action in LASTING or (action == "HOLD_DOSE" and self.now.drugs[targets[0]].course)
        if ends and self.case.products.get(targets[0], targets)[0] in self.risk.passing:
            cost += LASTING_COST
        return Option(move, (), safety, dosing, burden, disease, safety + dosing + burden + disease - cost)

    def best(self) -> list[int]:
        """Places of the legal options worth most, ties within rounding."""
        most = max(option.worth for option in self.options)
        return [place for place, option in enumerate(self.options) if option.worth >= most - ROUNDING]

    def judge(self, place: int, best: int, confidence: float | None, cited: int = 0, hits: int = 0) -> Judged:
        """The price of choosing an option, `best` being the option it is measured by."""
        option, top = self.options[place], self.options[best]
        columns = dict.fromkeys(WEIGHTS, 0.0)
        columns["format_compliance_score"] = columns["candidate_alignment_score"] = 1.0
        if option.broken:
            return priced(columns | {"anti_cheat_score": 0.25}, option.broken)
        reasons = self.reasons(option)
        if reasons & {"undone_change", "repeated_action_loop"} and option.worth <= ROUNDING:
            return priced(columns, reasons)
        regret = top.worth - option.worth
        gate = self.gate(option, top, reasons)
        asked = option.move[0] == ASK
        should = self.gain <= WORTH_DOING and self.risk.severe > 0
        abstention = closeness(0.0) if asked and should else closeness(-regret) * (0.5 if asked else 1.0)
        stated = 0.5 if confidence is None else confidence
        explains = option.changes and (option.safety > ROUNDING or option.dosing > ROUNDING or option.burden > 0.5)
        grounded = hits / cited if cited and explains else float(not cited and not explains)
        gated = {
            "safety_delta_score": closeness(option.safety - top.safety),
            "burden_improvement_score": closeness(option.burden - top.burden),
            "disease_stability_score": closeness(option.disease - top.disease),
            "dosing_quality_score": closeness(option.dosing - top.dosing),
            "abstention_quality_score": abstention,
            "efficiency_score": closeness(-regret),
            "process_fidelity_score": 0.5 ** self.slips(option),
            "explanation_grounding_score": grounded,
            "anti_cheat_score": 1 / (1 + 3 * len(reasons)),
            "uncertainty_calibration_score": 1 - (stated - float(regret <= WORTH_DOING)) ** 2,
        }
        columns["legality_score"] = 1.0
        return priced(columns | {name: gate * value for name, value in gated.items()}, reasons)

    def gate(self, option: Option, top: Option, reasons: set[str]) -> float:
        """Share of its bonuses that an option keeps."""
        share = exp(-0.5 * max(0.0, option.harm - top.harm))
        if top.relief >= 0.5:
            share *= 0.1 + 0.9 * min(1.0, max(0.0, option.relief) / top.relief)
        debt = self.now.debt
        if debt > ROUNDING and option.move[0] in IDLE:
            share *= 0.1 + 0.9 * max(0.0, 1.0 - debt / 0.5)
        elif debt > ROUNDING and option.relief > ROUNDING and self.mends(option):
            # Only what goes beyond the mending of one's own harm is a gain.
            share *= 0.1 + 0.9 * max(0.0, 1.0 - debt / option.relief)
        if "needless_change" in reasons:
            share *= 0.65
        return share * (0.5 if reasons - {"needless_change"} else 1.0)

    def mends(self, option: Option) -> bool:
        """True for waiting, and for a change of a drug that moves have done harm with."""
        if option.changes:
            return bool(self.drugs_of(option) & self.now.harmed)
        return option.move[0] in IDLE

    def drugs_of(self, option: Option) -> set[str]:
        """The drugs that a change is about; of a product the first."""
        action, targets = option.move
        named = self.case.products.get(targets[0], targets[:1])
        one = {next((drug for drug in self.now.drugs if drug in named), targets[0])}
        return one | {targets[1]} if action in SWITCHES else one

    def owed(self, option: Option | None, later: Risk) -> tuple[float, set[str]]:
        """What is owed once an option, or no move, has led to `later`: how much, and by changes of which drugs."""
        added = max(0.0, -option.relief) if option and option.changes else 0.0
        mended = max(0.0, sum(self.risk.parts) - sum(later.parts)) if option is None or self.mends(option) else 0.0
        debt = max(0.0, self.now.debt + added - mended)
        if debt <= 0.0:
            return 0.0, set()
        return debt, self.now.harmed | (self.drugs_of(option) if option and option.changes and added > 0.0 else set())

    def reasons(self, option: Option) -> set[str]:
        """Named reasons against a legal option."""
        (action, targets), now = option.move, self.now
        found = set()
        actionable = self.gain > WORTH_DOING
        shows_nothing = action in LOOKS and option.safety <= ROUNDING
        if (action in IDLE or shows_nothing) and actionable and self.risk.severe:
            found.add("unsafe_no_op")
            if action != "FINISH" and now.step + 1 >= self.case.budget:
                found.add("timeout")
        if shows_nothing and now.last and now.last[0] in (*IDLE, *LOOKS):
            found.add("retry_of_no_op")
        if action == "KEEP_REGIMEN" and now.keeps:
            found.add("keep_regimen_abuse")
        if action == ASK and (now.reviews or actionable):
            found.add("review_abuse")
        if action != "TAPER_DRUG" and key_of(action, targets) == now.last:
            found.add("retry_of_no_op" if action in IDLE else "repeated_action_loop")
        if action == "ORDER_MONITORING" and same(targets[0]) in now.monitored:
            found.add("repeated_action_loop")
        if action == "TEST_COMBINATION" and targets in now.tested:
            found.add("repeated_action_loop")
        if now.last and action in ("STOP_DRUG", "SUBSTITUTE_DRUG"):
            switched = now.last[0] in ("SUBSTITUTE_DRUG", "RECOMMEND_ALTERNATIVE") and now.last[2] == targets[0]
            added = action == "STOP_DRUG" and now.last[0] == "ADD_DRUG" and now.last[1] == targets[0]
            if switched or added:
                found.add("undone_change")
        if now.last and {action, now.last[0]} == DOSES and targets[0] == now.last[1]:
            dose = float(targets[1])
            if dose >= now.last_from if action == "INCREASE_DOSE" else dose <= now.last_from:
                found.add("undone_change")
        if option.changes and option.worth <= ROUNDING:
            found.add("needless_change")
        return found

    def slips(self, option: Option) -> int:
        """Steps of good practice left out: a taper skipped, a second change begun, the known asked for again."""
        (action, targets), now = option.move, self.now
        count = 0
        if action == "STOP_DRUG":
            ended = self.case.products.get(targets[0], targets[:1])
            count += sum(taper_due(drug, now.drugs[drug], self.facts) is not None for drug in ended)
        if action == "HOLD_DOSE":
            count += taper_due(targets[0], now.drugs[targets[0]], self.facts) is not None
        if action in ("STOP_DRUG", "TAPER_DRUG") and self.case.sub_environment == WEEKS:
            count += any(taken.tapering for drug, taken in now.drugs.items() if drug != targets[0])
        if action == "ORDER_MONITORING":
            count += self._known(targets[0])
        if action == "FETCH_EXTERNAL_EVIDENCE" and targets[0] == "chart":
            count += not any(name == "allergies" or name.startswith("indication:") for name in now.unknown)
        elif action == "FETCH_EXTERNAL_EVIDENCE":
            count += f"facts:{targets[0]}" not in now.unknown
        return count + (action == "DECOMPOSE_NEW_DRUG" and f"product:{targets[0]}" not in now.unknown)

    def _known(self, measurement: str) -> bool:
        """Measured, or ordered since, and not hidden."""
        held = {same(name) for name in self.case.person["measurements"]} | self.now.monitored
        return same(measurement) in held - {same(name) for name in self.now.unknown}


def closeness(difference: float) -> float:
    """Score of a difference against the best option's; about 0.98 at none."""
    return 1 / (1 + exp(-min(700.0, max(-700.0, 4 + difference / 0.3))))


def priced(columns: dict[str, float], reasons: Sequence[str] | set[str]) -> Judged:
    """Columns weighed into a reward between 0.001 and 0.999."""
    raw = sum(WEIGHTS[name] * value for name, value in columns.items())
    return Judged(0.001 + 0.998 * raw, columns, frozenset(reasons))


def unread() -> Judged:
    """The price of an answer that names no option, for one reason."""
    return priced(dict.fromkeys(WEIGHTS, 0.0) | {"anti_cheat_score": 0.25}, ())
