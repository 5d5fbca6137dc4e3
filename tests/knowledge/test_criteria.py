"""Every published criterion: its rules exist, and a person who meets it gets the finding."""

from __future__ import annotations

import csv
from functools import cache

import pytest

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.criteria import MISSING, PARTLY, Criterion, coverage, criteria
from polyguard_env.knowledge.rules import Selector
from polyguard_env.knowledge.tabular import read_fragments, tables_folder
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.review import review_regimen
from polyguard_env.risk.taper import taper_schedule

KNOWLEDGE = KnowledgeBase.default()
MET = [criterion for criterion in criteria() if criterion.rules]
COUNTS = {"STOPP": 133, "START": 57, "BEERS": 122, "BOXED": 30}


@cache
def rule_ids() -> frozenset[str]:
    found = set()
    for path in (tables_folder() / "rules").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as handle:
            found |= {row["rule_id"] for row in csv.DictReader(handle)}
    return frozenset(found)


@cache
def pair_rules() -> dict[str, dict[str, str]]:
    return {row["rule_id"]: row for row in read_fragments("rules/interactions")}


def person(criterion: Criterion, conditions: tuple[str, ...] | None = None) -> Patient:
    """Someone who meets the criterion."""
    measures = {name: float(value) for name, value in criterion.measures.items() if name != "child_pugh"}
    return Patient(
        "p", 80, "F", 70.0, 165.0, criterion.conditions if conditions is None else conditions, measures,
        child_pugh=criterion.measures.get("child_pugh", ""),
        regimen=tuple(RegimenItem(drug, dose, indication) for drug, indication, dose in criterion.drugs),
    )  # fmt: skip


def carried_by(rule: str, findings: tuple[Finding, ...], criterion: Criterion) -> bool:
    """Whether a finding rests on a rule."""
    drugs = [drug for drug, _, _ in criterion.drugs]
    if rule.startswith("interaction:"):
        return any(finding.finding_id == rule for finding in findings)
    if rule.startswith("profile:"):
        return any(rule in finding.evidence_ids for finding in findings)
    if rule in pair_rules():
        row, selector = pair_rules()[rule], Selector(KNOWLEDGE.drugs)
        sides = selector.select(row["side_a"], rule), selector.select(row["side_b"], rule)
        pairs = {tuple(sorted((a, b))) for a in drugs for b in drugs if a in sides[0] and b in sides[1] and a != b}
        wanted = {f"interaction:{a}+{b}" for a, b in pairs}
        return any(finding.finding_id in wanted and row["source"] in finding.evidence_ids for finding in findings)
    if rule.startswith("taper"):
        return any(taper_schedule(drug, KNOWLEDGE).rule_id == rule for drug in drugs)
    return any(rule in finding.evidence_ids for finding in findings)


def test_the_lists_are_whole() -> None:
    found = {name: sum(counts.values()) for name, counts in coverage().items()}
    assert found == COUNTS
    ids = [criterion.criterion for criterion in criteria()]
    assert len(ids) == len(set(ids))
    for letter, last in zip("ABCDEFGHIJKLM", (3, 21, 16, 25, 10, 8, 4, 9, 8, 10, 12, 6, 1), strict=True):
        assert sum(criterion.section == f"STOPP-{letter}" for criterion in criteria()) == last, letter


@pytest.mark.parametrize("criterion", MET, ids=lambda criterion: criterion.criterion)
def test_a_person_who_meets_it_gets_the_finding(criterion: Criterion) -> None:
    findings = review_regimen(person(criterion), KNOWLEDGE).findings
    for rule in criterion.rules:
        assert rule in rule_ids() or rule.partition(":")[0] in ("interaction", "profile"), rule
        assert carried_by(rule, findings, criterion), f"{rule}: {[f.finding_id for f in findings]}"


@pytest.mark.parametrize("criterion", MET, ids=lambda criterion: criterion.criterion)
def test_without_the_condition_the_finding_is_gone(criterion: Criterion) -> None:
    """Rules on a condition do not fire without it."""
    findings = review_regimen(person(criterion, ()), KNOWLEDGE).findings
    held = {rule for finding in findings for rule in finding.evidence_ids if finding.category == "drug_disease"}
    assert not held & set(criterion.rules)
    assert not any(finding.category == "omission" for finding in findings)


def test_what_is_not_expressed_gives_its_reason() -> None:
    for criterion in criteria():
        if criterion.status in (MISSING, PARTLY):
            assert len(criterion.gap) > 15, criterion.criterion


def test_the_page_tells_the_shares() -> None:
    page = (tables_folder().parents[2] / "docs" / "knowledge.md").read_text(encoding="utf-8")
    names = {"STOPP": "STOPP 3", "START": "START 3", "BEERS": "Beers 2023", "BOXED": "boxed warnings"}
    for key, counts in coverage().items():
        numbers = " | ".join(str(counts[status]) for status in ("expressed", "partly", "missing"))
        assert f"| {names[key]} | {sum(counts.values())} | {numbers} |" in page, f"{key}: {numbers}"
