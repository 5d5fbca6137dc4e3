"""Prices an action: thirteen columns from potential differences, legality and conduct."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

from polyguard_env.environment.candidates import Offer
from polyguard_env.environment.episode import EpisodeState, Scenario, apply, ingredients, needs_taper
from polyguard_env.environment.messages import ActionType, Candidate, PolyGuardAction
from polyguard_env.environment.potential import Risk, assess
from polyguard_env.environment.roles import roles_explain
from polyguard_env.reward.columns import COLUMNS, channels, combine, delta_score, gate
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.index import RuleIndex

STEP_COST = {
    ActionType.FINISH: 0.0,
    ActionType.ORDER_MONITORING: 0.04,
    ActionType.STOP_DRUG: 0.05,
    ActionType.TAPER_DRUG: 0.05,
    ActionType.REDUCE_DOSE: 0.05,
    ActionType.INCREASE_DOSE: 0.05,
    ActionType.FETCH_EXTERNAL_EVIDENCE: 0.06,
    ActionType.SUBSTITUTE_DRUG: 0.08,
    ActionType.RECOMMEND_ALTERNATIVE: 0.08,
    ActionType.DECOMPOSE_NEW_DRUG: 0.06,
    ActionType.TEST_COMBINATION: 0.06,
    ActionType.ADD_DRUG: 0.08,
    ActionType.REQUEST_SPECIALIST_REVIEW: 0.12,
    ActionType.KEEP_REGIMEN: 0.15,
    ActionType.HOLD_DOSE: 0.10,
}
ACTIONABLE = 0.15
REVIEW_VALUE = 0.3
UNSAFE_GATE = 0.1
HARM_SLOPE = 0.5
SEVERE_RELIEF = 0.5
NO_OPS = frozenset(
    {ActionType.KEEP_REGIMEN, ActionType.FINISH, ActionType.REQUEST_SPECIALIST_REVIEW, ActionType.HOLD_DOSE}
)
ENDS = frozenset({ActionType.STOP_DRUG, ActionType.TAPER_DRUG})
MAX_KEEPS = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one legal candidate would do: the next state, its risk, the differences and the value.

    Attributes:
        value: total potential difference less the step's cost; what the best action maximises.
    """

    state: EpisodeState
    risk: Risk
    safety: float
    dosing: float
    burden: float
    disease: float
    value: float


@dataclass(frozen=True, slots=True)
class Board:
    """A step's candidates, priced: the verifier's private view of a state.

    Attributes:
        outcomes: by candidate index; None for an illegal candidate.
        best: index of the best legal candidate.
        gain: value of the best candidate that changes anything (0 or less when none helps).
    """

    candidates: tuple[Candidate, ...]
    offers: tuple[Offer, ...]
    risk: Risk
    outcomes: tuple[Outcome | None, ...]
    best: int
    gain: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verifier's word on one action."""

    reward: float
    columns: dict[str, float]
    channels: dict[str, float]
    legal: bool
    reasons: tuple[str, ...]


def outcome_of(candidate: Candidate, state: EpisodeState, risk: Risk, scenario: Scenario, index: RuleIndex) -> Outcome:
    """Apply a legal candidate and measure what it changes. Time passing alone changes nothing here:
    differences are taken before harm events."""
    after = apply(state, candidate, scenario, index)
    kind = candidate.action_type
    changed = kind not in NO_OPS
    next_risk = assess(after, scenario, index) if changed or state.withdrawals else risk
    safety, dosing = risk.safety - next_risk.safety, risk.dosing - next_risk.dosing
    burden, disease = risk.burden - next_risk.burden, risk.disease - next_risk.disease
    value = safety + dosing + burden + disease - STEP_COST.get(kind, 0.1)
    return Outcome(after, next_risk, safety, dosing, burden, disease, value)


class Outlook:
    """Outcomes of the legal offers of one state, each worked out once."""

    def __init__(self, state: EpisodeState, risk: Risk, scenario: Scenario, index: RuleIndex) -> None:
        self.state, self.risk, self.scenario, self.index = state, risk, scenario, index
        self._known: dict[str, Outcome] = {}

    def of(self, offer: Offer) -> Outcome:
        if offer.text not in self._known:
            candidate = Candidate(
                candidate_id="", action_type=offer.action_type, targets=list(offer.targets), text=offer.text
            )
            self._known[offer.text] = outcome_of(candidate, self.state, self.risk, self.scenario, self.index)
        return self._known[offer.text]

    def value(self, offer: Offer) -> float:
        return self.of(offer).value


