"""`python -m polyguard_env taper`: the days and doses of stopping a drug."""

from __future__ import annotations

import argparse
import json

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.doses import daily_dose
from polyguard_env.patients.reading import resolve_drug
from polyguard_env.risk.findings import DISCLAIMER
from polyguard_env.risk.settling import every, neat
from polyguard_env.risk.taper import TaperSchedule, taper_schedule

LIMITED = " (the smallest cut the marketed forms allow)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--drug", required=True, help="name or brand of one drug")
    parser.add_argument("--dose", type=float, default=None, help="daily dose now (default: the usual dose)")
    parser.add_argument("--unit", default=None, help="unit of --dose (default: the drug's own)")
    parser.add_argument("--days", type=int, default=365, help="days on the drug so far")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the schedule."""
    knowledge = KnowledgeBase.default()
    drugs = resolve_drug(arguments.drug, knowledge, "--drug")
    if len(drugs) > 1:
        raise PolyGuardError("--drug", arguments.drug, f"name one ingredient: {', '.join(drugs)}")
    dose = arguments.dose
    if dose is not None:
        dose = daily_dose(dose, arguments.unit, drugs[0], "taper", knowledge)
    schedule = taper_schedule(drugs[0], knowledge, dose, arguments.days)
    print(json.dumps(schedule.to_dict(), indent=2) if arguments.json else as_text(schedule, knowledge))
    return 0


def as_text(schedule: TaperSchedule, knowledge: KnowledgeBase) -> str:
    """The schedule for a person to read."""
    name = knowledge.drugs[schedule.drug_id].name
    lines = [f"{name}, {_dose(schedule, knowledge)}: {schedule.reason}"]
    for step in schedule.steps:
        taken = f"{step.dose:g} {schedule.unit} a day" if step.dose else "stop"
        lines.append(
            f"  day {step.day:>4}  {taken:<18} -{step.percent:g}%  {step.form}{LIMITED if step.limited else ''}"
        )
    if schedule.rule_id:
        lines.append(f"Watch for: {schedule.watch}. Pause: {schedule.pause}.")
        cited = f"Rule {schedule.rule_id}, plan {schedule.source} {schedule.year}."
        lines.append(f"An abrupt stop risks {schedule.withdrawal}. {cited}")
    if schedule.stops:
        lines += ["Before a stop:", *(f"  {warning}" for warning in schedule.stops)]
    return "\n".join([*lines, f"Knowledge {knowledge.fingerprint}. {DISCLAIMER}"])


def _dose(schedule: TaperSchedule, knowledge: KnowledgeBase) -> str:
    """The dose as it is given: a day, or every so many days for a usual dose that is given more rarely."""
    profile = knowledge.drugs[schedule.drug_id].profile
    given = profile.doses_per_day if profile else None
    daily = f"{schedule.dose:g} {schedule.unit} a day"
    if profile is None or not given or given >= 1 or schedule.dose != profile.dose_usual:
        return daily
    return f"{neat(schedule.dose / given):g} {schedule.unit} {every(round(1 / given))}"
