"""Review: burden, drugs to avoid in age and higher-order combinations, on the packaged tables."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.risk.combinations import has_representatives
from polyguard_env.risk.review import review_regimen


def patient(*drugs: str, conditions: tuple[str, ...] = (), falls: int = 0, indication: str = "") -> Patient:
    return Patient(
        "p", 78, "F", 65.0, 162.0, conditions=conditions, falls=falls,
        regimen=tuple(RegimenItem(drug, indication=indication) for drug in drugs),
    )  # fmt: skip


def found(*drugs: str, conditions: tuple[str, ...] = (), falls: int = 0, indication: str = "") -> dict[str, str]:
    report = review_regimen(
        patient(*drugs, conditions=conditions, falls=falls, indication=indication), KnowledgeBase.default()
    )
    return {finding.finding_id: finding.severity for finding in report.findings}


def test_three_sides_make_a_combination_and_two_do_not() -> None:
    whole = ("ibuprofen", "lisinopril", "furosemide")
    (edge,) = [name for name in found(*whole) if name.startswith("combination:")]
    assert found(*whole)[edge] == "major"
    for left_out in whole:
        assert edge not in found(*(drug for drug in whole if drug != left_out))


def test_a_combination_of_one_class_needs_as_many_drugs_as_sides() -> None:
    assert "combination:combination001" not in found("alprazolam", "gabapentin")
    assert "combination:combination001" in found("alprazolam", "gabapentin", "sertraline")


@pytest.mark.parametrize("order", list(permutations(("warfarin", "aspirin", "clopidogrel"))))
def test_order_of_drugs_changes_nothing(order: tuple[str, ...]) -> None:
    assert found(*order) == found("aspirin", "clopidogrel", "warfarin")
    assert "combination:combination005" in found(*order)


def test_distinct_representatives() -> None:
    assert has_representatives([["a"], ["a", "b"], ["b", "c"]])
    assert not has_representatives([["a"], ["a", "b"], ["a", "b"]])


def test_a_drug_to_avoid_is_named_unless_its_exception_holds() -> None:
    assert found("alprazolam")["burden:avoid:alprazolam"] == "major"
    assert "burden:avoid:alprazolam" not in found("alprazolam", conditions=("epilepsy",))
    assert "burden:avoid:omeprazole" in found("omeprazole")
    assert "burden:avoid:omeprazole" not in found("omeprazole", "prednisone")


def test_the_worst_of_several_rules_names_the_severity() -> None:
    assert found("glyburide")["burden:avoid:glyburide"] == "major"
    assert found("glipizide")["burden:avoid:glipizide"] == "moderate"


def test_an_indication_limits_a_rule() -> None:
    assert "burden:avoid:doxazosin" in found("doxazosin", conditions=("hypertension",), indication="hypertension")
    assert "burden:avoid:doxazosin" not in found("doxazosin", conditions=("bph",), indication="bph")


def test_fall_risk_counts_only_in_people_who_fall() -> None:
    assert not [name for name in found("amitriptyline") if "fall_risk" in name]
    assert found("amitriptyline", falls=1)["burden:fall_risk:amitriptyline"] == "major"


def test_scales_count_over_the_regimen() -> None:
    assert "burden:acb" in found("oxybutynin")
    assert "burden:acb" not in found("warfarin")
    assert "burden:dbi" in found("oxybutynin", "alprazolam", "gabapentin")


def test_a_known_genotype_makes_a_finding() -> None:
    person = replace(patient("clopidogrel"), genotype={"CYP2C19": "poor"})
    (finding,) = [f for f in review_regimen(person, KnowledgeBase.default()).findings if f.mechanism == "CYP2C19 poor"]
    assert finding.severity == "major" and finding.management.startswith("avoid") and "cpic" in finding.evidence_ids
    other = replace(person, genotype={"CYP2C19": "rapid"})
    assert not [f for f in review_regimen(other, KnowledgeBase.default()).findings if "CYP2C19" in f.mechanism]


def test_a_drug_that_the_patient_is_allergic_to_is_contraindicated() -> None:
    person = replace(patient("amoxicillin", "warfarin"), allergies=("penicillins", "latex"))
    (finding,) = [f for f in review_regimen(person, KnowledgeBase.default()).findings if "allergy" in f.mechanism]
    assert (finding.drugs, finding.severity, finding.management) == (("amoxicillin",), "contraindicated", "avoid")
    unharmed = replace(person, allergies=("latex", "sulfonamides"))
    assert not [f for f in review_regimen(unharmed, KnowledgeBase.default()).findings if "allergy" in f.mechanism]


@pytest.mark.parametrize(
    ("drugs", "target"),
    [
        (("desvenlafaxine", "trimipramine"), "class:snris;class:tcas"),
        (("dupilumab", "secukinumab"), "class:biologic_immunosuppressants"),
    ],
)
def test_of_equally_severe_duplications_the_narrowest_class_names_the_finding(
    drugs: tuple[str, str], target: str
) -> None:
    knowledge, name = KnowledgeBase.default(), f"duplication:{'+'.join(drugs)}"
    (finding,) = (f for f in review_regimen(patient(*drugs), knowledge).findings if f.finding_id == name)
    held = {
        rule.rule_id: {r.drug_id for r in knowledge.rules("duplicate_therapy") if r.rule_id == rule.rule_id}
        for rule in knowledge.rules("duplicate_therapy")
        if rule.drug_id == drugs[0] and rule.severity == finding.severity
    }
    both = {rule_id: len(reached) for rule_id, reached in held.items() if drugs[1] in reached}
    assert finding.mechanism == target
    assert len(both) > 1
    assert both[finding.evidence_ids[0]] == min(both.values())
