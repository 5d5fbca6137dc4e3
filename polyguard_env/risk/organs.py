"""Kidney and liver rules whose limit cannot be compared with a dose: what to check, to reduce or to watch.

`review.dosing_findings` names the doses that break a limit. A rule that asks to watch a drug, gives no limit in mg or
meets a dose that nobody told breaks nothing, and still has to be said. The environment knows doses and limits alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from polyguard_env.knowledge.schema import SEVERITY_RANK, Rule, Severity
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.risk.contradictions import kidney_function
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.index import RuleIndex

CHILD_PUGH_RANK: Mapping[str, int] = MappingProxyType({"": 0, "A": 1, "B": 2, "C": 3})
ORGANS: Mapping[str, str] = MappingProxyType({"renal": "kidney function", "hepatic": "liver function"})
# Grades of this project (2026): a step below the row's, whose grade is for a limit that is known to be broken.
MILDER: Mapping[str, Severity] = MappingProxyType(
    {"contraindicated": "major", "major": "moderate", "moderate": "minor", "minor": "minor"}
)


def rules_in_force(
    kind: str, drug_id: str, patient: Patient, kidney: Mapping[str, float], index: RuleIndex
) -> list[Rule]:
    """Renal or hepatic rules of a drug that hold for these kidneys or this liver, in table order.

    Args:
        kind: "renal" or "hepatic".
        kidney: "crcl" and "egfr" in mL/min, as far as known.
    """
    if kind == "renal":
        return [rule for rule in index.rules("renal", drug_id) if _within(rule, kidney)]
    rank = CHILD_PUGH_RANK[patient.child_pugh]
    return [r for r in index.rules("hepatic", drug_id) if rank >= CHILD_PUGH_RANK[r.fields["child_pugh"]] > 0]


def _within(rule: Rule, kidney: Mapping[str, float]) -> bool:
    value = kidney.get(rule.fields["measure"])
    return value is not None and float(rule.fields.get("floor") or 0.0) <= value < float(rule.fields["threshold"])


def unchecked_findings(
    patient: Patient, regimen: Sequence[RegimenItem], named: Sequence[Finding], index: RuleIndex
) -> list[Finding]:
    """At most one finding per drug and organ: the most severe rule that asks to watch, or whose limit is not compared.

    A limit that is named is one that no dose was compared with.

    Args:
        regimen: what is taken; each drug once, with its summed dose.
        named: findings there are already; a drug and organ among them is left out.
    """
    kidney, findings = kidney_function(patient), []
    told = {finding.finding_id for finding in named}
    for item in regimen:
        for kind in ORGANS:
            if f"organ_dosing:{kind}:{item.drug_id}" in told:
                continue
            rules = rules_in_force(kind, item.drug_id, patient, kidney, index)
            open_rules = [rule for rule in rules if _is_open(rule, item.dose)]
            if open_rules:
                findings.append(_finding(kind, max(open_rules, key=lambda rule: _urgency(rule, item)), item, index))
    return findings


def _is_open(rule: Rule, dose: float | None) -> bool:
    """True when the rule asks for something that no comparison of doses has answered."""
    action = rule.fields["action"]
    return action == "monitor" or (action == "reduce" and (dose is None or not rule.fields.get("max_dose")))


def _grade(rule: Rule, item: RegimenItem) -> Severity:
    if rule.fields["action"] == "reduce" and item.dose is not None and rule.severity == "moderate":
        return "moderate"
    return MILDER[rule.severity]


def _urgency(rule: Rule, item: RegimenItem) -> tuple[int, bool, float]:
    limit = rule.fields.get("max_dose")
    return SEVERITY_RANK[_grade(rule, item)], rule.fields["action"] == "reduce", -float(limit) if limit else -1e9


def _finding(kind: str, rule: Rule, item: RegimenItem, index: RuleIndex) -> Finding:
    organ, note, limit = ORGANS[kind], rule.fields.get("note", ""), rule.fields.get("max_dose")
    profile = index.profile(item.drug_id)
    if rule.fields["action"] == "monitor":
        text = f"monitor: {note or 'watch effect and adverse effects closely'} (at this {organ})"
    elif limit:
        unit = f" {profile.dose_unit}" if profile else ""
        text = f"reduce: the dose is not known; check that it is at most {float(limit):g}{unit} a day at this {organ}"
    else:
        text = f"reduce: check the dose at this {organ}; {note or 'lower it as the label says'}"
    return Finding(
        finding_id=f"organ_dosing:{kind}:{item.drug_id}",
        category="organ_dosing",
        severity=_grade(rule, item),
        drugs=(item.drug_id,),
        mechanism=kind,
        management=text,
        evidence_ids=(rule.rule_id, rule.source),
        limit=float(limit) if limit and rule.fields["action"] == "reduce" else None,
    )
