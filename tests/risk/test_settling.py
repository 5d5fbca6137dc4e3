"""A review gives one instruction per drug and dose, in its interval; rows of one drug leave no hole between them."""

from __future__ import annotations

from typing import Any

import pytest

from polyguard_env.commands.review import as_text, patient_of_drugs
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.schema import SEVERITY_RANK
from polyguard_env.patients.directed import entries_of
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.organs import unchecked_findings
from polyguard_env.risk.review import dosing_findings, graded_findings, review_regimen, rule_index
from polyguard_env.risk.settling import every, neat
from polyguard_env.risk.standins import HIGHEST

KNOWLEDGE = KnowledgeBase.default()
INDEX = rule_index(KNOWLEDGE)
OLD = Patient("p", 80, "F", 60.0, 160.0)


def person_on(text: str, **person: Any) -> Patient:
    return patient_of_drugs(entries_of(text), KNOWLEDGE, person)


def on_dose(text: str, drug: str, **person: Any) -> list[Finding]:
    """Findings of a list that tell the dose of a drug or to stop it; not those that ask to watch."""
    return [
        f for f in review_regimen(person_on(text, **person), KNOWLEDGE).findings
        if f.category == "organ_dosing" and f.drugs == (drug,) and not f.management.startswith("monitor")
    ]  # fmt: skip


def shown(text: str, **person: Any) -> str:
    patient = person_on(text, **person)
    return as_text(review_regimen(patient, KNOWLEDGE), patient, KNOWLEDGE)


@pytest.mark.parametrize(
    ("text", "drug", "egfr"),
    [("dabigatran 150 mg bid", "dabigatran", 12), ("gabapentin 800 mg tid", "gabapentin", 12),
     ("alendronate 70 mg weekly", "alendronate", 12), ("enoxaparin 60 mg q12h", "enoxaparin", 28),
     ("dabigatran", "dabigatran", 29)],
)  # fmt: skip
def test_egfr_alone_stands_in_for_the_clearance_and_says_so(text: str, drug: str, egfr: float) -> None:
    person = person_on(text, measurements={"egfr": egfr}, weight=60.0)
    report = review_regimen(person, KNOWLEDGE)
    assert on_dose(text, drug, measurements={"egfr": egfr}, weight=60.0)
    (told,) = report.warnings
    assert f"eGFR {egfr} mL/min stands in for the creatinine clearance" in told and drug in told
    known = person_on(text, measurements={"egfr": egfr, "crcl": egfr}, weight=60.0)
    assert review_regimen(known, KNOWLEDGE).warnings == ()
    assert [f for f in review_regimen(known, KNOWLEDGE).findings] == list(report.findings)


def test_a_clearance_alone_stands_in_for_the_egfr() -> None:
    assert on_dose("metformin 500 mg daily", "metformin", measurements={"crcl": 20})[0].management.startswith("avoid")
    assert not on_dose("metformin 500 mg daily", "metformin", measurements={"crcl": 80})


def test_nothing_stands_in_for_an_unknown_kidney_a_good_one_or_a_drug_without_rules() -> None:
    for values in ({}, {"egfr": HIGHEST}, {"egfr": 110}):
        person = person_on("dabigatran 150 mg bid; edoxaban 60 mg daily", measurements=values)
        report = review_regimen(person, KNOWLEDGE)
        assert report.warnings == () and not [f for f in report.findings if f.mechanism == "renal"]
    assert review_regimen(person_on("levothyroxine 50 mcg daily", measurements={"egfr": 12}), KNOWLEDGE).warnings == ()


def test_the_environment_takes_no_stand_in() -> None:
    person = person_on("dabigatran 150 mg bid", measurements={"egfr": 12})
    assert not [f for f in graded_findings(person, KNOWLEDGE) if f.mechanism == "renal"]


def organ_grade(kind: str, drug_id: str, dose: float | None, person: Patient, kidney: dict[str, float]) -> int:
    """Grade of the worst finding of one organ, 0 for none."""
    item = RegimenItem(drug_id, dose)
    named = dosing_findings(item, person, kidney, INDEX)
    findings = named + unchecked_findings(person, [item], named, INDEX)
    return max((SEVERITY_RANK[f.severity] + 1 for f in findings if f.mechanism == kind), default=0)


@pytest.mark.parametrize("measures", [("crcl",), ("egfr",), ("crcl", "egfr")])
@pytest.mark.parametrize("dose", [None, 1e6])
def test_the_grade_of_no_drug_falls_with_its_kidney_function(measures: tuple[str, ...], dose: float | None) -> None:
    falls, graded = [], 0
    for drug_id in sorted({rule.drug_id for rule in KNOWLEDGE.rules("renal")}):
        rules = [rule for rule in INDEX.rules("renal", drug_id) if rule.fields["measure"] in measures]
        bounds = {float(rule.fields[name] or 0) for rule in rules for name in ("threshold", "floor")}
        held = 0
        for value in sorted({0.5, *(b - 0.5 for b in bounds), *bounds} - {-0.5, 0.0}, reverse=True):
            if value > HIGHEST:  # a rule on a high clearance (edoxaban) holds no lower down
                continue
            kidney = dict.fromkeys(measures, value)
            grade = organ_grade("renal", drug_id, dose, OLD.changed(measurements=kidney), kidney)
            falls += [(drug_id, value, held, grade)] if grade < held else []
            held, graded = grade, graded + (grade > 0)
    assert falls == [] and graded > 100


