"""Taper schedules: days, doses, and the rules they keep to."""

from __future__ import annotations

import itertools
import json

import pytest

from polyguard_env.__main__ import main
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.risk.taper import taper_schedule

KNOWLEDGE = KnowledgeBase.default()


def steps(drug: str, dose: float, days: int) -> list[tuple[int, float]]:
    return [(step.day, step.dose) for step in taper_schedule(drug, KNOWLEDGE, dose, days).steps]


def test_quarters_every_two_weeks() -> None:
    assert steps("zolpidem", 10.0, 90) == [(0, 7.5), (14, 5.0), (28, 2.5), (42, 0.0)]


def test_tenths_a_week_and_a_month_after_a_year_of_use() -> None:
    short, long = steps("oxycodone", 40.0, 100), steps("oxycodone", 40.0, 400)
    assert short[:2] == [(0, 36.0), (7, 32.0)] and short[-1] == (63, 0.0)
    assert long[:2] == [(0, 36.0), (28, 32.0)] and long[-1] == (252, 0.0)


def test_thirds_make_three_steps() -> None:
    assert [dose for _, dose in steps("metoprolol", 150.0, 365)] == [100.0, 50.0, 0.0]


def test_short_use_and_drugs_without_a_rule_stop_at_once() -> None:
    assert steps("alprazolam", 1.0, 10) == [(0, 0.0)]
    schedule = taper_schedule("atorvastatin", KNOWLEDGE)
    assert [step.dose for step in schedule.steps] == [0.0] and not schedule.rule_id


def test_every_schedule_falls_to_zero_within_its_largest_cut() -> None:
    rules = {rule.drug_id: rule for rule in KNOWLEDGE.rules("taper")}
    assert len({rule.fields["taper_class"] for rule in rules.values()}) >= 15
    for drug_id, rule in rules.items():
        schedule = taper_schedule(drug_id, KNOWLEDGE, 100.0, 3650)
        doses = [100.0, *(step.dose for step in schedule.steps)]
        cuts = [before - after for before, after in itertools.pairwise(doses)]
        days = [step.day for step in schedule.steps]
        assert doses[-1] == 0.0 and min(cuts) > 0, drug_id
        assert max(cuts) <= 100.0 * float(rule.fields["max_fraction_per_step"]) + 1.0, drug_id
        assert len(schedule.steps) >= int(rule.fields["steps_min"]) and days == sorted(set(days)), drug_id


@pytest.mark.parametrize(("dose", "days", "field"), [(0.0, 90, "dose"), (float("nan"), 90, "dose"), (5.0, -1, "days")])
def test_impossible_input_is_named(dose: float, days: int, field: str) -> None:
    with pytest.raises(PolyGuardError) as caught:
        taper_schedule("diazepam", KNOWLEDGE, dose, days)
    assert caught.value.field == field


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["taper", "--drug", "Xanax", "--dose", "1000", "--unit", "ug", "--days", "60", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["drug_id"] == "alprazolam" and printed["steps"][0] == {"day": 0, "dose": 0.75}
    assert main(["taper", "--drug", "Xanax"]) == 0
    assert "not a medical device" in capsys.readouterr().out
    assert main(["taper", "--drug", "Xanaz"]) == 2
    assert "xanax" in capsys.readouterr().err.lower()
