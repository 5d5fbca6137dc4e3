"""Conditions that only the review knows: each rule fires, none reaches the environment."""

from __future__ import annotations

import pytest

from polyguard_env.engine.vocabularies import conditions_of
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.rules import Selector
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.condition_names import reviewed_only
from polyguard_env.patients.kidney_stages import kidney_stages
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.patients.reading import patient_from
from polyguard_env.risk.review import graded_findings, review_regimen

KNOWLEDGE = KnowledgeBase.default()
OLD = Patient("p", 80, "F", 60.0, 160.0)
ROWS = read_fragments("review_drug_disease")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["rule_id"])
def test_every_rule_is_the_evidence_of_a_finding_of_each_part_of_its_target(row: dict[str, str]) -> None:
    for part in row["target"].split(";"):
        drugs = Selector(KNOWLEDGE.drugs).select(part, row["rule_id"])
        fired = []
        for drug_id in sorted(drugs)[:5]:
            person = OLD.changed(conditions=(row["condition"],), regimen=(RegimenItem(drug_id),))
            found = {f.finding_id: f for f in review_regimen(person, KNOWLEDGE).findings}
            finding = found.get(f"drug_disease:{drug_id}+{row['condition']}")
            if finding is not None and row["rule_id"] in finding.evidence_ids:
                assert finding.severity == row["severity"] and row["source"] in finding.evidence_ids
                fired.append(drug_id)
            assert not any(row["rule_id"] in f.evidence_ids for f in graded_findings(person, KNOWLEDGE))
        assert fired, part


def test_a_drug_for_the_condition_itself_is_no_finding() -> None:
    person = OLD.changed(
        conditions=("post_traumatic_stress",), regimen=(RegimenItem("lorazepam", 1.0, "post_traumatic_stress"),)
    )
    assert "drug_disease:lorazepam+post_traumatic_stress" not in {
        f.finding_id for f in review_regimen(person, KNOWLEDGE).findings
    }


def test_the_environment_does_not_know_them() -> None:
    assert reviewed_only().isdisjoint(conditions_of(KNOWLEDGE))
    assert set(kidney_stages()) - {"dialysis"} <= reviewed_only()
    modelled = {(rule.drug_id, rule.fields["condition"]) for rule in KNOWLEDGE.rules("drug_disease")}
    select = Selector(KNOWLEDGE.drugs).select
    twice = {(d, row["condition"]) for row in ROWS for d in select(row["target"], row["rule_id"])} & modelled
    assert twice == set()
    assert reviewed_only().isdisjoint(rule.fields["condition"] for rule in KNOWLEDGE.rules("drug_disease"))


@pytest.mark.parametrize(
    ("condition", "drug", "severity"),
    [
        ("type 1 diabetes", "glipizide", "contraindicated"), ("E10.9", "empagliflozin", "major"),
        ("PTSD", "lorazepam", "moderate"), ("NASH", "methotrexate", "major"), ("K75.81", "amiodarone", "moderate"),
        ("MCI", "oxybutynin", "major"), ("factor V Leiden", "estradiol", "contraindicated"),
        ("cataracts", "tamsulosin", "moderate"),
        ("hepatic encephalopathy", "omeprazole", "moderate"), ("ascites", "ibuprofen", "major"),
    ],
)  # fmt: skip
def test_names_and_codes_reach_the_rules(condition: str, drug: str, severity: str) -> None:
    data = {"age": 80, "sex": "F", "weight": 60, "height": 160, "conditions": [condition], "regimen": [drug]}
    patient = patient_from(data, KNOWLEDGE)
    found = {f.finding_id: f.severity for f in review_regimen(patient, KNOWLEDGE).findings}
    assert found[f"drug_disease:{drug}+{patient.conditions[0]}"] == severity
