"""Dose directions of real lists: each line of `directions.csv` gives this daily dose, or none and why."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.directed import directed_items, entries_of
from polyguard_env.patients.directions import directions
from polyguard_env.patients.named import named_drugs

WEIGHT = 70.0
ROWS = [tuple(row) for row in csv.reader(Path(__file__).with_name("directions.csv").open(encoding="utf-8"))][1:]


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return KnowledgeBase.default()


def test_there_are_enough_directions() -> None:
    assert len({row[0] for row in ROWS}) == len(ROWS) >= 200


@pytest.mark.parametrize(("line", "doses", "as_needed", "note"), ROWS, ids=[row[0] for row in ROWS])
def test_a_line_gives_its_daily_dose(
    knowledge: KnowledgeBase, line: str, doses: str, as_needed: str, note: str
) -> None:
    if doses == "?":
        with pytest.raises(PolyGuardError, match="check the spelling"):
            named_drugs(line, knowledge, "drugs[0]")
        return
    wanted = dict(part.split("=") for part in doses.split(";"))
    items = directed_items(line, 0, knowledge, "drugs[0]", WEIGHT)
    assert {item.drug_id for item in items} == set(wanted)
    for item in items:
        dose = wanted[item.drug_id]
        assert item.dose is None if dose == "?" else item.dose == pytest.approx(float(dose), rel=1e-5), item.note
    assert directions(line, len(items)).as_needed == (as_needed == "yes")
    told = " ".join(item.note for item in items)
    assert note in told


def test_what_is_not_a_name_stays_with_its_entry() -> None:
    text = "warfarin 5 mg daily, Lantus 20 units, at bedtime; metformin 1,000 mg bid\nTylenol 500 mg q6h, prn"
    assert entries_of(text) == [
        "warfarin 5 mg daily", "Lantus 20 units, at bedtime", "metformin 1,000 mg bid", "Tylenol 500 mg q6h, prn",
    ]  # fmt: skip
    assert entries_of("Coumadin,Advil,,omeprazole;") == ["Coumadin", "Advil", "omeprazole"]


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("warfarin 5000 mg daily", "refused as a slip"), ("warfarin 0 mg daily", "dose of 0 is none"),
        ("warfarin 5 mg every 0 hours", "no interval"), ("warfarin 5 mg 100 times a day", "more than 48 times a day"),
        ("warfarinn 5 mg daily", "known names near it: warfarin"), ("warfarin 5 mg q5min", "more than 48 times a day"),
    ],
)  # fmt: skip
def test_an_absurd_line_is_an_error_that_names_it(knowledge: KnowledgeBase, line: str, fix: str) -> None:
    with pytest.raises(PolyGuardError, match=fix) as error:
        directed_items(line, 3, knowledge, "drugs[3]", WEIGHT)
    assert error.value.field.startswith("drugs[3]")


@pytest.mark.parametrize(
    ("line", "interval"),
    [("methotrexate 15 mg weekly", 7.0), ("methotrexate 2.5 mg daily", 1.0), ("warfarin 5 mg bid", 0.5),
     ("warfarin 5 mg", 0.0), ("prednisone 5 mg qod", 2.0), ("lisinopril 10 mg daily then stop", 0.0)],
)  # fmt: skip
def test_days_between_two_doses(knowledge: KnowledgeBase, line: str, interval: float) -> None:
    (item,) = directed_items(line, 0, knowledge, "drugs[0]")
    assert item.interval == interval


@pytest.mark.parametrize(
    ("line", "route", "form"),
    [("furosemide 40 mg 1 tab PO BID", "oral", "tablet"), ("enoxaparin 40 mg sc daily", "sc", ""),
     ("nitroglycerin 0.4 mg sublingual prn", "sublingual", ""), ("albuterol 2 puffs q4h", "", "puff"),
     ("fentanyl patch 25 mcg/h q72h", "", "patch")],
)  # fmt: skip
def test_route_and_form(line: str, route: str, form: str) -> None:
    found = directions(line)
    assert (found.route, found.form) == (route, form)


def test_a_weight_is_needed_for_a_dose_per_kg(knowledge: KnowledgeBase) -> None:
    (item,) = directed_items("enoxaparin 1 mg/kg bid", 0, knowledge, "drugs[0]", None)
    assert item.dose is None and "no weight" in item.note


def test_no_text_breaks_the_reader(knowledge: KnowledgeBase) -> None:
    from hypothesis import given, settings
    from hypothesis import strategies as some

    words = some.sampled_from([*(word for row in ROWS for word in row[0].split()), "0", "-", "/", "x", "½", "(", "max"])

    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(some.lists(words, max_size=8))
    def read(tail: list[str]) -> None:
        try:
            line = " ".join(["warfarin", *tail])
            items = directed_items(line, 0, knowledge, "drugs[0]", WEIGHT, drugs=("warfarin",))
        except PolyGuardError:
            return
        assert all(item.dose is None or 0 < item.dose <= 100 * most(item.drug_id) for item in items)

    def most(drug_id: str) -> float:
        profile: Any = knowledge.drugs[drug_id].profile
        return float(profile.dose_max)

    read()
