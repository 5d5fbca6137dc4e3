"""Ingredients first approved since 2010, with their brands, and what their labels say of other drugs.

`recent_approvals.csv` was written from knowledge of the FDA's yearly lists of novel drugs, CBER's approvals and
the EMA's new active substances; a few ingredients are approved elsewhere only.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.formulary import split

APPROVED = Path(__file__).with_name("recent_approvals.csv")


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return KnowledgeBase.default()


@pytest.fixture(scope="module")
def approvals() -> list[dict[str, str]]:
    with APPROVED.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_every_recent_ingredient_resolves_by_name_and_brand(
    knowledge: KnowledgeBase, approvals: list[dict[str, str]]
) -> None:
    assert len(approvals) >= 850
    told = [(name, row["drug_id"]) for row in approvals for name in (row["generic"], *split(row["brands"]))]
    wrong = {name: found for name, drug_id in told if (found := knowledge.resolve(name)) != drug_id}
    assert wrong == {}


def test_each_year_since_2010_has_its_approvals(approvals: list[dict[str, str]]) -> None:
    by_year = {year: sum(int(row["year"]) == year for row in approvals) for year in range(2010, 2026)}
    assert min(by_year.values()) >= 15


@pytest.mark.parametrize(
    ("brand", "ingredients"),
    [
        ("Alyftrek", {"vanzacaftor", "tezacaftor", "deutivacaftor"}), ("Exblifep", {"cefepime", "enmetazobactam"}),
        ("Cobenfy", {"xanomeline", "trospium"}), ("Opdualag", {"nivolumab", "relatlimab"}),
        ("Orlynvah", {"sulopenem", "probenecid"}), ("Widaplik", {"amlodipine", "telmisartan", "indapamide"}),
        ("Inqovi", {"decitabine", "cedazuridine"}), ("Xacduro", {"sulbactam", "durlobactam"}),
    ],
)  # fmt: skip
def test_recent_combination_products(knowledge: KnowledgeBase, brand: str, ingredients: set[str]) -> None:
    assert set(knowledge.resolve_all(brand)) == ingredients


@pytest.mark.parametrize(
    ("a", "b", "severity"),
    [
        ("daprodustat", "gemfibrozil", "contraindicated"), ("vadadustat", "rosuvastatin", "major"),
        ("iptacopan", "gemfibrozil", "major"), ("futibatinib", "itraconazole", "major"),
        ("lazertinib", "rifampin", "major"), ("fruquintinib", "phenytoin", "major"),
        ("nirogacestat", "omeprazole", "major"), ("revumenib", "amiodarone", "major"),
        ("mavorixafor", "thioridazine", "contraindicated"), ("tildrakizumab", "bcg_vaccine", "contraindicated"),
        ("mirikizumab", "yellow_fever_vaccine", "contraindicated"), ("ritlecitinib", "tizanidine", "major"),
        ("ensitrelvir", "simvastatin", "contraindicated"), ("sulopenem", "valproic_acid", "major"),
        ("vanzacaftor", "clarithromycin", "major"), ("efgartigimod_alfa", "bcg_vaccine", "major"),
    ],
)  # fmt: skip
def test_label_interactions_of_recent_ingredients(knowledge: KnowledgeBase, a: str, b: str, severity: str) -> None:
    edge = knowledge.interaction(a, b)
    assert edge is not None
    assert edge.severity == severity


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("daprodustat", "amlodipine"), ("iptacopan", "metformin"), ("lazertinib", "lisinopril"),
        ("fruquintinib", "levothyroxine"), ("tildrakizumab", "metformin"), ("olezarsen", "atorvastatin"),
        ("acoramidis", "furosemide"), ("brensocatib", "tiotropium"), ("nirsevimab", "acetaminophen"),
    ],
)  # fmt: skip
def test_no_alert_where_labels_report_none(knowledge: KnowledgeBase, a: str, b: str) -> None:
    assert knowledge.interaction(a, b) is None
