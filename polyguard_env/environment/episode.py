"""The state of an episode and its dynamics: what each action does to a regimen.

Transitions are deterministic; only harm events are drawn, from the episode's seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from polyguard_env.environment.messages import ActionType, Candidate
from polyguard_env.knowledge.schema import Rule, Severity
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.risk.index import RuleIndex

WITHDRAWAL_DAYS = 28
SAFE_STOP_FRACTION = 0.26
REPLACES = frozenset({ActionType.SUBSTITUTE_DRUG, ActionType.RECOMMEND_ALTERNATIVE})


@dataclass(frozen=True, slots=True)
class Product:
    """A new product in a regimen; until taken apart, the agent sees its name and not its ingredients.

    Attributes:
        drug_ids: its ingredients, each an entry of the regimen.
    """

    name: str
    drug_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Where an episode starts. Regenerated from its id and the knowledge base alone.

    Attributes:
        hidden: what the agent does not see at first: measurement ids, "indication:<drug_id>",
            "facts:<drug_id>", "allergies" and "product:<name>".
        pair_split: which split's interaction pairs may occur, "train", "validation" or "holdout".
        mechanism: mechanism of the target interaction, or the kind of problem posed.
        unseen_mechanism: True when training never poses this mechanism.
        budget: steps the agent has. step_days: days that pass per step.
        control: a matched control: nothing should change.
        explicit: the two drugs of a target pair carry its mechanism as the same role.
        products: new products of the regimen.
        combinations: sets of drugs that may be tested; the regimen is then the pool under study.
    """

    scenario_id: str
    split: str
    sub_environment: str
    difficulty: str
    patient: Patient
    hidden: frozenset[str]
    target_drugs: tuple[str, ...]
    mechanism: str
    unseen_mechanism: bool
    budget: int
    step_days: int
    control: bool = False
    explicit: bool = False
    products: tuple[Product, ...] = ()
    combinations: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """A drug as it stands in the episode; doses are daily totals."""

    dose: float
    initial_dose: float
    indication: str
    days: int
    tapering: bool = False

    @property
    def fraction(self) -> float:
        return self.dose / self.initial_dose if self.initial_dose > 0 else 1.0


@dataclass(frozen=True, slots=True)
class Withdrawal:
    severity: Severity
    days_left: int


@dataclass(frozen=True, slots=True)
class EpisodeState:
    """Everything that changes in an episode. Frozen: a fork is a reference."""

    regimen: Mapping[str, Taken]
    known: frozenset[str]
    monitored: frozenset[str] = frozenset()
    reduced: frozenset[str] = frozenset()
    tested: frozenset[str] = frozenset()
    withdrawals: Mapping[str, Withdrawal] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()
    day: int = 0
    step: int = 0
    finished: bool = False
    reviews: int = 0
    keeps: int = 0
    last_action: str = ""

    def items(self) -> tuple[RegimenItem, ...]:
        """The regimen as a review reads it, in drug-id order."""
        return tuple(
            RegimenItem(drug_id, taken.dose, taken.indication, taken.days)
            for drug_id, taken in sorted(self.regimen.items())
        )


def start(scenario: Scenario, index: RuleIndex) -> EpisodeState:
    """The state at the first step of a scenario."""
    regimen = {}
    for item in scenario.patient.regimen:
        profile = index.profile(item.drug_id)
        dose = item.dose if item.dose is not None else (profile.dose_usual if profile else 1.0)
        regimen[item.drug_id] = Taken(dose, dose, item.indication, item.days)
    known = frozenset(scenario.patient.measurements) - scenario.hidden
    return EpisodeState(regimen=regimen, known=known)


def ingredients(scenario: Scenario, name: str) -> tuple[str, ...]:
    """The ingredients of a product of the scenario; empty for any other name."""
    return next((product.drug_ids for product in scenario.products if product.name == name), ())


def taper_rule(drug_id: str, index: RuleIndex) -> Rule | None:
    """The rule for stopping a drug, when it needs a taper."""
    rules = index.rules("taper", drug_id)
    return rules[0] if rules else None


def needs_taper(drug_id: str, taken: Taken, index: RuleIndex) -> Rule | None:
    """The taper rule in force: the drug has one, was taken long enough and is still near full dose."""
    rule = taper_rule(drug_id, index)
    if rule is None or taken.fraction <= SAFE_STOP_FRACTION:
        return None
    return rule if taken.days >= float(rule.fields.get("min_days_on_drug") or 0) else None


