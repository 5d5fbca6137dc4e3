"""Kidney and liver rules that only ask to watch or give no limit, doses by several things at once, measured values."""

from __future__ import annotations

from dataclasses import replace

import pytest

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.schema import Rule
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.patients.reading import patient_from
from polyguard_env.risk.composites import composite_rows
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.levels import critical_rows, implied_rows
from polyguard_env.risk.review import find_all, graded_findings, review_regimen, rule_index

KNOWLEDGE = KnowledgeBase.default()
INDEX = rule_index(KNOWLEDGE)
OLD = Patient("p", 80, "F", 60.0, 160.0)


def found(person: Patient) -> dict[str, Finding]:
    return {finding.finding_id: finding for finding in review_regimen(person, KNOWLEDGE).findings}


def taking(*drugs: str | tuple[str, float], **fields: object) -> Patient:
    items = tuple(RegimenItem(d) if isinstance(d, str) else RegimenItem(*d) for d in drugs)
    return OLD.changed(regimen=items, **fields)


def made_for(rule: Rule) -> list[Patient]:
    """People whose organ is within the rule and whose dose is unknown, above the rule's limit, or one unit."""
    if rule.kind == "hepatic":
        person = OLD.changed(child_pugh=rule.fields["child_pugh"])
    else:
        low, high = float(rule.fields["floor"] or 0), float(rule.fields["threshold"])
        value = max(low, min(high - 0.5, 160.0))
        person = OLD.changed(measurements={rule.fields["measure"]: value})
    limit = float(rule.fields["max_dose"] or 0)
    doses = (None, limit * 1.01 if limit else 1.0, 1e-9)
    return [person.changed(regimen=(RegimenItem(rule.drug_id, dose),)) for dose in doses]


@pytest.mark.parametrize("kind", ["renal", "hepatic"])
def test_every_rule_on_an_organ_can_fire(kind: str) -> None:
    silent = [
        (rule.rule_id, rule.drug_id)
        for rule in KNOWLEDGE.rules(kind)
        if not any(f"organ_dosing:{kind}:{rule.drug_id}" in found(person) for person in made_for(rule))
    ]
    assert silent == []


@pytest.mark.parametrize("kind", ["renal", "hepatic"])
def test_every_row_is_the_evidence_of_a_finding(kind: str) -> None:
    """A row is named for some drug and person, unless a stricter row of its drug holds wherever it does."""
    rows: dict[str, list[Rule]] = {}
    for rule in KNOWLEDGE.rules(kind):
        rows.setdefault(rule.rule_id, []).append(rule)
    unnamed = [
        name
        for name, rules in rows.items()
        if not any(
            name in finding.evidence_ids
            for rule in rules
            for person in made_for(rule)
            for finding in review_regimen(person, KNOWLEDGE).findings
        )
    ]
    print(kind, len(rows), "rows, outdone:", unnamed)
    assert len(unnamed) < 0.1 * len(rows)


@pytest.mark.parametrize(
    ("drug", "dose"), [("enoxaparin", 120.0), ("gentamicin", 300.0), ("vancomycin", 2000.0), ("gabapentin", None),
                       ("pregabalin", None), ("famotidine", None), ("levetiracetam", None), ("colchicine", None),
                       ("digoxin", None), ("allopurinol", None)],
)  # fmt: skip
def test_a_failing_kidney_is_named_for_what_it_excretes(drug: str, dose: float | None) -> None:
    person = taking((drug, dose), measurements={"crcl": 15.0, "creatinine": 4.0})  # type: ignore[arg-type]
    (finding,) = [f for f in found(person).values() if f.category == "organ_dosing" and f.mechanism != "maximum"]
    assert finding.management.partition(":")[0] in ("avoid", "reduce", "monitor") and len(finding.management) > 5
    assert any(name.startswith("renal") for name in finding.evidence_ids)
    healthy = taking((drug, dose), measurements={"crcl": 100.0, "egfr": 90.0})  # type: ignore[arg-type]
    assert f"organ_dosing:renal:{drug}" not in found(healthy)


@pytest.mark.parametrize("drug", ["buprenorphine", "fentanyl", "warfarin", "oxycodone"])
def test_a_failing_liver_is_named(drug: str) -> None:
    grade = "C" if drug == "buprenorphine" else "B"
    assert f"organ_dosing:hepatic:{drug}" in found(taking(drug, child_pugh=grade))
    assert f"organ_dosing:hepatic:{drug}" not in found(taking(drug))


