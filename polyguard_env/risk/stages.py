"""Kidney limits that only part of a stage of kidney disease passes, when nothing tells where in the stage the eGFR is.

`standins` takes the highest eGFR of the stage for what holds in all of it. A stricter rule further down may hold or
not: it is said a grade milder, with its limit and what to measure, never as if it held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from polyguard_env.knowledge.schema import SEVERITY_RANK, Rule
from polyguard_env.patients.kidney_stages import KidneyStage, stage_of
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.risk.contradictions import KIDNEY_NAMES, kidney_function
from polyguard_env.risk.findings import SLACK, Finding
from polyguard_env.risk.index import RuleIndex
from polyguard_env.risk.organs import MILDER


def within_stage(
    patient: Patient, regimen: Sequence[RegimenItem], findings: Sequence[Finding], index: RuleIndex
) -> list[Finding]:
    """The findings with, for each drug, the strictest kidney rule that may hold further down the patient's stage.

    A finding on the drug's dose is told what may hold beyond it, one that says to avoid the drug nothing; else the rule
    is a finding of its own. Unchanged when a kidney function is known or no stage is named.

    Args:
        regimen: what is taken; each drug once, with its summed dose.
        findings: one on each drug's dose at most.
    """
    stage = stage_of(patient.conditions)
    if stage is None or kidney_function(patient):
        return list(findings)
    found = list(findings)
    for item in regimen:
        rules = [rule for rule in index.rules("renal", item.drug_id) if _may_hold(rule, stage) and _asks(rule, item)]
        if not rules:
            continue
        rule = max(rules, key=_strictness)
        place = next((n for n, one in enumerate(found) if _is_on_dose(one, item.drug_id)), None)
        if place is None:
            found.append(_finding(rule, stage, item, index))
        elif not found[place].management.startswith("avoid"):
            found[place] = _extended(found[place], rule, item, index)
    return found


def _may_hold(rule: Rule, stage: KidneyStage) -> bool:
    """True for a rule that holds in part of the stage and not at its top."""
    floor, threshold = float(rule.fields.get("floor") or 0.0), float(rule.fields["threshold"])
    return stage.low < threshold <= stage.high and floor <= stage.high


def _asks(rule: Rule, item: RegimenItem) -> bool:
    """True unless the dose told is within the rule's limit."""
    most = rule.fields.get("max_dose")
    return rule.fields["action"] != "reduce" or item.dose is None or not most or item.dose > float(most) * SLACK


def _strictness(rule: Rule) -> tuple[bool, int, float]:
    most = rule.fields.get("max_dose")
    return rule.fields["action"] == "avoid", SEVERITY_RANK[rule.severity], -float(most) if most else -1e9


def _is_on_dose(finding: Finding, drug_id: str) -> bool:
    return finding.category == "organ_dosing" and finding.drugs == (drug_id,)


def _limit(rule: Rule, item: RegimenItem, index: RuleIndex) -> str:
    below = f"below {KIDNEY_NAMES[rule.fields['measure']]} {float(rule.fields['threshold']):g} mL/min"
    action, most, note = rule.fields["action"], rule.fields.get("max_dose"), rule.fields.get("note", "")
    if action == "avoid":
        return f"{below} avoid it"
    profile = index.profile(item.drug_id)
    if action == "reduce" and most:
        unit = f" {profile.dose_unit}" if profile else ""
        return f"{below} at most {float(most):g}{unit} a day"
    return f"{below} {note or ('lower the dose as the label says' if action == 'reduce' else 'watch it closely')}"


def _finding(rule: Rule, stage: KidneyStage, item: RegimenItem, index: RuleIndex) -> Finding:
    return Finding(
        finding_id=f"organ_dosing:renal:{item.drug_id}",
        category="organ_dosing",
        severity=MILDER[rule.severity],
        drugs=(item.drug_id,),
        mechanism="renal",
        management=(
            f"monitor: a limit may apply, {_limit(rule, item, index)}; {stage.name} is an eGFR of {stage.low:g} to "
            f"{stage.high:g}, so measure creatinine"
        ),
        evidence_ids=(rule.rule_id, rule.source, stage.source),
        measurement="creatinine",
    )


def _extended(finding: Finding, rule: Rule, item: RegimenItem, index: RuleIndex) -> Finding:
    joint = "; " if ":" in finding.management else ": "
    text = f"a stricter limit may apply, {_limit(rule, item, index)}, so measure creatinine"
    return replace(
        finding,
        severity=max(finding.severity, MILDER[rule.severity], key=SEVERITY_RANK.__getitem__),
        management=f"{finding.management}{joint}{text}",
        evidence_ids=tuple(dict.fromkeys((*finding.evidence_ids, rule.rule_id, rule.source))),
    )
