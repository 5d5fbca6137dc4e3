"""A stage of kidney disease stands in for a kidney function that nobody told, and says so."""

from __future__ import annotations

import pytest

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.schema import SEVERITY_RANK
from polyguard_env.patients.kidney_stages import kidney_stages, stage_of
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.patients.reading import patient_from
from polyguard_env.risk.findings import Finding, RiskReport
from polyguard_env.risk.organs import MILDER
from polyguard_env.risk.review import graded_findings, review_regimen, rule_index

KNOWLEDGE = KnowledgeBase.default()
INDEX = rule_index(KNOWLEDGE)
STAGES = tuple(kidney_stages().values())
OLD = Patient("p", 80, "F", 60.0, 160.0)


def told(drug: str, *conditions: str, measurements: dict[str, float] | None = None) -> RiskReport:
    data = {
        "age": 80, "sex": "F", "weight": 60, "height": 160, "regimen": [drug], "conditions": list(conditions),
        "measurements": measurements or {},
    }  # fmt: skip
    return review_regimen(patient_from(data, KNOWLEDGE), KNOWLEDGE)


def on_dose(report: RiskReport) -> Finding | None:
    return next((found for found in report.findings if found.category == "organ_dosing"), None)


@pytest.mark.parametrize("written", ["CKD stage 4", "N18.4", "stage IV chronic kidney disease", "CKD G4"])
def test_a_stage_gives_the_findings_of_its_kidneys(written: str) -> None:
    report = told("metformin 1000 mg bid", written)
    found = on_dose(report)
    assert found is not None and (found.severity, found.management) == ("contraindicated", "avoid")
    assert any("CKD stage 4" in text and "15 to 29" in text and "metformin" in text for text in report.warnings)
    assert {"ckd", "ckd_g4"} == {c for c in patient_conditions(written)}


def patient_conditions(written: str) -> tuple[str, ...]:
    data = {"age": 80, "sex": "F", "weight": 60, "height": 160, "conditions": [written]}
    return patient_from(data, KNOWLEDGE).conditions


def test_a_limit_within_the_stage_may_apply_and_is_milder() -> None:
    found = on_dose(told("metformin 1000 mg bid", "CKD 3"))
    assert found is not None and found.severity == "minor"
    assert "may apply, below eGFR 45 mL/min at most 1000 mg a day" in found.management
    whole = on_dose(told("metformin 1000 mg bid", "CKD 3b"))
    assert whole is not None and whole.severity == "moderate" and whole.limit == 1000.0
    none = on_dose(told("metformin 1000 mg bid", "CKD 3a"))
    assert none is None or "may apply" not in none.management


def test_a_measured_kidney_function_takes_the_place_of_the_stage() -> None:
    for measurements in ({"egfr": 40.0}, {"creatinine": 1.1}, {"crcl": 45.0}):
        report = told("metformin 500 mg bid", "CKD 4", measurements=measurements)
        assert not any("stands in for the kidney function" in text for text in report.warnings)
        found = on_dose(report)
        assert found is None or found.management != "avoid"


@pytest.mark.parametrize(
    ("stage", "egfr", "far"),
    [("CKD 4", 60, True), ("CKD 4", 45, False), ("CKD 3a", 12, True), ("CKD 3a", 35, False), ("dialysis", 70, True),
     ("CKD 5", 20, False), ("CKD 3", 95, True)],
)  # fmt: skip
def test_a_stage_far_from_the_measured_value_is_noted(stage: str, egfr: float, far: bool) -> None:
    report = told("metformin 500 mg bid", stage, measurements={"egfr": egfr})
    assert any("contradicts eGFR" in text and f"{egfr:g} mL/min" in text for text in report.warnings) == far


def test_the_highest_and_narrowest_stage_counts() -> None:
    assert stage_of(("ckd", "ckd_g3", "ckd_g3a")) == kidney_stages()["ckd_g3a"]
    assert stage_of(("ckd_g3b", "ckd_g4")) == kidney_stages()["ckd_g4"]
    assert stage_of(("ckd", "diabetes")) is None


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.condition_id)
def test_what_holds_at_both_ends_holds_for_the_stage_and_nothing_is_worse_than_at_the_lower(stage) -> None:
    """All drugs with a kidney rule, dose unknown: the stage's finding lies between those of its two ends."""
    for drug_id in sorted({rule.drug_id for rule in KNOWLEDGE.rules("renal")}):
        person = OLD.changed(regimen=(RegimenItem(drug_id),))
        ranks = []
        for value in (stage.high, stage.low):
            ends = person.changed(measurements={"egfr": value, "crcl": value})
            found = on_dose(review_regimen(ends, KNOWLEDGE))
            ranks.append(SEVERITY_RANK[found.severity] if found else -1)
        found = on_dose(review_regimen(person.changed(conditions=(stage.condition_id,)), KNOWLEDGE))
        rank = SEVERITY_RANK[found.severity] if found else -1
        assert rank >= ranks[0], drug_id
        if ranks[0] < 0 and found is not None:
            rules = [r for r in INDEX.rules("renal", drug_id) if r.rule_id in found.evidence_ids]
            assert found.management.startswith("monitor: a limit may apply"), drug_id
            assert found.severity == MILDER[rules[0].severity], drug_id


def test_the_environments_findings_do_not_know_stages() -> None:
    person = OLD.changed(conditions=("ckd_g4",), regimen=(RegimenItem("metformin", 2000.0), RegimenItem("dabigatran")))
    kinds = {found.category for found in graded_findings(person, KNOWLEDGE)}
    assert "organ_dosing" not in kinds
    assert "organ_dosing" in {found.category for found in review_regimen(person, KNOWLEDGE).findings}