def apply(state: EpisodeState, candidate: Candidate, scenario: Scenario, index: RuleIndex) -> EpisodeState:
    """The state after a legal action, with the step's days passed.

    Args:
        state: the current state; unchanged.
        candidate: a legal candidate of this state.
    """
    kind, targets = candidate.action_type, candidate.targets
    regimen = dict(state.regimen)
    withdrawals = dict(state.withdrawals)
    changes: dict[str, Any] = {}
    if kind is ActionType.STOP_DRUG and targets[0] not in regimen:
        for drug_id in ingredients(scenario, targets[0]):
            rule = needs_taper(drug_id, regimen.pop(drug_id), index)
            if rule is not None:
                withdrawals[drug_id] = Withdrawal(rule.severity, WITHDRAWAL_DAYS)
    elif kind in REPLACES or kind is ActionType.STOP_DRUG:
        taken = regimen.pop(targets[0])
        rule = needs_taper(targets[0], taken, index)
        cross_covered = kind in REPLACES and _same_taper_class(targets[0], targets[1], index)
        if rule is not None and not cross_covered:
            withdrawals[targets[0]] = Withdrawal(rule.severity, WITHDRAWAL_DAYS)
        if kind in REPLACES:
            regimen[targets[1]] = _started(targets[1], taken.indication, index)
    elif kind is ActionType.ADD_DRUG:
        regimen[targets[0]] = _started(targets[0], targets[1] if len(targets) > 1 else "", index)
    elif kind is ActionType.TAPER_DRUG:
        drug_id = targets[0]
        taken = regimen[drug_id]
        dose = tapered_dose(drug_id, taken, scenario, index)
        if dose <= 0.0:
            regimen.pop(drug_id)
        else:
            regimen[drug_id] = replace(taken, dose=dose, tapering=True)
    elif kind in (ActionType.REDUCE_DOSE, ActionType.INCREASE_DOSE):
        drug_id = targets[0]
        taken = regimen[drug_id]
        dose = float(targets[1])
        rule = needs_taper(drug_id, taken, index)
        cut = (taken.dose - dose) / taken.initial_dose
        if rule is not None and cut > float(rule.fields.get("max_fraction_per_step") or 1.0) + 1e-9:
            withdrawals[drug_id] = Withdrawal(rule.severity, WITHDRAWAL_DAYS)
        regimen[drug_id] = replace(taken, dose=dose)
        if kind is ActionType.REDUCE_DOSE:
            changes["reduced"] = state.reduced | {drug_id}
    elif kind is ActionType.ORDER_MONITORING:
        changes["known"] = state.known | {targets[0]}
        changes["monitored"] = state.monitored | {targets[0]}
    elif kind is ActionType.FETCH_EXTERNAL_EVIDENCE:
        changes["known"] = state.known | {targets[0] if targets[0] == "chart" else f"facts:{targets[0]}"}
        changes["evidence"] = (*state.evidence, targets[0])
    elif kind is ActionType.DECOMPOSE_NEW_DRUG:
        changes["known"] = state.known | {f"product:{targets[0]}"}
        changes["evidence"] = (*state.evidence, targets[0])
    elif kind is ActionType.TEST_COMBINATION:
        changes["tested"] = state.tested | {"+".join(targets)}
    elif kind is ActionType.FINISH:
        changes["finished"] = True
    elif kind is ActionType.REQUEST_SPECIALIST_REVIEW:
        changes["reviews"] = state.reviews + 1
    elif kind in (ActionType.KEEP_REGIMEN, ActionType.HOLD_DOSE):
        changes["keeps"] = state.keeps + 1
    days = 0 if kind is ActionType.FINISH else scenario.step_days
    aged = {
        drug_id: replace(entry, days_left=entry.days_left - (days if drug_id in state.withdrawals else 0))
        for drug_id, entry in withdrawals.items()
    }
    return replace(
        state,
        regimen=regimen,
        withdrawals={d: w for d, w in aged.items() if w.days_left > 0},
        day=state.day + days,
        step=state.step + 1,
        last_action=f"{kind}:{','.join(targets)}",
        **changes,
    )


def tapered_dose(drug_id: str, taken: Taken, scenario: Scenario, index: RuleIndex) -> float:
    """Daily dose after one taper step; 0 when the last step is done.

    In LONGITUDINAL_DEPRESCRIBING a step is one step of the schedule. Elsewhere an episode is too
    short to live through it: the whole schedule is ordered at once, and the dose is its end.
    """
    if scenario.sub_environment != "LONGITUDINAL_DEPRESCRIBING":
        return 0.0 if taken.tapering else 0.1 * taken.initial_dose
    rule = taper_rule(drug_id, index)
    fraction = float(rule.fields["step_fraction"]) if rule else 0.5
    step_days = float((rule.fields.get("step_days") if rule else "") or scenario.step_days)
    cut = fraction * max(1.0, scenario.step_days / max(step_days, 1.0))
    dose = taken.dose - cut * taken.initial_dose
    return 0.0 if dose <= 0.12 * taken.initial_dose else round(dose, 4)


def _started(drug_id: str, indication: str, index: RuleIndex) -> Taken:
    profile = index.profile(drug_id)
    dose = profile.dose_min if profile else 1.0
    return Taken(dose, dose, indication, 0)


def _same_taper_class(old: str, new: str, index: RuleIndex) -> bool:
    a, b = index.profile(old), index.profile(new)
    return bool(a and b and a.taper_class and a.taper_class == b.taper_class)