def test_a_dose_within_its_limit_is_no_finding_and_an_unknown_one_is_to_be_checked() -> None:
    kidney = {"measurements": {"crcl": 25.0, "egfr": 28.0}}
    assert "organ_dosing:renal:memantine" not in found(taking(("memantine", 10.0), **kidney))
    asked = found(taking("memantine", **kidney))["organ_dosing:renal:memantine"]
    assert "at most 10 mg a day" in asked.management and asked.severity == "minor"
    assert found(taking(("memantine", 20.0), **kidney))["organ_dosing:renal:memantine"].severity == "moderate"


@pytest.mark.parametrize(
    ("age", "weight", "creatinine", "dose", "fires"),
    [(85, 55, 1.6, 10, True), (85, 80, 1.6, 10, True), (70, 55, 1.6, 10, True), (85, 55, 1.0, 10, True),
     (85, 80, 1.0, 10, False), (70, 55, 1.0, 10, False), (70, 80, 1.6, 10, False), (85, 55, 1.6, 5, False),
     (80, 60, 1.0, 10, True), (79, 60, 1.4, 10, False)],
)  # fmt: skip
def test_apixaban_takes_two_of_three(age: int, weight: float, creatinine: float, dose: float, fires: bool) -> None:
    person = replace(
        taking(("apixaban", dose), measurements={"creatinine": creatinine}, conditions=("atrial_fibrillation",)),
        age=age, weight=weight,
    )  # fmt: skip
    assert ("organ_dosing:composite:apixaban" in found(person)) is fires
    clot = person.changed(conditions=("venous_thromboembolism",))
    assert "organ_dosing:composite:apixaban" not in found(clot)


def test_the_finding_on_apixaban_says_which_two_and_the_dose() -> None:
    person = taking("apixaban", conditions=("atrial_fibrillation",))
    finding = found(person)["organ_dosing:composite:apixaban"]
    assert "age 80" in finding.management and "weight 60" in finding.management and finding.severity == "moderate"
    finding = found(taking(("apixaban", 10.0), conditions=("atrial_fibrillation",)))["organ_dosing:composite:apixaban"]
    assert (finding.limit, finding.severity) == (5.0, "major") and "fda_label" in finding.evidence_ids


@pytest.mark.parametrize("rule_id", [row["rule_id"] for rows in composite_rows().values() for row in rows])
def test_every_composite_row_limits_its_dose(rule_id: str) -> None:
    """Someone in whom all of a row's conditions hold, at the tenfold dose, has a limit as strict as the row's."""
    drug_id, row = next((d, r) for d, rows in composite_rows().items() for r in rows if r["rule_id"] == rule_id)
    indication = row["indication"].split(";")[0]
    person = replace(
        taking((drug_id, 1e6), measurements={"creatinine": 3.0, "crcl": 21.0, "egfr": 21.0}), age=90, weight=45.0,
        conditions=(indication,) if indication else (),
    )  # fmt: skip
    limits = [f for f in review_regimen(person, KNOWLEDGE).findings if f.category == "organ_dosing"]
    most = float(row["limit"] or 0) or float(row["limit_per_kg"] or 0) * 45 or float(row["limit_per_crcl"]) * 21
    assert any(f.management.startswith("avoid") or (f.limit is not None and f.limit <= most * 1.01) for f in limits)


