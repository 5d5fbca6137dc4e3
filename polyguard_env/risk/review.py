"""Review of a regimen: every finding, from one patient, one regimen and the indexed rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.schema import SEVERITY_RANK, Interaction, Rule
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.risk.allergies import allergy_findings
from polyguard_env.risk.burden import burden_findings
from polyguard_env.risk.combinations import combination_findings
from polyguard_env.risk.composites import composite_findings
from polyguard_env.risk.contradictions import kidney_function, warnings_of
from polyguard_env.risk.entries import Pair, Repeated, merged, repeated, same_ingredient_findings, within_products
from polyguard_env.risk.findings import SLACK, Finding, RiskReport, above_maximum, keep_worst, worst_first
from polyguard_env.risk.genes import gene_findings
from polyguard_env.risk.index import RuleIndex, terms
from polyguard_env.risk.intervals import interval_findings
from polyguard_env.risk.levels import implied_conditions, level_findings
from polyguard_env.risk.local_use import eased, local_routes
from polyguard_env.risk.opioid_tolerance import tolerance_notes
from polyguard_env.risk.organs import ORGANS, rules_in_force, unchecked_findings
from polyguard_env.risk.review_conditions import condition_findings
from polyguard_env.risk.settling import settled
from polyguard_env.risk.stages import within_stage
from polyguard_env.risk.standins import stand_in_warnings, stood_in
from polyguard_env.risk.told_doses import answered_by_dose

MONITOR_FOR_MECHANISM = {
    "bleeding": "haemoglobin",
    "qt_prolongation": "qtc",
    "hyperkalaemia": "potassium",
    "hypokalaemia": "potassium",
    "hyponatraemia": "sodium",
    "nephrotoxicity": "creatinine",
    "hypoglycaemia": "glucose",
    "bradycardia": "heart_rate",
    "hypotension": "blood_pressure_standing",
    "lithium_toxicity": "lithium_level",
    "digoxin_toxicity": "digoxin_level",
    "myopathy": "ck",
    "cyp2c9_inhibition": "inr",
}

# Effects that add up also in one pill; what one ingredient does to the level of another is why they are in it.
WARNED_WITHIN_PRODUCTS = frozenset(
    {"bleeding", "cns_depression", "hepatotoxicity", "hyperkalaemia", "hypoglycaemia", "hypotension", "qt_prolongation"}
)
LABEL = "fda_label"


@lru_cache(maxsize=8)
def rule_index(knowledge: KnowledgeBase) -> RuleIndex:
    """The shared index of a knowledge base (built once per knowledge base)."""
    return RuleIndex(knowledge)


@dataclass(frozen=True, slots=True)
class _Taken:
    """What of a regimen acts in the whole body.

    Attributes:
        local: drugs that are only used locally, with the route.
        systemic: entries of all others.
        twice: ingredients of `systemic` that several entries hold.
        regimen: `systemic` with each drug once, at its summed dose.
    """

    local: Mapping[str, str]
    systemic: tuple[RegimenItem, ...]
    twice: Mapping[str, Repeated]
    regimen: Sequence[RegimenItem]


def _taken(patient: Patient, index: RuleIndex) -> _Taken:
    """Entries of the patient's regimen, sorted out.

    Raises:
        PolyGuardError: a drug of the regimen is not in the knowledge base.
    """
    for item in patient.regimen:
        if item.drug_id not in index.knowledge.drugs:
            near = ", ".join(index.knowledge.suggest(item.drug_id)[:3])
            fix = f"use a known drug id{f' such as {near}' if near else ''}"
            raise PolyGuardError("regimen.drug_id", item.drug_id, fix)
    local = local_routes(patient.regimen, index)
    systemic = tuple(item for item in patient.regimen if item.drug_id not in local)
    twice = repeated(systemic, index)
    return _Taken(local, systemic, twice, merged(systemic, twice))


def review_regimen(patient: Patient, knowledge: KnowledgeBase) -> RiskReport:
    """All findings of a patient's regimen, worst first: those of `graded_findings`, and what measured values, limits on
    several things at once and organ rules without a comparable limit ask for, less what a told dose answers; one
    instruction on each drug's dose.

    Args:
        patient: the person, with the regimen to review.
        knowledge: where the facts come from.

    Raises:
        PolyGuardError: a drug of the regimen is not in the knowledge base.
    """
    index = rule_index(knowledge)
    taken = _taken(patient, index)
    findings = list(_graded(patient, taken, index))
    told = stood_in(patient)
    if told is not patient:
        unknown = [found for found in findings if found.category == "monitoring"]
        findings = unknown + [found for found in _graded(told, taken, index) if found.category != "monitoring"]
    regimen, twice = taken.regimen, taken.twice
    whole = [item for item in regimen if item.drug_id not in twice or not twice[item.drug_id].is_partial]
    findings = answered_by_dose(told, findings, whole, index)
    findings += composite_findings(told, regimen, findings, index)
    findings += unchecked_findings(told, regimen, findings, index)
    findings = within_stage(patient, regimen, settled(findings, regimen, index), index)
    measured = patient.changed(conditions=tuple(implied_conditions(patient)))
    implied = [found for item in regimen for found in drug_disease_findings(item, measured, index)]
    findings += level_findings(patient, regimen, implied, index)
    findings += condition_findings(patient, regimen, index)
    warnings = (
        *warnings_of(patient),
        *stand_in_warnings(patient, taken.systemic, index),
        *tolerance_notes(patient, knowledge),
    )
    return RiskReport(patient.patient_id, worst_first(findings), knowledge.fingerprint, warnings)


def graded_findings(patient: Patient, knowledge: KnowledgeBase) -> tuple[Finding, ...]:
    """The findings that the environment's rules know, with those on genotype, allergy and interval, worst first.

    Raises:
        PolyGuardError: a drug of the regimen is not in the knowledge base.
    """
    index = rule_index(knowledge)
    return _graded(patient, _taken(patient, index), index)


def _graded(patient: Patient, taken: _Taken, index: RuleIndex) -> tuple[Finding, ...]:
    findings = find_all(patient, patient.regimen, index)
    if taken.local:
        findings = eased(findings, find_all(patient, taken.systemic, index), taken.local, index)
    findings += gene_findings(patient, taken.regimen, index) + allergy_findings(patient, patient.regimen, index)
    return worst_first(findings + interval_findings(patient.regimen, index))


def find_all(patient: Patient, regimen: Sequence[RegimenItem], index: RuleIndex) -> list[Finding]:
    """Findings of `regimen` taken by `patient`, unsorted; without those on genotype, allergy and interval."""
    within, twice = within_products(regimen), repeated(regimen, index)
    regimen = merged(regimen, twice)
    drugs = [item.drug_id for item in regimen]
    findings = interaction_findings(drugs, index, within) + combination_findings(drugs, index, within)
    kidney = kidney_function(patient)
    for item in regimen:
        findings += drug_disease_findings(item, patient, index)
        findings += dosing_findings(item, patient, kidney, index, twice.get(item.drug_id))
        findings += monitoring_findings(item, patient, index)
    findings += duplication_findings(regimen, index, within) + same_ingredient_findings(twice, index)
    findings += burden_findings(patient, regimen, index)
    findings += omission_findings(patient, regimen, index)
    return findings


def interaction_findings(
    drugs: Sequence[str], index: RuleIndex, within: frozenset[Pair] = frozenset()
) -> list[Finding]:
    """One finding per interacting pair.

    Args:
        within: pairs that are sold as one product (see `within_products`): intended at its strengths, so no more than
            a note of what the label warns of.
    """
    findings = []
    for a, b in combinations(sorted(set(drugs)), 2):
        edge = index.interaction(a, b)
        if edge is not None and (a, b) in within:
            findings += _label_note(edge)
        elif edge is not None:
            findings.append(
                Finding(
                    finding_id=f"interaction:{a}+{b}",
                    category="interaction",
                    severity=edge.severity,
                    drugs=(a, b),
                    mechanism=edge.mechanism,
                    management=edge.management,
                    evidence_ids=(f"ddi:{a}+{b}", *edge.sources),
                    measurement=MONITOR_FOR_MECHANISM.get(edge.mechanism, ""),
                )
            )
    return findings


def _label_note(edge: Interaction) -> list[Finding]:
    """What the label of a product warns of in its own ingredients."""
    if edge.severity not in ("major", "contraindicated") or edge.mechanism not in WARNED_WITHIN_PRODUCTS:
        return []
    if LABEL not in edge.sources:
        return []
    a, b = edge.drug_a, edge.drug_b
    management = f"monitor: one product holds both, and its label warns of {edge.mechanism.replace('_', ' ')}"
    measurement, evidence = MONITOR_FOR_MECHANISM.get(edge.mechanism, ""), (f"ddi:{a}+{b}", LABEL)
    return [
        Finding(
            f"interaction:{a}+{b}", "interaction", "minor", (a, b), edge.mechanism, management, evidence, measurement
        )
    ]


def drug_disease_findings(item: RegimenItem, patient: Patient, index: RuleIndex) -> list[Finding]:
    """Drugs that a condition of the patient makes unsuitable, the worst rule of each."""
    findings: dict[str, Finding] = {}
    for rule in index.rules("drug_disease", item.drug_id):
        condition = rule.fields["condition"]
        if condition in patient.conditions and condition != item.indication:
            finding = Finding(
                finding_id=f"drug_disease:{item.drug_id}+{condition}",
                category="drug_disease",
                severity=rule.severity,
                drugs=(item.drug_id,),
                mechanism=condition,
                management=rule.fields.get("management", "avoid"),
                evidence_ids=(rule.rule_id, rule.source),
            )
            keep_worst(findings, finding)
    return list(findings.values())


def dosing_findings(
    item: RegimenItem, patient: Patient, kidney: Mapping[str, float], index: RuleIndex, twice: Repeated | None = None
) -> list[Finding]:
    """Dose against kidney, liver and the geriatric maximum: the strictest limit of each kind.

    Args:
        twice: the ingredient's entries when several hold it; `item` has their summed dose. What is known reaches
            the limit when a further part is not known.
    """
    findings = []
    profile = index.profile(item.drug_id)
    slack = 0.999 if twice and twice.is_partial else SLACK
    of_all = f": {twice.parts(profile.dose_unit if profile else '')}" if twice and item.dose is not None else ""
    for kind in ORGANS:
        rules = rules_in_force(kind, item.drug_id, patient, kidney, index)
        broken = [rule for rule in rules if _dose_breaks(rule, item.dose, slack)]
        if broken:
            rule = max(broken, key=_strictness)
            limit = None if rule.fields["action"] == "avoid" else _number(rule.fields.get("max_dose", ""))
            findings.append(
                Finding(
                    finding_id=f"organ_dosing:{kind}:{item.drug_id}",
                    category="organ_dosing",
                    severity=rule.severity,
                    drugs=(item.drug_id,),
                    mechanism=kind,
                    management=rule.fields["action"] + (of_all if rule.fields["action"] == "reduce" else ""),
                    evidence_ids=(rule.rule_id, rule.source),
                    limit=limit,
                )
            )
    if profile and item.dose is not None and profile.dose_max > 0 and item.dose > profile.dose_max * slack:
        findings.append(
            Finding(
                finding_id=f"organ_dosing:maximum:{item.drug_id}",
                category="organ_dosing",
                severity=above_maximum(item.dose, profile.dose_max),
                drugs=(item.drug_id,),
                mechanism="maximum",
                management=f"reduce{of_all}",
                evidence_ids=(f"profile:{item.drug_id}:dose", *profile.sources),
                limit=profile.dose_max,
            )
        )
    return findings


def _number(text: str) -> float | None:
    return float(text) if text else None


def _dose_breaks(rule: Rule, dose: float | None, slack: float = SLACK) -> bool:
    action = rule.fields["action"]
    if action == "avoid":
        return True
    limit = _number(rule.fields.get("max_dose", ""))
    return action == "reduce" and limit is not None and dose is not None and dose > limit * slack


def _strictness(rule: Rule) -> tuple[bool, float, int]:
    """Avoidance before the lowest limit, then the more severe."""
    limit = _number(rule.fields.get("max_dose", ""))
    return rule.fields["action"] == "avoid", -(limit if limit is not None else 0.0), SEVERITY_RANK[rule.severity]


def monitoring_findings(item: RegimenItem, patient: Patient, index: RuleIndex) -> list[Finding]:
    """Measurements a drug needs that nobody has, the most urgent rule of each."""
    findings: dict[str, Finding] = {}
    for rule in index.rules("monitoring", item.drug_id):
        measurement = rule.fields["measurement"]
        known = measurement in patient.measurements or (
            measurement in ("crcl", "egfr", "creatinine") and kidney_function(patient)
        )
        if not known:
            finding = Finding(
                finding_id=f"monitoring:{item.drug_id}:{measurement}",
                category="monitoring",
                severity=rule.severity,
                drugs=(item.drug_id,),
                mechanism="missing_measurement",
                management="monitor",
                evidence_ids=(rule.rule_id, rule.source),
                measurement=measurement,
            )
            keep_worst(findings, finding)
    return list(findings.values())


def duplication_findings(
    regimen: Sequence[RegimenItem], index: RuleIndex, within: frozenset[Pair] = frozenset()
) -> list[Finding]:
    """Two drugs of a class of which one is enough, by the most severe rule and of equals the one on the narrowest
    class; none `within` a product."""
    findings = []
    drugs = sorted({item.drug_id for item in regimen})
    for a, b in combinations(drugs, 2):
        rules_a, rules_b = index.duplicates.get(a), index.duplicates.get(b)
        if not rules_a or not rules_b or (a, b) in within:
            continue
        shared = (rule for rule_id, rule in rules_a.items() if rule_id in rules_b)
        rule = next((r for r in shared if not _pair_is_excepted(a, b, r.fields.get("except_pairs", ""), index)), None)
        if rule is not None:
            findings.append(
                Finding(
                    finding_id=f"duplication:{a}+{b}",
                    category="duplication",
                    severity=rule.severity,
                    drugs=(a, b),
                    mechanism=rule.fields.get("target", rule.rule_id),
                    management="avoid",
                    evidence_ids=(rule.rule_id, rule.source),
                )
            )
    return findings


def _pair_is_excepted(a: str, b: str, pairs: str, index: RuleIndex) -> bool:
    for pair in filter(None, pairs.split(";")):
        left, _, right = pair.partition("+")
        names_a, names_b = {a, *index.drug(a).classes}, {b, *index.drug(b).classes}
        left, right = left.split(":")[-1], right.split(":")[-1]
        if (left in names_a and right in names_b) or (left in names_b and right in names_a):
            return True
    return False


def omission_findings(patient: Patient, regimen: Sequence[RegimenItem], index: RuleIndex) -> list[Finding]:
    """Indicated drugs that are missing (START-like), unless something makes them wrong."""
    drugs = {item.drug_id for item in regimen}
    names = drugs.union(*(index.drug(d).classes for d in drugs)) if drugs else set()
    conditions = set(patient.conditions)
    findings: dict[str, Finding] = {}
    for rule in index.omissions_for(conditions):
        fields = rule.fields
        preferred = fields.get("preferred") or rule.drug_id
        if any(target in names for target in terms(fields.get("target", "")) or {rule.drug_id}):
            continue
        required = terms(fields.get("with_drug", ""))
        if required and not required & names:
            continue
        if terms(fields.get("absent_if", "")) & (names | conditions):
            continue
        findings[rule.rule_id] = Finding(
            finding_id=f"omission:{rule.rule_id}",
            category="omission",
            severity=rule.severity,
            drugs=(preferred,),
            mechanism=fields["condition"],
            management="add",
            evidence_ids=(rule.rule_id, rule.source),
        )
    return list(findings.values())
