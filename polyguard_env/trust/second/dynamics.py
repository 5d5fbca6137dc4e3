"""What a move does to an episode, worked out again on plain data. Imports nothing but the second checker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from polyguard_env.trust.second import holds
from polyguard_env.trust.second.tables import RANK, Facts

KIDNEY = frozenset({"creatinine", "crcl", "egfr"})
SWITCHES = ("SUBSTITUTE_DRUG", "RECOMMEND_ALTERNATIVE")
# Whose steps are weeks.
WEEKS = "LONGITUDINAL_DEPRESCRIBING"
WITHDRAWAL_DAYS = 28
SAFE_TO_STOP = 0.26
LAST_STEP = 0.12
LOW = 0.1
# A difference up to this is rounding.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Case:
    """Where an episode starts, as plain data.

    Attributes:
        person: as for `findings`. hidden: names of what is not shown at first.
        products: product name to ingredients. combinations: what may be tested, when a pool is under study.
    """

    person: Mapping[str, Any]
    sub_environment: str
    budget: int
    step_days: int
    hidden: frozenset[str]
    products: Mapping[str, Sequence[str]]
    combinations: Sequence[Sequence[str]]


@dataclass(slots=True)
class Drug:
    """A drug as it stands; doses are daily totals.

    Attributes:
        held: days it stays withheld. course: taken for a short course.
    """

    dose: float
    initial: float
    indication: str
    days: int
    tapering: bool = False
    reduced: bool = False
    held: int = 0
    course: bool = False


@dataclass(slots=True)
class Situation:
    """An episode at one moment.

    Attributes:
        unknown: what is hidden and not found out yet. monitored: measurements ordered.
        withdrawals: drug to severity and days left. last: the last move as `key_of` tells it, () after a wasted step.
        last_from: dose before the last move, when that changed a dose.
        debt: risk that moves have added and that has not gone again. harmed: the drugs of those moves.
    """

    drugs: dict[str, Drug]
    unknown: set[str]
    monitored: set[str] = field(default_factory=set)
    tested: set[tuple[str, ...]] = field(default_factory=set)
    withdrawals: dict[str, tuple[str, int]] = field(default_factory=dict)
    day: int = 0
    step: int = 0
    finished: bool = False
    reviews: int = 0
    keeps: int = 0
    last: tuple[str, ...] = ()
    last_from: float = 0.0
    debt: float = 0.0
    harmed: set[str] = field(default_factory=set)


def begin(case: Case, facts: Facts) -> Situation:
    """The situation at the start."""
    drugs = {}
    for item in case.person["regimen"]:
        dose = item["dose"] if item["dose"] is not None else facts.number(item["drug_id"], "dose_usual") or 1.0
        course = holds.is_course(item["drug_id"], item["indication"], item["days"], facts)
        course = course and case.sub_environment != WEEKS
        drugs[item["drug_id"]] = Drug(dose, dose, item["indication"], item["days"], course=course)
    return Situation(drugs, set(case.hidden))


def same(measurement: str) -> str:
    """Kidney function is one measurement under three names."""
    return "kidney function" if measurement in KIDNEY else measurement


def key_of(action: str, targets: Sequence[str]) -> tuple[str, ...]:
    """What makes a move the same as another: its kind, what it acts on and the dose."""
    return action, *(same(name) if action == "ORDER_MONITORING" else name for name in targets)


def taper_due(drug: str, taken: Drug, facts: Facts) -> dict[str, str] | None:
    """The rule that asks for a taper, when it does so now: taken long enough, and not nearly stopped already."""
    rules = facts.rules_for("taper", drug)
    if not rules or taken.held or taken.dose <= SAFE_TO_STOP * taken.initial:
        return None
    return rules[0] if taken.days >= float(rules[0]["min_days_on_drug"] or 0) else None


def after(case: Case, before: Situation, action: str, targets: Sequence[str], facts: Facts) -> Situation:
    """The situation once a legal move is made and its days have passed; `before` stays as it is."""
    now = deepcopy(before)
    if action == "STOP_DRUG":
        for drug in case.products.get(targets[0], [targets[0]]):
            end(now, drug, facts)
    elif action in SWITCHES:
        old = now.drugs[targets[0]]
        family = [facts.profiles.get(drug, {}).get("taper_class", "") for drug in targets]
        if family[0] and family[0] == family[1]:
            del now.drugs[targets[0]]
        else:
            end(now, targets[0], facts)
        start(now, targets[1], old.indication, facts, old.course)
    elif action == "ADD_DRUG":
        start(now, targets[0], targets[1], facts)
    elif action == "TAPER_DRUG":
        taken = now.drugs[targets[0]]
        taken.dose, taken.tapering = next_dose(case, targets[0], taken, facts), True
        if taken.dose <= 0:
            del now.drugs[targets[0]]
    elif action in ("REDUCE_DOSE", "INCREASE_DOSE"):
        now.last_from = now.drugs[targets[0]].dose
        change(now, targets[0], float(targets[1]), facts)
        now.drugs[targets[0]].reduced |= action == "REDUCE_DOSE"
    elif action == "HOLD_DOSE":
        withhold(now, targets[0], facts)
    elif action == "ORDER_MONITORING":
        now.unknown -= {name for name in now.unknown if same(name) == same(targets[0])}
        now.monitored.add(same(targets[0]))
    elif action == "FETCH_EXTERNAL_EVIDENCE" and targets[0] == "chart":
        now.unknown = {name for name in now.unknown if name != "allergies" and not name.startswith("indication:")}
    elif action == "FETCH_EXTERNAL_EVIDENCE":
        now.unknown.discard(f"facts:{targets[0]}")
    elif action == "DECOMPOSE_NEW_DRUG":
        now.unknown.discard(f"product:{targets[0]}")
    elif action == "TEST_COMBINATION":
        now.tested.add(tuple(targets))
    now.finished = action == "FINISH"
    now.reviews += action == "REQUEST_SPECIALIST_REVIEW"
    now.keeps += action == "KEEP_REGIMEN"
    now.last = key_of(action, targets)
    pass_days(case, now, 0 if now.finished else case.step_days, before)
    return now


def wasted(case: Case, before: Situation) -> Situation:
    """The situation after an answer that did nothing: its days pass all the same."""
    now = deepcopy(before)
    now.last = ()
    pass_days(case, now, case.step_days, before)
    return now


def pass_days(case: Case, now: Situation, days: int, before: Situation) -> None:
    """Days pass: what was withdrawn before them wears off, and over weeks what is held comes back."""
    if case.sub_environment == WEEKS:
        for taken in now.drugs.values():
            taken.held = max(0, taken.held - days)
    for drug, (severity, left) in list(now.withdrawals.items()):
        left -= days if drug in before.withdrawals else 0
        if left > 0:
            now.withdrawals[drug] = (severity, left)
        else:
            del now.withdrawals[drug]
    now.day += days
    now.step += 1


def end(now: Situation, drug: str, facts: Facts) -> None:
    """A drug is ended at once: what needed a taper is withdrawn."""
    rule = taper_due(drug, now.drugs[drug], facts)
    if rule is not None:
        now.withdrawals[drug] = (rule["severity"], WITHDRAWAL_DAYS)
    del now.drugs[drug]


def start(now: Situation, drug: str, indication: str, facts: Facts, course: bool = False) -> None:
    """A drug is begun at its lowest usual dose; in place of a course it goes on with that, if it can be one."""
    dose = facts.number(drug, "dose_min") or 1.0
    goes_on = course and holds.rule_of(drug, "course", indication, facts) is not None
    now.drugs[drug] = Drug(dose, dose, indication, 0, course=goes_on)


def withhold(now: Situation, drug: str, facts: Facts) -> None:
    """A drug is held: it is away at once, which harms where it needs a taper or may not be paused."""
    taken = now.drugs[drug]
    harmful = holds.rule_of(drug, "harmful", taken.indication, facts)
    severities = [rule["severity"] for rule in (taper_due(drug, taken, facts), harmful) if rule is not None]
    if severities:
        now.withdrawals[drug] = (max(severities, key=RANK.__getitem__), WITHDRAWAL_DAYS)
    taken.held = holds.DAYS


def change(now: Situation, drug: str, dose: float, facts: Facts) -> None:
    """A dose is changed; a cut deeper than the taper rule allows in one step is withdrawal too."""
    taken = now.drugs[drug]
    rule = taper_due(drug, taken, facts)
    if rule is not None and taken.dose - dose > float(rule["max_fraction_per_step"] or 1) * taken.initial + ROUNDING:
        now.withdrawals[drug] = (rule["severity"], WITHDRAWAL_DAYS)
    taken.dose = dose


def next_dose(case: Case, drug: str, taken: Drug, facts: Facts) -> float:
    """The dose one taper step lower; where an episode is too short for a schedule, its two ends."""
    if case.sub_environment != WEEKS:
        return 0.0 if taken.tapering else LOW * taken.initial
    rules = facts.rules_for("taper", drug)
    share = float(rules[0]["step_fraction"]) if rules else 0.5
    every = float(rules[0]["step_days"] or 0) if rules else 0.0
    steps = case.step_days / every if 0 < every < case.step_days else 1.0
    left = taken.dose - share * steps * taken.initial
    return 0.0 if left <= LAST_STEP * taken.initial else round(left, 4)


def ranked(severity: str) -> int:
    """Place of a severity, 1 (minor) to 4."""
    return RANK[severity]
