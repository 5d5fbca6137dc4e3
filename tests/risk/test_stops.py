"""Stops: who is warned of what, and that silence is never leave to stop."""

from __future__ import annotations

import pytest

from polyguard_env.__main__ import main
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.rules import Selector
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.risk.stops import plain_stop, stop_warnings
from polyguard_env.risk.taper import taper_schedule

KNOWLEDGE = KnowledgeBase.default()


@pytest.mark.parametrize(
    ("drug", "word"),
    [
        ("denosumab", "vertebral fractures"), ("insulin_glargine", "ketoacidosis"), ("apixaban", "stroke or clots"),
        ("ticagrelor", "stent thrombosis"), ("clopidogrel", "stent thrombosis"), ("entecavir", "flare of hepatitis B"),
        ("tenofovir_alafenamide", "flare of hepatitis B"), ("lamivudine", "resistance"),
        ("fingolimod", "return of disease"),
        ("natalizumab", "rebound"), ("sodium_oxybate", "withdrawal"), ("chloral_hydrate", "seizures"),
        ("propranolol", "heart attack"), ("tacrolimus", "rejection"), ("levetiracetam", "status epilepticus"),
        ("ruxolitinib", "symptoms return"), ("levothyroxine", "myxoedema"), ("hydrocortisone", "adrenal crisis"),
        ("digoxin", "heart failure"), ("atorvastatin", "heart attack"), ("desmopressin", "dehydration"),
        ("epoprostenol", "rebound pulmonary hypertension"),
    ],
)  # fmt: skip
def test_what_a_stop_risks(drug: str, word: str) -> None:
    warnings = taper_schedule(drug, KNOWLEDGE, 1.0, 0 if drug == "hydrocortisone" else 800).stops
    assert any(word in warning.risk for warning in warnings), warnings


def test_every_warning_reaches_a_drug_and_boxes_are_told_first() -> None:
    selector = Selector(KNOWLEDGE.drugs)
    for table in ("stop_warnings", "stop_plain"):
        for row in read_fragments(table):
            for term in row["target"].split(";"):
                assert selector.select(term, table), f"{table}: {term}"
    first = stop_warnings(KNOWLEDGE.drugs["ticagrelor"])
    assert [w.boxed for w in first] == sorted((w.boxed for w in first), reverse=True) and first[0].boxed


def test_no_drug_with_a_warning_or_a_rule_may_be_stopped_plainly() -> None:
    tapered = {rule.drug_id for rule in KNOWLEDGE.rules("taper")}
    plain = {name for name, drug in KNOWLEDGE.drugs.items() if plain_stop(drug)}
    assert "suvorexant" in plain
    assert not [name for name in plain if name in tapered or stop_warnings(KNOWLEDGE.drugs[name])]


def test_command_tells_the_warnings_and_the_interval(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["taper", "--drug", "denosumab", "--days", "800"]) == 0
    shown = capsys.readouterr().out
    assert "60 mg every 6 months" in shown and "vertebral fractures" in shown and "ects_denosumab2021 2021" in shown
    assert "0.329" not in shown and "does not mean that it may be stopped at once" in shown
