"""Taper schedules: days and doses of stopping a drug, by the cited guideline, in doses that can be dispensed.

Which drugs need a taper is in `rules/taper.csv`, how a class is tapered in `taper_plans.csv`, what can be dispensed in
`strengths.csv`. What any stop risks is in `stop_warnings.csv` (`stops.py`).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.schema import Rule
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.risk.dispensing import MEASURED, Form, forms_of
from polyguard_env.risk.stops import NO_SCHEDULE, StopWarning, plain_stop, stop_warnings

LOWEST = "lowest"
# A cut under a hundredth of the dose is a rounding difference, not a step.
LEAST_CUT = Fraction(1, 100)


@dataclass(frozen=True, slots=True)
class TaperStep:
    """From `day` on (0 is the first cut) the drug is taken at `dose` a day.

    Attributes:
        day: days after the first cut.
        dose: daily dose in the schedule's unit; 0 is stopped.
        percent: the cut as a percentage of the dose before it, 0-100.
        form: what the dose is dispensed as; "" for a stop, or when no strengths are known.
        limited: True when no marketed form leaves a cut within the guideline's maximum, so the smallest is taken.
    """

    day: int
    dose: float
    percent: float = 100.0
    form: str = ""
    limited: bool = False


@dataclass(frozen=True, slots=True)
class TaperSchedule:
    """How one drug is brought to nothing.

    Attributes:
        drug_id: the drug.
        dose: daily dose before the first cut, in `unit`.
        unit: the drug's dose unit.
        steps: days and doses, falling to 0; one step (stop on day 0) when a source needs no taper; none where
            there is no schedule, which is no leave to stop at once.
        rule_id: rule that applies, or "".
        reason: why it is tapered, or why not.
        withdrawal: what an abrupt stop risks.
        watch: what to look for after each cut.
        pause: when to hold, and what then.
        source: key of the plan's guideline, with `year`.
        year: year of the source; 0 without a rule.
        stops: what is known of the risks of stopping the drug.
    """

    drug_id: str
    dose: float
    unit: str
    steps: tuple[TaperStep, ...]
    rule_id: str
    reason: str
    withdrawal: str
    watch: str
    pause: str
    source: str
    year: int
    stops: tuple[StopWarning, ...] = ()

    @property
    def days(self) -> int:
        """Days from the first cut to the last dose; 0 without a schedule."""
        return self.steps[-1].day if self.steps else 0

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Phase:
    """One part of a plan: how the dose is cut while it is above a bound.

    Attributes:
        above: the bound, in the drug's unit.
        cut, most: the guideline's cut and its maximum: shares of the dose (`of` "current"), of the starting dose
            ("start"), or amounts in the drug's unit ("amount").
        of: what `cut` and `most` are measured against.
        interval: days from a cut to the next; `longest` after a cut above `cut`.
        end: a dose from which the drug is stopped, in the drug's unit.
    """

    above: Fraction
    cut: Fraction
    most: Fraction
    of: str
    interval: int
    longest: int
    end: Fraction

    def amount(self, share: Fraction, dose: Fraction, start: Fraction) -> Fraction:
        """A cut in the drug's unit."""
        return share if self.of == "amount" else share * (dose if self.of == "current" else start)


def taper_schedule(drug_id: str, knowledge: KnowledgeBase, dose: float | None = None, days: int = 365) -> TaperSchedule:
    """The schedule for stopping a drug.

    Each cut is the largest one up to the guideline's that a marketed form can make; where every form is too coarse, the
    smallest cut within the guideline's maximum, held for longer; where none is, the smallest there is, `limited`.

    Args:
        drug_id: a drug of `knowledge`.
        knowledge: the knowledge base.
        dose: daily dose now, in the drug's unit; the usual dose of its profile when left out.
        days: days on the drug so far, 0 or more.

    Raises:
        PolyGuardError: an unknown drug, a dose that is no positive number or unknown without a profile, negative days,
            a steroid without a prednisone equivalent.
    """
    drug = knowledge.drugs.get(drug_id)
    if drug is None:
        raise PolyGuardError("drug_id", drug_id, "use the id of a known drug; resolve names first")
    profile = drug.profile
    if dose is None:
        if profile is None:
            raise PolyGuardError("dose", dose, f"give the daily dose: {drug_id} has no profile to take one from")
        dose = profile.dose_usual
    if not (math.isfinite(dose) and dose > 0):
        raise PolyGuardError("dose", dose, "give a daily dose above 0")
    if days < 0:
        raise PolyGuardError("days", days, "give the days on the drug, 0 or more")
    unit = profile.dose_unit if profile else ""
    rule = next((rule for rule in knowledge.rules("taper") if rule.drug_id == drug_id), None)
    if rule is None:
        plain = plain_stop(drug)
        return TaperSchedule(
            drug_id, dose, unit, (TaperStep(0, 0.0),) if plain else (), "", plain or NO_SCHEDULE, "", "", "", "", 0,
            stop_warnings(drug),
        )  # fmt: skip
    least = float(rule.fields["min_days_on_drug"] or 0)
    if days < least:
        reason = f"taken {days} days; rule {rule.rule_id} ({rule.source} {rule.year}) tapers after {least:g}"
        return TaperSchedule(
            drug_id, dose, unit, (TaperStep(0, 0.0),), "", reason, "", "", "", "", 0, stop_warnings(drug)
        )
    rows = plan_rows(rule, days)
    forms = _forms(drug_id, rows[0]["alternate"] == "yes")
    steps = _steps(Fraction(str(dose)), phases(drug_id, rows, Fraction(str(dose)), forms), forms)
    reason = rule.fields["note"] + (
        "" if forms else "; marketed strengths are not in the table: ask what can be dispensed"
    )
    return TaperSchedule(
        drug_id, dose, unit, steps, rule.rule_id, reason, rule.fields["withdrawal"], rows[0]["watch"], rows[0]["pause"],
        rows[0]["source"], int(rows[0]["year"]), stop_warnings(drug),
    )  # fmt: skip