def board(candidates: Sequence[Candidate], found: Sequence[Offer], outlook: Outlook) -> Board:
    """Price every candidate of a state. At least one candidate (finish) is always legal."""
    risk = outlook.risk
    outcomes = [outlook.of(offer) if offer.legal else None for offer in found]
    gain = max(
        (o.value for o, c in zip(outcomes, candidates, strict=True) if o and c.action_type not in NO_OPS),
        default=0.0,
    )
    if gain <= ACTIONABLE and risk.severe():
        outcomes = [
            _with_value(o, REVIEW_VALUE) if o and c.action_type is ActionType.REQUEST_SPECIALIST_REVIEW else o
            for o, c in zip(outcomes, candidates, strict=True)
        ]
    legal = [place for place, outcome in enumerate(outcomes) if outcome]
    best = max(legal, key=lambda place: (_value(outcomes[place]), candidates[place].text))
    return Board(tuple(candidates), tuple(found), risk, tuple(outcomes), best, gain)


def _value(outcome: Outcome | None) -> float:
    return outcome.value if outcome else float("-inf")


def _with_value(outcome: Outcome, value: float) -> Outcome:
    return Outcome(outcome.state, outcome.risk, outcome.safety, outcome.dosing, outcome.burden, outcome.disease, value)


def verdict(
    view: Board,
    chosen: int | None,
    action: PolyGuardAction,
    state: EpisodeState,
    scenario: Scenario,
    index: RuleIndex,
    reasons: Sequence[str] = (),
) -> Verdict:
    """Price one action.

    Args:
        view: the step's priced candidates.
        chosen: index of the candidate named, or None when the answer named none.
        action: the agent's answer.
        reasons: named problems found while reading the answer.
    """
    found = list(reasons)
    if chosen is None:
        # A malformed answer stays above the bound, so that a worse conduct still scores lower.
        columns = dict.fromkeys(COLUMNS, 0.0) | {"anti_cheat_score": 1.0 / (1.0 + 3.0 * max(1, len(found)))}
        return _verdict(columns, legal=False, reasons=found)
    columns = dict.fromkeys(COLUMNS, 0.0)
    columns["format_compliance_score"] = 1.0
    columns["candidate_alignment_score"] = 1.0
    outcome = view.outcomes[chosen]
    if outcome is None:
        return _verdict(columns, legal=False, reasons=[*found, view.offers[chosen].reason or "illegal_action"])
    candidate = view.candidates[chosen]
    best = view.outcomes[view.best]
    assert best is not None
    regret = best.value - outcome.value
    found += conduct_reasons(view, candidate, outcome, state)
    columns["legality_score"] = 1.0
    columns["safety_delta_score"] = delta_score(outcome.safety, best.safety)
    columns["burden_improvement_score"] = delta_score(outcome.burden, best.burden)
    columns["disease_stability_score"] = delta_score(outcome.disease, best.disease)
    columns["dosing_quality_score"] = delta_score(outcome.dosing, best.dosing)
    columns["abstention_quality_score"] = _abstention(view, candidate, regret)
    columns["efficiency_score"] = delta_score(-regret, 0.0)
    columns["process_fidelity_score"] = 0.5 ** len(process_slips(candidate, state, scenario, index))
    columns["explanation_grounding_score"] = grounding(action.evidence_ids, view, candidate, outcome, state, index)
    columns["anti_cheat_score"] = 1.0 / (1.0 + 3.0 * len(found))
    columns["uncertainty_calibration_score"] = calibration(action.confidence, right=regret <= ACTIONABLE)
    factor = safety_gate(view, outcome, best)
    return _verdict(gate(columns, factor), legal=True, reasons=found)


def safety_gate(view: Board, outcome: Outcome, best: Outcome) -> float:
    """Share of its bonuses an action keeps, in (0, 1]: less for harm it adds and harm it leaves.

    Where some candidate brings relief, the gate follows the share of that relief the action brings; harm added
    beyond what the best candidate has to accept shrinks it exponentially.
    """
    relief, possible = outcome.safety + outcome.dosing + outcome.burden, best.safety + best.dosing + best.burden
    factor = exp(-HARM_SLOPE * max(0.0, harm_added(outcome) - harm_added(best)))
    if possible >= SEVERE_RELIEF:
        share = min(1.0, max(0.0, relief) / possible)
        factor *= UNSAFE_GATE + (1.0 - UNSAFE_GATE) * share
    return factor


def harm_added(outcome: Outcome) -> float:
    """The worst a candidate adds: to safety and dosing, to risk as a whole, or to a condition left untreated."""
    safety = outcome.safety + outcome.dosing
    return max(0.0, -safety, -(safety + outcome.burden), -outcome.disease)


def _verdict(columns: dict[str, float], legal: bool, reasons: Sequence[str]) -> Verdict:
    return Verdict(combine(columns), columns, channels(columns), legal, tuple(reasons))