@pytest.mark.parametrize(
    ("drug", "values", "least"),
    [("warfarin", {"inr": 6.5, "haemoglobin": 7.0}, "major"), ("digoxin", {"digoxin_level": 3.0}, "major"),
     ("lithium", {"lithium_level": 2.1}, "contraindicated"), ("sertraline", {"sodium": 124.0}, "major"),
     ("hydrochlorothiazide", {"sodium": 124.0}, "major"), ("glyburide", {"glucose": 2.5}, "major"),
     ("citalopram", {"qtc": 520.0}, "major"), ("metoprolol", {"heart_rate": 42.0}, "major"),
     ("spironolactone", {"potassium": 5.8}, "major"), ("spironolactone", {"potassium": 6.4}, "contraindicated"),
     ("lisinopril", {"potassium": 5.8}, "major"), ("lisinopril", {"potassium": 6.4}, "contraindicated"),
     ("amlodipine", {"systolic_bp": 85.0}, "major"), ("apixaban", {"platelets": 30.0}, "major"),
     ("clozapine", {"neutrophils": 0.8}, "major"), ("methotrexate", {"neutrophils": 0.8}, "major"),
     ("atorvastatin", {"ck": 3000.0}, "major"), ("atorvastatin", {"alt": 150.0}, "moderate"),
     ("methotrexate", {"alt": 150.0}, "major"), ("levothyroxine", {"tsh": 0.02}, "major"),
     ("donepezil", {"heart_rate": 38.0}, "contraindicated"), ("epoetin_alfa", {"haemoglobin": 12.5}, "major"),
     ("verapamil", {"ejection_fraction": 30.0}, "major"), ("ibuprofen", {"systolic_bp": 190.0}, "major")],
)  # fmt: skip
def test_a_toxic_value_is_named_and_a_normal_one_is_not(drug: str, values: dict[str, float], least: str) -> None:
    person = patient_from(
        {"age": 80, "sex": "F", "weight": 60, "height": 160, "regimen": [drug], "measurements": values}, KNOWLEDGE
    )
    grades = ["minor", "moderate", "major", "contraindicated"]
    for name in values:
        on_it = [f for f in review_regimen(person, KNOWLEDGE).findings if f.measurement == name and drug in f.drugs]
        (finding,) = [f for f in on_it if "missing" not in f.mechanism]
        assert grades.index(finding.severity) >= grades.index(least)
        assert f"{values[name]:.3g}" in finding.management
    normal = {
        "inr": 2.5,
        "haemoglobin": 11.0 if "epo" in drug else 13.5,
        "digoxin_level": 0.7,
        "lithium_level": 0.6,
        "sodium": 139.0,
        "glucose": 6.0,
        "qtc": 420.0,
        "heart_rate": 68.0,
        "potassium": 4.2,
        "systolic_bp": 135.0,
        "platelets": 220.0,
        "neutrophils": 4.0,
        "ck": 100.0,
        "alt": 20.0,
        "tsh": 2.0,
        "ejection_fraction": 60.0,
    }
    calm = review_regimen(person.changed(measurements=normal), KNOWLEDGE).findings
    assert not [f for f in calm if f.category == "measurement" or any(e.startswith("implied") for e in f.evidence_ids)]


def test_every_row_on_a_value_fires_for_each_of_its_drugs() -> None:
    silent = []
    for drug_id, rows in critical_rows(INDEX).items():
        for row in rows:
            step = {">": 1.001, ">=": 1.0, "<": 0.999, "<=": 1.0}[row["comparison"]]
            person = taking(drug_id, measurements={row["measurement"]: float(row["threshold"]) * step})
            told = [f for f in review_regimen(person, KNOWLEDGE).findings if row["rule_id"] in f.evidence_ids]
            others = [f for f in review_regimen(person, KNOWLEDGE).findings if f.measurement == row["measurement"]]
            if not told and not others:
                silent.append((row["rule_id"], drug_id))
    assert silent == []


@pytest.mark.parametrize("row", implied_rows(), ids=lambda row: row["rule_id"])
def test_a_value_that_is_a_condition_makes_its_rules_hold(row: dict[str, str]) -> None:
    """A value beyond the threshold fires each drug-disease rule of its condition, as severe as when it is listed."""
    drugs = {
        rule.drug_id for rule in KNOWLEDGE.rules("drug_disease") if rule.fields["condition"] == row["condition_id"]
    }
    step = 0.99 if row["comparison"].startswith("<") else 1.01
    value = {row["measurement"]: float(row["threshold"]) * step}
    assert drugs
    grades = {"minor": 1, "moderate": 2, "major": 3, "contraindicated": 4}
    for drug in sorted(drugs):
        listed = found(taking(drug, conditions=(row["condition_id"],)))[f"drug_disease:{drug}+{row['condition_id']}"]
        measured = [
            f for f in found(taking(drug, measurements=value)).values()
            if f.drugs == (drug,) and listed.evidence_ids[0] in f.evidence_ids
        ]  # fmt: skip
        assert measured and max(grades[f.severity] for f in measured) >= grades[listed.severity], drug


def test_the_environment_s_findings_are_as_before() -> None:
    person = taking("warfarin", ("gabapentin", None), measurements={"inr": 9.0, "creatinine": 4.0})  # type: ignore[arg-type]
    told = {f.finding_id for f in find_all(person, person.regimen, INDEX)}
    assert told == {f.finding_id for f in graded_findings(person, KNOWLEDGE)}
    assert told < set(found(person))
    assert not any(name.startswith(("measurement:", "organ_dosing:composite")) for name in told)


def test_a_drug_used_locally_has_no_finding_of_the_whole_body() -> None:
    person = {"age": 80, "sex": "F", "weight": 60, "height": 160, "measurements": {"alt": 250, "egfr": 10}}
    report = review_regimen(patient_from(person | {"regimen": ["ketoconazole shampoo"]}, KNOWLEDGE), KNOWLEDGE)
    assert not [f for f in report.findings if f.category in ("measurement", "organ_dosing")]