def plan_rows(rule: Rule, days: int) -> list[dict[str, str]]:
    """Rows of `taper_plans.csv` for a rule's class after `days` of use, highest bound first.

    Raises:
        PolyGuardError: the class has no plan.
    """
    name, long_use = rule.fields["taper_class"], rule.fields["long_use_days"]
    use = "long" if long_use and days >= int(long_use) else "short"
    rows = [row for row in read_fragments("taper_plans") if row["taper_class"] == name and row["use"] in (use, "any")]
    if not rows:
        raise PolyGuardError("taper_class", name, "add its plan to taper_plans.csv")
    return sorted(rows, key=lambda row: -float(row["above"]))


def phases(drug_id: str, rows: list[dict[str, str]], start: Fraction, forms: tuple[Form, ...]) -> list[Phase]:
    """The phases of a plan in a drug's unit, highest bound first."""
    found = []
    for row in rows:
        unit = _unit_of(row, drug_id)
        scale = unit if row["of"] == "amount" else Fraction(1)
        # The lowest strength is a counted one where there is any; a liquid has no lowest dose.
        counted = [form.whole for form in forms if form.name not in MEASURED]
        lowest = min(counted or [form.whole for form in forms], default=start / 10)
        end = lowest if row["end"] == LOWEST else Fraction(row["end"]) * start
        above = Fraction(row["above"]) * (unit if row["above_of"] == "amount" else start)
        cut, most = Fraction(row["cut"]) * scale, Fraction(row["most"]) * scale
        found.append(Phase(above, cut, most, row["of"], int(row["interval_days"]), int(row["longest_days"]), end))
    return found


def _unit_of(row: dict[str, str], drug_id: str) -> Fraction:
    """The drug's amount for one unit of the plan: of prednisone for steroids, else its own."""
    if row["taper_class"] != "corticosteroid":
        return Fraction(1)
    for known in read_fragments("steroid_equivalents"):
        if known["drug_id"] == drug_id:
            return Fraction(known["equals_prednisone_5"]) / 5
    raise PolyGuardError("drug_id", drug_id, "add its prednisone equivalent to steroid_equivalents.csv")


def _forms(drug_id: str, alternate: bool) -> tuple[Form, ...]:
    forms = forms_of(drug_id)
    return (*forms, *(form.alternating() for form in forms)) if alternate else forms


def _steps(start: Fraction, plan: list[Phase], forms: tuple[Form, ...]) -> tuple[TaperStep, ...]:
    steps: list[TaperStep] = []
    dose, day = start, 0
    while dose > 0:
        phase = next((phase for phase in plan if dose > phase.above), plan[-1])
        cut, form, limited = _cut(dose, start, phase, forms)
        after = dose - cut
        if form in MEASURED:  # a person who has come to the liquid stays with it
            forms = tuple(made for made in forms if made.name in MEASURED)
        steps.append(
            TaperStep(day, round(float(after), 4), round(float(100 * cut / dose), 1), form if after else "", limited)
        )
        day += phase.longest if cut > phase.amount(phase.cut, dose, start) else phase.interval
        dose = after
    return tuple(steps)


def _cut(dose: Fraction, start: Fraction, phase: Phase, forms: tuple[Form, ...]) -> tuple[Fraction, str, bool]:
    """The next cut, the form the rest is dispensed as, and whether the forms forced it."""
    wanted, most = phase.amount(phase.cut, dose, start), phase.amount(phase.most, dose, start)
    if dose <= phase.end:
        return dose, "", False
    if not forms:
        return min(wanted, dose), "", False
    open_cuts = [
        (dose - amount, form) for form in forms for amount in form.below(dose) if dose - amount >= LEAST_CUT * dose
    ]
    within = [pair for pair in open_cuts if pair[0] <= wanted]
    for form in forms:
        best = max((cut for cut, made in within if made is form), default=Fraction(0))
        if best >= wanted / 2:
            return best, str(form), False
    if within:
        cut, form = max(within, key=lambda pair: pair[0])
        return cut, str(form), False
    cut, form = min(open_cuts, key=lambda pair: pair[0])
    return cut, str(form), cut > most
