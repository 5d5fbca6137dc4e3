"""Findings of a regimen worked out again, one rule at a time. Imports nothing of the project but `tables.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, permutations
from typing import Any

from polyguard_env.trust.second.tables import RANK, Facts, Row, cells

TOLERANCE = 1.001
LIVER = ("A", "B", "C")
KIDNEY = ("creatinine", "crcl", "egfr")
Found = dict[str, tuple[str, str]]


def findings(person: Mapping[str, Any], facts: Facts) -> Found:
    """Finding id to category and severity.

    Args:
        person: age, sex, weight, conditions, measurements, falls, child_pugh, genotype and regimen (a list of
            drug_id, dose, indication), as plain data.
    """
    regimen: Sequence[Mapping[str, Any]] = person["regimen"]
    drugs = sorted({item["drug_id"] for item in regimen})
    conditions = set(person["conditions"])
    kidneys = kidney_values(person)
    found: list[tuple[str, str, str]] = []
    for a, b in combinations(drugs, 2):
        if (a, b) in facts.pairs:
            found.append((f"interaction:{a}+{b}", "interaction", facts.pairs[a, b]))
        found += doubled(a, b, facts)
    found += of_three(drugs, facts)
    names = set(drugs).union(conditions, *(facts.classes[drug] for drug in drugs))
    for item in regimen:
        found += for_one(item, person, conditions, kidneys, names, facts)
    found += load(regimen, facts)
    found += left_out(drugs, conditions, facts)
    worst: Found = {}
    for finding, category, severity in found:
        if finding not in worst or RANK[severity] > RANK[worst[finding][1]]:
            worst[finding] = (category, severity)
    return worst


def kidney_values(person: Mapping[str, Any]) -> dict[str, float]:
    """Clearance and filtration: as measured, else from creatinine in mg/dL.

    Cockcroft DW, Gault MH, Nephron 1976;16:31 and CKD-EPI 2021 (Inker LA, N Engl J Med 2021;385:1737). A measured value
    that contradicts creatinine gives way to the lower of the two.
    """
    measured: Mapping[str, float] = person["measurements"]
    values = {name: measured[name] for name in ("crcl", "egfr") if name in measured}
    creatinine = measured.get("creatinine")
    if creatinine is not None:
        woman = person["sex"] == "F"
        clearance = (140 - person["age"]) * person["weight"] / (72 * creatinine) * (0.85 if woman else 1.0)
        k, a, f = (0.7, -0.241, 1.012) if woman else (0.9, -0.302, 1.0)
        low, high = min(creatinine / k, 1), max(creatinine / k, 1)
        computed = {"crcl": clearance, "egfr": 142 * low**a * high**-1.2 * 0.9938 ** person["age"] * f}
        for name, value in computed.items():
            small, large = sorted((values.get(name, value), value))
            # Double the other and 20 mL/min apart: one of the two is wrong, and the lower is the careful one.
            values[name] = small if large - small > 20 and large > 2 * small else values.get(name, value)
    return values


def for_one(
    item: Mapping[str, Any], person: Mapping[str, Any], conditions: set[str], kidneys: Mapping[str, float],
    names: set[str], facts: Facts,
) -> Iterable[tuple[str, str, str]]:  # fmt: skip
    """What is wrong with one drug in this person, whatever else is taken (but for `unless` terms)."""
    drug, dose, indication = item["drug_id"], item["dose"], item["indication"]
    for rule in facts.rules_for("drug_disease", drug):
        if rule["condition"] in conditions and rule["condition"] != indication:
            yield f"drug_disease:{drug}+{rule['condition']}", "drug_disease", rule["severity"]
    for rule in facts.rules_for("pharmacogenomics", drug):
        if person["genotype"].get(rule["gene"]) == rule["phenotype"]:
            yield f"drug_disease:{drug}+{rule['gene']}", "drug_disease", rule["severity"]
    for rule in facts.rules_for("monitoring", drug):
        asked = rule["measurement"]
        if asked not in person["measurements"] and not (asked in KIDNEY and kidneys):
            yield f"monitoring:{drug}:{asked}", "monitoring", rule["severity"]
    for rule in facts.rules_for("burden", drug):
        if rule["kind"] == "fall_risk" and person["falls"] >= float(rule["threshold"]):
            yield f"burden:fall_risk:{drug}", "burden", rule["severity"]
        if rule["kind"] == "avoid" and (not rule["indication"] or rule["indication"] == indication):
            excuses = {term.rpartition(":")[2] for term in cells(rule["unless"])}
            if not excuses & names:
                yield f"burden:avoid:{drug}", "burden", rule["severity"]
    kidney_rules = [
        rule
        for rule in facts.rules_for("renal", drug)
        if rule["measure"] in kidneys
        and float(rule["floor"] or 0) <= kidneys[rule["measure"]] < float(rule["threshold"])
    ]
    liver = person["child_pugh"]
    liver_rules = [
        r for r in facts.rules_for("hepatic", drug) if liver and LIVER.index(liver) >= LIVER.index(r["child_pugh"])
    ]
    for organ, rules in (("renal", kidney_rules), ("hepatic", liver_rules)):
        severity = strictest(rules, dose)
        if severity:
            yield f"organ_dosing:{organ}:{drug}", "organ_dosing", severity
    # The maximum is sourced in the profile; 1.5 times it turns major by a grade of this project (2026).
    ceiling = facts.number(drug, "dose_max")
    if ceiling and dose is not None and dose > ceiling * TOLERANCE:
        yield f"organ_dosing:maximum:{drug}", "organ_dosing", "major" if dose > 1.5 * ceiling else "moderate"


def strictest(rules: Sequence[Row], dose: float | None) -> str:
    """Severity of the strictest rule a dose breaks; avoidance before the lowest limit; "" when none is broken."""
    avoid = [rule["severity"] for rule in rules if rule["action"] == "avoid"]
    if avoid:
        return max(avoid, key=RANK.__getitem__)
    broken = [
        (float(rule["max_dose"]), rule["severity"])
        for rule in rules
        if rule["action"] == "reduce"
        and rule["max_dose"]
        and dose is not None
        and dose > float(rule["max_dose"]) * TOLERANCE
    ]
    if not broken:
        return ""
    least = min(limit for limit, _ in broken)
    return max((severity for limit, severity in broken if limit == least), key=RANK.__getitem__)


def doubled(a: str, b: str, facts: Facts) -> Iterable[tuple[str, str, str]]:
    """Two drugs of a class of which one is enough, unless the pair is excepted."""
    others = {rule["rule_id"] for rule in facts.rules_for("duplicate_therapy", b)}
    for rule in facts.rules_for("duplicate_therapy", a):
        if rule["rule_id"] in others and not any(
            (facts.meets(a, one) and facts.meets(b, two)) or (facts.meets(b, one) and facts.meets(a, two))
            for one, _, two in (pair.partition("+") for pair in cells(rule["except_pairs"]))
        ):
            yield f"duplication:{a}+{b}", "duplication", rule["severity"]


def of_three(drugs: Sequence[str], facts: Facts) -> Iterable[tuple[str, str, str]]:
    """Combinations of which every side can be given to a drug of its own, by trying every assignment."""
    edges: dict[str, list[Row]] = {}
    for rule in facts.rules["combination"]:
        edges.setdefault(rule["rule_id"], []).append(rule)
    for rule_id, rules in edges.items():
        fitting: dict[str, set[str]] = {}
        for rule in rules:
            fitting.setdefault(rule["side"], set()).update(d for d in drugs if facts.meets(d, rule["target"]))
        sides = list(fitting.values())
        if not all(sides):
            continue
        pool = sorted(set().union(*sides))
        if any(all(d in side for d, side in zip(order, sides)) for order in permutations(pool, len(sides))):
            yield f"combination:{rule_id}", rules[0]["category"], worst_of(rule["severity"] for rule in rules)


def worst_of(severities: Iterable[str]) -> str:
    return max(severities, key=RANK.__getitem__)


def load(regimen: Sequence[Mapping[str, Any]], facts: Facts) -> Iterable[tuple[str, str, str]]:
    """Anticholinergic score and Drug Burden Index of the whole regimen."""
    score, index = 0.0, 0.0
    for item in regimen:
        drug = item["drug_id"]
        score += facts.number(drug, "acb")
        least = facts.number(drug, "dbi_delta")
        if least:
            dose = item["dose"] if item["dose"] is not None else facts.number(drug, "dose_usual")
            index += dose / (dose + least)
    for kind, total in (("acb", score), ("dbi", index)):
        for rule in facts.rules["burden"]:
            if rule["kind"] == kind and total >= float(rule["threshold"]):
                yield f"burden:{kind}", "burden", rule["severity"]


def left_out(drugs: Sequence[str], conditions: set[str], facts: Facts) -> Iterable[tuple[str, str, str]]:
    """Indicated drugs that are missing and that nothing makes wrong."""
    names = set(drugs).union(*(facts.classes[drug] for drug in drugs))
    for rule in facts.rules["omission"]:
        if rule["condition"] not in conditions | {"", "*"}:
            continue
        if any(facts.meets(drug, rule["target"]) for drug in drugs):
            continue
        if rule["with_drug"] and not any(facts.meets(drug, rule["with_drug"]) for drug in drugs):
            continue
        excuses = {term.rpartition(":")[2] for term in cells(rule["absent_if"])}
        if not excuses & (names | conditions):
            yield f"omission:{rule['rule_id']}", "omission", rule["severity"]