def _abstention(view: Board, candidate: Candidate, regret: float) -> float:
    """Credit for asking exactly when no offered action helps a severe problem, for acting otherwise."""
    asked = candidate.action_type is ActionType.REQUEST_SPECIALIST_REVIEW
    should_ask = view.gain <= ACTIONABLE and bool(view.risk.severe())
    if asked:
        return delta_score(0.0, 0.0) if should_ask else delta_score(-regret, 0.0) * 0.5
    return delta_score(-regret, 0.0)


def conduct_reasons(view: Board, candidate: Candidate, outcome: Outcome, state: EpisodeState) -> list[str]:
    """Named anti-hacking reasons for a legal action."""
    reasons = []
    kind = candidate.action_type
    key = f"{kind}:{','.join(candidate.targets)}"
    actionable = view.gain > ACTIONABLE
    if kind in NO_OPS and actionable and view.risk.severe():
        reasons.append("unsafe_no_op")
    if kind is ActionType.KEEP_REGIMEN and state.keeps >= MAX_KEEPS:
        reasons.append("keep_regimen_abuse")
    if kind is ActionType.REQUEST_SPECIALIST_REVIEW and (state.reviews >= 1 or actionable):
        reasons.append("review_abuse")
    if key == state.last_action and kind is not ActionType.TAPER_DRUG:
        reasons.append("retry_of_no_op" if kind in NO_OPS else "repeated_action_loop")
    if kind is ActionType.TEST_COMBINATION and "+".join(candidate.targets) in state.tested:
        reasons.append("repeated_action_loop")
    if kind is ActionType.ORDER_MONITORING and candidate.targets[0] in state.monitored:
        reasons.append("repeated_action_loop")
    return reasons


def process_slips(candidate: Candidate, state: EpisodeState, scenario: Scenario, index: RuleIndex) -> list[str]:
    """Steps left out: a taper skipped, two drugs changed at once, what is known asked for again."""
    slips = []
    kind, targets = candidate.action_type, candidate.targets
    if kind is ActionType.STOP_DRUG:
        stopped = (targets[0],) if targets[0] in state.regimen else ingredients(scenario, targets[0])
        slips += ["taper_skipped" for name in stopped if needs_taper(name, state.regimen[name], index)]
    if kind is ActionType.FETCH_EXTERNAL_EVIDENCE and targets[0] in state.evidence:
        slips.append("already_known")
    # One change at a time: a second drug is not begun while another is still being tapered.
    others_taper = any(taken.tapering for name, taken in state.regimen.items() if name != "".join(targets[:1]))
    if scenario.sub_environment == "LONGITUDINAL_DEPRESCRIBING" and kind in ENDS and others_taper:
        slips.append("two_changes_at_once")
    if kind is ActionType.ORDER_MONITORING and targets[0] in state.known:
        slips.append("already_known")
    return slips


def calibration(confidence: float | None, right: bool) -> float:
    """Quadratic score of a stated probability; no statement counts as 0.5."""
    stated = 0.5 if confidence is None else confidence
    return 1.0 - (stated - (1.0 if right else 0.0)) ** 2


def grounding(
    cited: Sequence[str], view: Board, candidate: Candidate, outcome: Outcome, state: EpisodeState, index: RuleIndex
) -> float:
    """Share of cited facts that exist and support the action; nothing to support scores 1 for citing nothing."""
    support = supporting_facts(view, outcome, state, index)
    names = set(cited)
    if not support:
        return 1.0 if not names else 0.0
    return len(names & support) / len(names) if names else 0.0


def supporting_facts(view: Board, outcome: Outcome, state: EpisodeState, index: RuleIndex) -> set[str]:
    """Fact ids behind the findings that an action resolves or lessens."""
    after = {finding.finding_id: weight for finding, weight in outcome.risk.weights}
    facts: set[str] = set()
    for finding, weight in view.risk.weights:
        if after.get(finding.finding_id, 0.0) < weight - 1e-9 and finding.category != "omission":
            facts |= finding_facts(finding, index)
    return facts


def finding_facts(finding: Finding, index: RuleIndex) -> set[str]:
    """The role facts shown to an agent that carry a finding."""
    profiles = [index.profile(drug_id) for drug_id in finding.drugs]
    if finding.category == "interaction" and len(profiles) == 2 and profiles[0] and profiles[1]:
        roles = roles_explain(finding.mechanism, profiles[0], profiles[1])
        return {f"{drug_id}#{role}" for drug_id in finding.drugs for role in roles}
    if finding.category == "burden":
        role = {"acb": "acb", "cns_active": "cns", "fall_risk": "fall_risk"}.get(finding.mechanism, "class")
        return {f"{drug_id}#{role}" for drug_id in finding.drugs}
    if finding.category == "organ_dosing":
        return {f"{drug_id}#renal" for drug_id in finding.drugs} | {f"{d}#dose" for d in finding.drugs}
    return {f"{drug_id}#class" for drug_id in finding.drugs}
