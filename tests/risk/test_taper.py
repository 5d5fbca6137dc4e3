"""Taper schedules: the guideline's cuts and intervals, doses that can be dispensed, and published examples."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction

import pytest

from polyguard_env.__main__ import main
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.risk.dispensing import MEASURED, Form, forms_of
from polyguard_env.risk.taper import Phase, TaperSchedule, phases, plan_rows, taper_schedule

KNOWLEDGE = KnowledgeBase.default()
RULES = {rule.drug_id: rule for rule in reversed(KNOWLEDGE.rules("taper"))}
PROFILED = sorted(drug_id for drug_id in RULES if KNOWLEDGE.drugs[drug_id].profile)
DAYS = (60, 3650)


def steps(drug: str, dose: float, days: int) -> list[tuple[int, float]]:
    return [(step.day, step.dose) for step in taper_schedule(drug, KNOWLEDGE, dose, days).steps]


def doses(drug: str, dose: float, days: int) -> list[float]:
    return [step.dose for step in taper_schedule(drug, KNOWLEDGE, dose, days).steps]


def ladder(drug_id: str) -> list[float]:
    """Doses from the lowest to the highest of the profile."""
    profile = KNOWLEDGE.drugs[drug_id].profile
    assert profile is not None
    middle = (profile.dose_usual + profile.dose_max) / 2
    return sorted({profile.dose_min, profile.dose_usual, round(middle, 4), profile.dose_max})


def test_a_quarter_every_two_weeks_and_an_eighth_at_the_end() -> None:
    """The hypnotic schedule of Pottie 2018: quarters of the first dose, then nights without."""
    assert steps("zolpidem", 10.0, 90) == [(0, 7.5), (14, 5.0), (28, 2.5), (42, 1.25), (56, 0.0)]


def test_lorazepam_after_long_use_is_cut_by_a_tenth_and_never_over_a_quarter() -> None:
    """The case of the joint guideline (ASAM 2025): 5 to 10 percent every two to four weeks while there are tablets."""
    schedule = taper_schedule("lorazepam", KNOWLEDGE, 4.0, 1000)
    assert all(step.percent <= 10.0 for step in schedule.steps if step.dose >= 1.0)
    assert all(step.percent <= 25.0 for step in schedule.steps[:-1]) and not any(s.limited for s in schedule.steps)
    apart = [later.day - step.day for step, later in itertools.pairwise(schedule.steps)]
    assert set(apart) <= {14, 28} and schedule.days >= 300
    forms = [step.form for step in schedule.steps[:-1]]
    assert forms == sorted(forms, reverse=True) and set(forms) == {"tablet", "liquid"}, "tablets, then the liquid"
    assert doses("lorazepam", 4.0, 60)[:2] == [3.0, 2.25] and doses("lorazepam", 4.0, 100)[0] == 3.75


def test_opioids_by_a_tenth_a_week_or_a_month_after_a_year() -> None:
    """CDC 2022: tenths of the first dose down to three tenths of it, then tenths of what is left."""
    short, long = steps("oxycodone", 100.0, 100), steps("oxycodone", 100.0, 400)
    assert [dose for _, dose in short[:8]] == [90.0, 80.0, 70.0, 60.0, 50.0, 40.0, 30.0, 27.5]
    assert [day for day, _ in short[:4]] == [0, 7, 14, 21] and [day for day, _ in long[:4]] == [0, 28, 56, 84]
    assert [dose for _, dose in long] == [dose for _, dose in short]


def test_prednisone_by_the_endocrine_societies_of_2024() -> None:
    """5 mg a week to 20, 2.5 mg to 10, then 1 mg; monthly below 10 after long use."""
    expected = [35.0, 30.0, 25.0, 20.0, 17.5, 15.0, 12.5, 10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]
    assert doses("prednisone", 40.0, 60) == doses("prednisone", 40.0, 365) == expected
    days = dict((dose, day) for day, dose in steps("prednisone", 40.0, 365))
    assert days[30.0] - days[35.0] == 7 and days[15.0] - days[17.5] == 14 and days[7.0] - days[8.0] == 28
    assert steps("prednisone", 40.0, 14) == [(0, 0.0)]
    assert doses("prednisone", 60.0, 60)[:3] == [50.0, 40.0, 35.0]
    assert doses("hydrocortisone", 60.0, 60)[:2] == [50.0, 40.0]


@pytest.mark.parametrize(
    ("drug", "dose", "days", "expected"),
    [
        ("quetiapine", 100.0, 400, [(0, 75.0), (14, 50.0), (28, 25.0), (42, 0.0)]),  # Bjerre 2018
        ("omeprazole", 40.0, 400, [(0, 20.0), (28, 0.0)]),  # Farrell 2017
        ("donepezil", 10.0, 400, [(0, 5.0), (28, 0.0)]),  # Reeve 2018
        ("memantine", 20.0, 400, [(0, 10.0), (28, 5.0), (56, 0.0)]),  # Reeve 2018
        ("metoprolol", 150.0, 365, [(0, 100.0), (7, 50.0), (14, 0.0)]),  # label: one to two weeks
        ("ruxolitinib", 30.0, 365, [(0, 20.0), (7, 10.0), (14, 0.0)]),  # label: 5 mg twice daily a week
        ("nicotine", 21.0, 60, [(0, 14.0), (14, 7.0), (28, 0.0)]),  # label of the patch
    ],
)
def test_published_examples(drug: str, dose: float, days: int, expected: list[tuple[int, float]]) -> None:
    assert steps(drug, dose, days) == expected


def test_short_use_stops_and_a_drug_without_a_rule_has_no_schedule() -> None:
    assert steps("alprazolam", 1.0, 10) == [(0, 0.0)]
    schedule = taper_schedule("atorvastatin", KNOWLEDGE)
    assert schedule.steps == () and not schedule.rule_id and schedule.days == 0
    assert "does not mean that it may be stopped at once" in schedule.reason
    assert steps("suvorexant", 10.0, 300) == [(0, 0.0)], "its label reports no withdrawal"


def test_every_formulary_drug_with_a_taper_has_marketed_strengths() -> None:
    assert len(PROFILED) >= 200
    assert [drug_id for drug_id in PROFILED if not forms_of(drug_id)] == []
    assert {row["drug_id"] for row in read_fragments("strengths")} <= set(KNOWLEDGE.drugs)


@pytest.mark.parametrize("days", DAYS)
def test_every_schedule_keeps_to_its_guideline_and_can_be_dispensed(days: int) -> None:
    limited = count = 0
    for drug_id in PROFILED:
        if days < float(RULES[drug_id].fields["min_days_on_drug"]):
            continue
        for dose in ladder(drug_id):
            schedule = taper_schedule(drug_id, KNOWLEDGE, dose, days)
            limited += sum(step.limited for step in schedule.steps)
            count += len(schedule.steps)
            hold_to_guideline(schedule, days)
    assert count > 2000 and limited / count < 0.1


def hold_to_guideline(schedule: TaperSchedule, days: int) -> None:
    """Monotone to 0 in doses of a marketed form; no cut over the cited maximum unless no form makes a smaller one."""
    where = f"{schedule.drug_id} {schedule.dose:g}"
    rows = plan_rows(RULES[schedule.drug_id], days)
    forms = forms_of(schedule.drug_id)
    start = Fraction(str(schedule.dose))
    plan = phases(schedule.drug_id, rows, start, forms)
    offered = [*forms, *(form.alternating() for form in forms if rows[0]["alternate"] == "yes")]
    path = [schedule.dose, *(step.dose for step in schedule.steps)]
    assert path[-1] == 0.0 and all(later < dose for dose, later in itertools.pairwise(path)), where
    assert [step.day for step in schedule.steps] == sorted({step.day for step in schedule.steps}), where
    assert schedule.watch and schedule.pause and schedule.source and schedule.year >= 2010, where
    for before, step in zip(path, schedule.steps, strict=False):
        phase = next((phase for phase in plan if before > float(phase.above) + 1e-6), plan[-1])
        most = float(phase.amount(phase.most, Fraction(str(before)), start))
        cut = before - step.dose
        made = [form for form in offered if str(form) == step.form]
        if step.form in MEASURED:
            offered = [form for form in offered if form.name in MEASURED]
        if step.dose:
            assert any(abs(step.dose - near) < 1e-3 for form in made for near in reachable(form, before)), where
        if before <= float(phase.end) + 1e-6:
            assert step.dose == 0.0, where
        elif step.limited:
            smaller = [
                b for form in offered for b in reachable(form, before) if 0.011 * before <= before - b < cut - 1e-3
            ]
            assert cut > most - 1e-3 and not smaller, f"{where}: {smaller}"
        else:
            assert cut <= most + 1e-3, f"{where}: {before} to {step.dose}, at most {most}"
        assert step.percent == pytest.approx(100 * cut / before, abs=0.2), where


def reachable(form: Form, dose: float) -> list[float]:
    return [float(amount) for amount in form.below(Fraction(str(dose)))]


def test_a_drug_without_known_strengths_says_so() -> None:
    schedule = taper_schedule("brotizolam", KNOWLEDGE, 0.25, 1000)
    assert "strengths are not in the table" in schedule.reason and {step.form for step in schedule.steps} == {""}


def test_every_class_has_a_plan_and_every_steroid_an_equivalent() -> None:
    classes = {rule.fields["taper_class"] for rule in RULES.values()}
    assert len(classes) >= 20 and classes == {row["taper_class"] for row in read_fragments("taper_plans")}
    for row in read_fragments("steroid_equivalents"):
        assert row["drug_id"] in KNOWLEDGE.drugs


def test_amounts_of_a_form() -> None:
    form = Form("tablet", (Fraction(5, 2), Fraction(5)), Fraction(5))
    assert form.below(Fraction(10)) == [0, Fraction(5, 2), 5, Fraction(15, 2)]
    assert form.alternating().below(Fraction(5, 2)) == [0, Fraction(5, 4)]
    capsules = Form("capsule", (Fraction(20), Fraction(30)), Fraction(20))
    assert capsules.below(Fraction(60)) == [0, 20, 30, 40, 50]


def test_cuts_are_of_the_dose_the_first_dose_or_an_amount() -> None:
    tenth = Fraction(1, 10)
    values = {of: Phase(Fraction(0), tenth, tenth, of, 7, 14, Fraction(0)) for of in ("current", "start", "amount")}
    found = {of: phase.amount(phase.cut, Fraction(20), Fraction(40)) for of, phase in values.items()}
    assert found == {"current": 2, "start": 4, "amount": tenth}


@pytest.mark.parametrize(
    ("drug", "dose", "days", "field"),
    [
        ("diazepam", 0.0, 90, "dose"),
        ("diazepam", float("nan"), 90, "dose"),
        ("diazepam", 5.0, -1, "days"),
        ("cosyntropin", 1.0, 90, "drug_id"),
        ("no_such_drug", 1.0, 90, "drug_id"),
    ],
)
def test_impossible_input_is_named(drug: str, dose: float, days: int, field: str) -> None:
    with pytest.raises(PolyGuardError) as caught:
        taper_schedule(drug, KNOWLEDGE, dose, days)
    assert caught.value.field == field


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["taper", "--drug", "Xanax", "--dose", "1000", "--unit", "ug", "--days", "60", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    first = {"day": 0, "dose": 0.75, "percent": 25.0, "form": "tablet", "limited": False}
    assert printed["drug_id"] == "alprazolam" and printed["steps"][0] == first
    assert main(["taper", "--drug", "Xanax"]) == 0
    shown = capsys.readouterr().out
    assert "not a medical device" in shown and "Watch for:" in shown and "Pause:" in shown
    assert main(["taper", "--drug", "Xanaz"]) == 2
    assert "xanax" in capsys.readouterr().err.lower()
