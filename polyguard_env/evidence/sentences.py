"""The sentences of passages: each table's row as a person would read it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.schema import Drug, DrugProfile, Interaction, Rule
from polyguard_env.knowledge.tabular import read_fragments

HEADINGS = {
    "renal": "Renal dosing (kidney function)",
    "hepatic": "Hepatic dosing (liver function)",
    "burden": "Cumulative burden",
    "taper": "Taper and withdrawal (stopping)",
    "duplicate_therapy": "Duplicate therapy (same class twice)",
    "substitution": "Substitution (safer alternative)",
    "drug_disease": "Drug-disease caution",
    "omission": "Omission (indicated treatment to start)",
    "monitoring": "Monitoring (laboratory test)",
    "pharmacogenomics": "Pharmacogenomics (genotype)",
    "hold": "Withholding for a time (temporary interruption)",
}
NO_LIMIT = 1000.0  # a threshold no kidney reaches: the rule holds from its floor upward
MEASURES = {"egfr": "eGFR (mL/min/1.73m2)", "crcl": "creatinine clearance (mL/min)"}
ACTIONS = {
    "avoid": "avoid use", "reduce": "reduce the dose", "reduce_dose": "reduce the dose", "monitor": "monitor closely",
    "substitute": "use something else", "separate_doses": "separate the doses", "none": "no action needed",
    "hold": "withhold for a time",
}  # fmt: skip
FLAGS = (
    "sedation", "fall_risk", "bleeding", "hyperkalaemia", "hyponatraemia", "hypoglycaemia", "hypotension",
    "bradycardia", "serotonergic", "cns_active", "nephrotoxic", "seizure_threshold",
)  # fmt: skip


@cache
def condition_names() -> dict[str, str]:
    """Condition id to display name."""
    return {row["condition_id"]: row["name"] for row in read_fragments("conditions")}


@cache
def measurement_names() -> dict[str, str]:
    """Measurement id to display name."""
    return {row["measurement_id"]: row["name"] for row in read_fragments("measurements")}


def words(text: str) -> str:
    """An identifier as words."""
    return text.replace("_", " ")


def managed(management: str) -> str:
    """A management term with its free text, as words."""
    term, _, detail = management.partition(":")
    return ACTIONS.get(term, words(term)) + (f": {detail.strip()}" if detail.strip() else "")


def interaction_text(edge: Interaction, name_a: str, name_b: str) -> str:
    """An interaction in sentences."""
    doubt = " Sources grade it differently." if edge.disagree else ""
    return (
        f"Interaction of {name_a} and {name_b}: {edge.severity}. {edge.effect.capitalize()} "
        f"({words(edge.mechanism)}). Management: {managed(edge.management)}.{doubt}"
    )


def rule_text(rule: Rule, who: str, knowledge: KnowledgeBase) -> str:
    """A rule row in sentences, about `who` (a drug's or a class' name)."""
    fields = {name: value for name, value in rule.fields.items() if value and name != "target"}
    said = _BODIES.get(rule.kind, _others)(fields, who, knowledge)
    return (
        f"{HEADINGS.get(rule.kind, words(rule.kind))}: {said} Severity {rule.severity}; {rule.strength} recommendation."
    )


def _renal(fields: dict[str, str], who: str, knowledge: KnowledgeBase) -> str:
    measure = MEASURES.get(fields.get("measure", ""), fields.get("measure", ""))
    floor = f" and not below {fields['floor']}" if "floor" in fields else ""
    most = f" to at most {fields['max_dose']} a day" if "max_dose" in fields else ""
    action = ACTIONS.get(fields.get("action", ""), words(fields.get("action", "")))
    rest = _rest(fields, "measure", "threshold", "floor", "max_dose", "action")
    if float(fields["threshold"]) >= NO_LIMIT:
        return f"{who} when {measure} is {fields['floor']} or more: {action}{most}.{rest}"
    return f"{who} when {measure} is below {fields['threshold']}{floor}: {action}{most}.{rest}"


def _hepatic(fields: dict[str, str], who: str, knowledge: KnowledgeBase) -> str:
    most = f" to at most {fields['max_dose']} a day" if "max_dose" in fields else ""
    action = ACTIONS.get(fields.get("action", ""), words(fields.get("action", "")))
    rest = _rest(fields, "child_pugh", "max_dose", "action")
    return f"{who} in liver disease of Child-Pugh class {fields.get('child_pugh', '')} or worse: {action}{most}.{rest}"


def _taper(fields: dict[str, str], who: str, knowledge: KnowledgeBase) -> str:
    risk = f" Stopping abruptly risks {fields['withdrawal']}." if "withdrawal" in fields else ""
    steps = f" Step every {fields['step_days']} days." if "step_days" in fields else ""
    rest = _rest(fields, "withdrawal", "step_days", "step_fraction", "max_fraction_per_step",
                 "long_use_days", "taper_class")  # fmt: skip
    return f"{who} must be tapered after long use.{steps}{risk}{rest}"


def _duplicate(fields: dict[str, str], who: str, knowledge: KnowledgeBase) -> str:
    return (
        f"two of {who} together duplicate therapy: {fields.get('reason', '')}.{_rest(fields, 'reason', 'except_pairs')}"
    )


def _substitution(fields: dict[str, str], who: str, knowledge: KnowledgeBase) -> str:
    other = fields.get("replacement", "")
    name = knowledge.drugs[other].name if other in knowledge.drugs else words(other)
    purpose = condition_names().get(fields.get("indication", ""), words(fields.get("indication", "")))
    wrong = f" Not with {_conditions(fields['wrong_if'])}." if "wrong_if" in fields else ""
    rest = _rest(fields, "replacement", "indication", "wrong_if", "reason")
    return f"{name} in place of {who} for {purpose}: {fields.get('reason', '')}.{wrong}{rest}"


def _disease(fields: dict[str, str], who: str, knowledge: KnowledgeBase) -> str:
    condition = condition_names().get(fields.get("condition", ""), words(fields.get("condition", "")))
    action = managed(fields.get("management", ""))
    rest = _rest(fields, "condition", "reason", "management")
    return f"{who} in {condition}: {fields.get('reason', '')}; {action}.{rest}"


def _omission(fields: dict[str, str], who: str, knowledge: KnowledgeBase) -> str:
    condition = condition_names().get(fields.get("condition", ""), words(fields.get("condition", "")))
    first = fields.get("preferred", "")
    name = knowledge.drugs[first].name if first in knowledge.drugs else words(first)
    need = f"{condition} " if condition else ""
    beside = f"beside {words(fields['with_drug'].partition(':')[2])} " if "with_drug" in fields else ""
    but = f" Unless {_conditions(fields['absent_if'])}." if "absent_if" in fields else ""
    rest = _rest(fields, "condition", "preferred", "preferred_dose", "with_drug", "absent_if", "reason")
    return f"{need}{beside}calls for {who}, first {name}: {fields.get('reason', '')}.{but}{rest}"


def _monitoring(fields: dict[str, str], who: str, knowledge: KnowledgeBase) -> str:
    measure = fields.get("measurement", "")
    test = measurement_names().get(measure, words(measure))
    every = f" every {fields['interval_days']} days" if "interval_days" in fields else ""
    rest = _rest(fields, "measurement", "interval_days", "reason")
    return f"{who} needs {test}{every}: {fields.get('reason', '')}.{rest}"


def _genes(fields: dict[str, str], who: str, knowledge: KnowledgeBase) -> str:
    action = ACTIONS.get(fields.get("action", ""), words(fields.get("action", "")))
    gene, phenotype = fields.get("gene", ""), words(fields.get("phenotype", ""))
    return f"{who} in {gene} {phenotype}: {action}.{_rest(fields, 'gene', 'phenotype', 'action')}"


def _hold(fields: dict[str, str], who: str, knowledge: KnowledgeBase) -> str:
    purpose = f" for {_conditions(fields['indication'])}" if "indication" in fields else ""
    illness = f" in {_conditions(fields['condition'])}" if "condition" in fields else ""
    days = f" for up to {fields['most_days']} days" if "most_days" in fields else ""
    said = {
        "course": f"{who}{purpose} is a short course{days}",
        "pausable": f"{who}{purpose} may be withheld{days} and resumed",
        "harmful": f"{who}{purpose} must not be paused",
        "sick_day": f"{who} is withheld{illness} and resumed afterwards",
    }[fields["role"]]
    return f"{said}: {fields['reason']}.{_rest(fields, 'role', 'indication', 'condition', 'most_days', 'reason')}"


def _others(fields: dict[str, str], who: str, knowledge: KnowledgeBase) -> str:
    return f"{who}.{_rest(fields)}"


def _rest(fields: dict[str, str], *said: str) -> str:
    return "".join(
        f" {words(name).capitalize()}: {words(value)}." for name, value in fields.items() if name not in said
    )


def _conditions(cell: str) -> str:
    parts = [part.partition(":")[2] or part for part in cell.split(";")]
    return " or ".join(condition_names().get(part, words(part)) for part in parts)


_BODIES = {
    "renal": _renal, "hepatic": _hepatic, "taper": _taper, "duplicate_therapy": _duplicate,
    "substitution": _substitution, "drug_disease": _disease, "omission": _omission, "monitoring": _monitoring,
    "pharmacogenomics": _genes, "hold": _hold,
}  # fmt: skip


def profile_text(drug: Drug, profile: DrugProfile, classes: Sequence[str]) -> str:
    """A drug's profile in sentences."""
    names = [condition_names().get(name, words(name)) for name in profile.indications]
    roles = [f"CYP{r.enzyme}" if r.enzyme[0].isdigit() else r.enzyme for r in profile.cyp]
    said = [f"{role} {r.role} ({r.strength})" for role, r in zip(roles, profile.cyp, strict=True)]
    flags = [f"{words(name)} {getattr(profile, name)}" for name in FLAGS if getattr(profile, name)]
    tests = [measurement_names().get(name, words(name)) for name in profile.monitoring]
    unit = profile.dose_unit
    parts = [
        f"Profile of {drug.name}: {', '.join(classes)}.",
        f"Usual daily dose in older adults {profile.dose_usual:g} {unit}, range {profile.dose_min:g} to "
        f"{profile.dose_max:g} {unit} (maximum), {', '.join(profile.routes)}.",
        f"Indications: {', '.join(names)}." if names else "",
        f"Renal elimination fraction {profile.renal_fraction:g}.",
        f"Half-life {profile.half_life_h:g} hours." if profile.half_life_h else "",
        f"Hepatic elimination {profile.hepatic}." if profile.hepatic else "",
        f"Enzymes and transporters: {', '.join(said)}." if said else "",
        f"QT risk {profile.qt}. Anticholinergic burden (ACB) {profile.acb}.",
        f"Drug Burden Index delta {profile.dbi_delta:g} {unit}." if profile.dbi_delta else "",
        f"Risks: {', '.join(flags)}." if flags else "",
        "Narrow therapeutic index." if profile.narrow_index else "",
        f"Monitoring: {', '.join(tests)}." if tests else "",
        f"Taper needed: {words(profile.taper_class)}." if profile.taper_class else "",
    ]
    return " ".join(part for part in parts if part)