@pytest.mark.parametrize("dose", [None, 1e6])
def test_the_grade_of_no_drug_falls_with_its_liver_function(dose: float | None) -> None:
    falls, graded = [], 0
    for drug_id in sorted({rule.drug_id for rule in KNOWLEDGE.rules("hepatic")}):
        grades = [organ_grade("hepatic", drug_id, dose, OLD.changed(child_pugh=g), {}) for g in ("", "A", "B", "C")]
        falls += [(drug_id, grades)] if grades != sorted(grades) else []
        graded += grades[-1] > 0
    assert falls == [] and graded > 100


@pytest.mark.parametrize("text", ["methotrexate 15 mg weekly", "digoxin 0.125 mg daily"])
def test_between_two_measures_is_no_hole(text: str) -> None:
    person = person_on(text, age=75, weight=60.0, measurements={"creatinine": 1.6})
    found = [f for f in review_regimen(person, KNOWLEDGE).findings if f.finding_id.startswith("organ_dosing:renal")]
    assert len(found) == 1
    if text.startswith("methotrexate"):
        assert found[0].management == "avoid" and found[0].severity == "major"


def test_a_weekly_drug_taken_daily_has_no_daily_limit() -> None:
    (finding,) = on_dose("methotrexate 10 mg daily", "methotrexate")
    assert finding.mechanism == "interval" and "3.6" not in shown("methotrexate 10 mg daily")


@pytest.mark.parametrize(
    ("text", "most"),
    [("methotrexate 30 mg weekly", "25 mg every 7 days"), ("alendronate 140 mg weekly", "70 mg every 7 days"),
     ("risedronate 70 mg weekly", "35 mg every 7 days"), ("dulaglutide 9 mg weekly", "4.5 mg every 7 days"),
     ("denosumab 120 mg every 6 months", "60 mg every 6 months"), ("alendronate 20 mg daily", "10 mg a day")],
)  # fmt: skip
def test_a_limit_is_told_in_the_interval_of_the_drug(text: str, most: str) -> None:
    assert f"reduce to at most {most}" in shown(text)
    (finding,) = on_dose(text, text.split()[0])
    assert finding.limit == KNOWLEDGE.drugs[text.split()[0]].profile.dose_max  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("dose", "words"), [(25.2, 25.0), (59.878, 60.0), (4.501, 4.5), (2.4, 2.4), (17.5, 17.5), (120.12, 120.0)]
)
def test_a_dose_of_an_interval_is_one_that_is_dispensed(dose: float, words: float) -> None:
    assert neat(dose) == words


def test_an_interval_in_words() -> None:
    assert [every(d) for d in (7, 28, 91, 182, 365)] == [
        "every 7 days", "every 28 days", "every 3 months", "every 6 months", "every 12 months",
    ]  # fmt: skip
    assert every(75) == "every 75 days"


RENAL = {"age": 85, "weight": 50.0, "measurements": {"creatinine": 2.0}, "conditions": ["atrial_fibrillation"]}
LIVER = {"child_pugh": "C"}


@pytest.mark.parametrize(
    ("text", "person", "limit"),
    [("apixaban 10 mg bid", RENAL, 5.0), ("famotidine 40 mg bid", RENAL, 20.0), ("rosuvastatin 80 mg daily", RENAL, 10),
     ("acetaminophen 1500 mg tid", LIVER, 2000.0), ("simvastatin 80 mg daily", LIVER, None),
     ("tramadol 100 mg q4h", LIVER, None)],
)  # fmt: skip
def test_several_limits_are_one_the_strictest_with_the_highest_grade(
    text: str, person: dict[str, Any], limit: float | None
) -> None:
    drug = text.split()[0]
    (finding,) = on_dose(text, drug, **person)
    assert finding.limit == limit and finding.management.startswith("avoid") is (limit is None)
    rules = [
        f for f in graded_findings(person_on(text, **person), KNOWLEDGE)
        if f.category == "organ_dosing" and f.drugs == (drug,)
    ]  # fmt: skip
    assert rules and SEVERITY_RANK[finding.severity] >= max(SEVERITY_RANK[f.severity] for f in rules)
    assert {name for f in rules for name in f.evidence_ids} <= set(finding.evidence_ids)


def test_one_limit_is_asked_for_a_dose_that_is_not_known() -> None:
    (finding,) = on_dose("apixaban", "apixaban", **RENAL)
    assert "at most 5 mg" in finding.management and finding.limit is None


@pytest.mark.parametrize(
    ("text", "severity"),
    [("metoprolol tartrate 50 mg bid; metoprolol succinate 50 mg daily; Toprol XL 100 mg daily", "major"),
     ("metoprolol tartrate 50 mg bid; Toprol XL 100 mg daily", "moderate"),
     ("metoprolol succinate 50 mg daily; Toprol XL 100 mg daily", "major")],
)  # fmt: skip
def test_the_worst_pair_of_entries_grades_an_ingredient(text: str, severity: str) -> None:
    found = {f.finding_id: f for f in review_regimen(person_on(text), KNOWLEDGE).findings}
    assert found["duplication:metoprolol"].severity == severity


def test_an_anticholinergic_burden_of_score_one_alone_is_to_be_watched() -> None:
    mild = "digoxin 0.125 mg daily; furosemide 40 mg daily; metoprolol 25 mg bid; warfarin 5 mg daily"
    found = {f.finding_id: f for f in review_regimen(person_on(mild), KNOWLEDGE).findings}["burden:acb"]
    assert found.severity == "minor" and found.management.startswith("monitor: ") and "score 4" in found.management
    graded = {f.finding_id: f for f in graded_findings(person_on(mild), KNOWLEDGE)}["burden:acb"]
    assert (graded.severity, graded.management) == ("moderate", "avoid")
    strong = {f.finding_id: f for f in review_regimen(person_on(f"{mild}; oxybutynin 5 mg bid"), KNOWLEDGE).findings}
    assert (strong["burden:acb"].severity, strong["burden:acb"].management) == ("moderate", "avoid")
