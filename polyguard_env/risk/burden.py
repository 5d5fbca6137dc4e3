"""Burden of a whole regimen: anticholinergic and sedative load, CNS-active drugs, fall risk, drugs to avoid in age."""

from __future__ import annotations

from collections.abc import Sequence

from polyguard_env.knowledge.schema import SEVERITY_RANK, Rule
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.risk.calculators import drug_burden_index
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.index import RuleIndex, terms

SCALES = frozenset({"acb", "dbi"})


def burden_totals(regimen: Sequence[RegimenItem], index: RuleIndex) -> dict[str, float]:
    """Whole-regimen burden: ACB total, Drug Burden Index, CNS-active count, fall-risk count, drug count."""
    profiles = [(item, index.profile(item.drug_id)) for item in regimen]
    return {
        "acb": float(sum(p.acb for _, p in profiles if p)),
        "dbi": drug_burden_index(
            (item.dose if item.dose is not None else p.dose_usual, p.dbi_delta)
            for item, p in profiles
            if p and p.dbi_delta
        ),
        "cns_active": float(sum(1 for _, p in profiles if p and p.cns_active)),
        "fall_risk": float(sum(1 for _, p in profiles if p and p.fall_risk >= 2)),
        "drugs": float(len(regimen)),
    }


def burden_findings(patient: Patient, regimen: Sequence[RegimenItem], index: RuleIndex) -> list[Finding]:
    """Burden above the thresholds of `rules/burden.csv`; fall risk and drugs to avoid by the worst rule of each."""
    present = {item.drug_id for item in regimen}.union(*(index.drug(item.drug_id).classes for item in regimen))
    present |= set(patient.conditions)
    carriers: dict[str, tuple[Rule, list[str]]] = {}
    single: dict[tuple[str, str], list[Rule]] = {}
    for item in regimen:
        for rule in index.rules("burden", item.drug_id):
            kind = rule.fields["kind"]
            if kind in SCALES:
                carriers.setdefault(kind, (rule, []))[1].append(item.drug_id)
            elif _applies(rule, item, patient, present):
                single.setdefault((kind, item.drug_id), []).append(rule)
    findings = [_finding(f"burden:{kind}:{drug_id}", rules, (drug_id,)) for (kind, drug_id), rules in single.items()]
    if carriers:
        totals = burden_totals(regimen, index)
        findings += [
            _finding(f"burden:{kind}", [rule], tuple(sorted(drugs)))
            for kind, (rule, drugs) in carriers.items()
            if totals[kind] >= float(rule.fields["threshold"])
        ]
    return findings


def _applies(rule: Rule, item: RegimenItem, patient: Patient, present: set[str]) -> bool:
    if rule.fields["kind"] == "fall_risk":
        return patient.falls >= float(rule.fields["threshold"])
    indication = rule.fields["indication"]
    return (not indication or indication == item.indication) and not terms(rule.fields["unless"]) & present


def _finding(finding_id: str, rules: Sequence[Rule], drugs: tuple[str, ...]) -> Finding:
    """One finding of several rules that say the same: the worst severity, the evidence of all."""
    worst = max(rules, key=lambda rule: SEVERITY_RANK[rule.severity])
    return Finding(
        finding_id=finding_id,
        category="burden",
        severity=worst.severity,
        drugs=drugs,
        mechanism=worst.fields["kind"],
        management="avoid",
        evidence_ids=tuple(dict.fromkeys([*(r.rule_id for r in rules), *(r.source for r in rules)])),
    )
