"""Taper schedules: the days and doses of stopping a drug, from the rules of `rules/taper.csv`."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.schema import Rule


@dataclass(frozen=True, slots=True)
class TaperStep:
    """From `day` on (0 is the first cut) the drug is taken at `dose` a day, in the schedule's unit; 0 is stopped."""

    day: int
    dose: float


@dataclass(frozen=True, slots=True)
class TaperSchedule:
    """How one drug is brought to nothing.

    Attributes:
        drug_id: the drug.
        dose: daily dose before the first cut, in `unit`.
        unit: the drug's dose unit.
        steps: days and doses, falling to 0; one step (stop on day 0) when no taper is needed.
        rule_id: rule that applies, or "" when the drug may be stopped at once.
        reason: why it is tapered, or why not.
        withdrawal: what an abrupt stop risks.
        source: key of the rule's source, with `year`.
        year: year of the source; 0 without a rule.
    """

    drug_id: str
    dose: float
    unit: str
    steps: tuple[TaperStep, ...]
    rule_id: str
    reason: str
    withdrawal: str
    source: str
    year: int

    @property
    def days(self) -> int:
        """Days from the first cut to the last dose."""
        return self.steps[-1].day

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return asdict(self)


def taper_schedule(drug_id: str, knowledge: KnowledgeBase, dose: float | None = None, days: int = 365) -> TaperSchedule:
    """The schedule for stopping a drug.

    Cuts are equal shares of the starting dose: the rule's `step_fraction`, at most its
    `max_fraction_per_step`, in at least `steps_min` steps, `step_days` apart (`long_use_step_days` apart after
    `long_use_days` of use, where the rule has them).

    Args:
        drug_id: a drug of `knowledge`.
        knowledge: the knowledge base.
        dose: daily dose now, in the drug's unit; the usual dose of its profile when left out.
        days: days on the drug so far, 0 or more.

    Raises:
        PolyGuardError: an unknown drug, a dose that is no positive number or unknown without a profile, negative days.
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
        return _stop(drug_id, dose, unit, "no taper rule: may be stopped at once")
    least = float(rule.fields["min_days_on_drug"] or 0)
    if days < least:
        return _stop(drug_id, dose, unit, f"taken {days} days; the rule tapers after {least:g}")
    return TaperSchedule(
        drug_id, dose, unit, _steps(rule, dose, days), rule.rule_id, rule.fields["note"],
        rule.fields["withdrawal"], rule.source, rule.year,
    )  # fmt: skip


def _stop(drug_id: str, dose: float, unit: str, reason: str) -> TaperSchedule:
    return TaperSchedule(drug_id, dose, unit, (TaperStep(0, 0.0),), "", reason, "", "", 0)


def _steps(rule: Rule, dose: float, days: int) -> tuple[TaperStep, ...]:
    fields = rule.fields
    share = min(float(fields["step_fraction"]), float(fields["max_fraction_per_step"]))
    # 0.33 is a third: the tolerance keeps a fourth, tiny step from appearing.
    count = max(int(fields["steps_min"]), math.ceil(1.0 / share - 0.05))
    apart = int(fields["step_days"])
    if fields["long_use_days"] and days >= int(fields["long_use_days"]):
        apart = int(fields["long_use_step_days"])
    return tuple(TaperStep(apart * k, round(dose * (1.0 - (k + 1) / count), 4)) for k in range(count))
