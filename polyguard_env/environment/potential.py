"""One risk function over episode states; the clinical reward columns are its differences.

Weights are simulation parameters: they order harms (contraindicated over major over moderate over
minor) and keep stopping a needed drug from looking safer than treating its disease.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from polyguard_env.environment.episode import EpisodeState, Scenario, Taken, ingredients
from polyguard_env.environment.observed import KIDNEY, still_hidden
from polyguard_env.patients.model import Patient
from polyguard_env.risk.burden import burden_totals
from polyguard_env.risk.combinations import combination_findings
from polyguard_env.risk.findings import Finding, worst_first
from polyguard_env.risk.genes import gene_findings
from polyguard_env.risk.index import RuleIndex
from polyguard_env.risk.review import find_all, interaction_findings, organ_limits

SEVERITY_WEIGHT = {"contraindicated": 6.0, "major": 3.0, "moderate": 1.0, "minor": 0.2}
DBI_WEIGHT = 0.8
ACB_WEIGHT = 0.15
DRUG_WEIGHT = 0.05
MONITORED_FACTOR = {"monitor": 0.35, "reduce_dose": 0.5}
MONITORED_OTHERWISE = 0.8
REDUCED_FACTOR = 0.4
MONITORING_WEIGHT = 0.35
WITHDRAWAL_WEIGHT = {"contraindicated": 8.0, "major": 5.0, "moderate": 2.5, "minor": 0.6}
TAPER_BEGUN = (0.1, 0.5)
UNKNOWN_WEIGHT = 0.8
ENOUGH = 0.95


@dataclass(frozen=True, slots=True)
class Risk:
    """Risk of a state by component; higher is worse, 0 is none.

    Attributes:
        safety: interactions, drug-disease, duplication, monitoring gaps, withdrawal.
        dosing: doses against organ function and geriatric maxima.
        burden: anticholinergic, sedative, fall and pill burden.
        disease: conditions left untreated and omissions.
        weights: every finding with its weight in this state.
        drift: conditions that lost treatment, with the priority lost.
    """

    safety: float
    dosing: float
    burden: float
    disease: float
    weights: tuple[tuple[Finding, float], ...]
    drift: tuple[tuple[str, float], ...]

    @property
    def total(self) -> float:
        return self.safety + self.dosing + self.burden + self.disease

    def severe(self) -> list[tuple[Finding, float]]:
        """Findings of major severity or worse that nothing has mitigated."""
        return [
            (finding, weight)
            for finding, weight in self.weights
            if finding.severity in ("major", "contraindicated") and weight >= 0.5 * SEVERITY_WEIGHT[finding.severity]
        ]


def assess(state: EpisodeState, scenario: Scenario, index: RuleIndex) -> Risk:
    """The risk of a state, with the patient's true measurements."""
    if scenario.combinations:
        return _study_risk(state, scenario, index)
    parts: dict[str, float] = defaultdict(float)
    weights: list[tuple[Finding, float]] = []
    items = state.items()
    for finding in find_all(scenario.patient, items, index) + gene_findings(scenario.patient, items, index):
        if finding.category == "monitoring":
            continue
        weight = finding_weight(finding, state)
        weights.append((finding, weight))
        parts[COMPONENT[finding.category]] += weight
    for drug_id, withdrawal in state.withdrawals.items():
        weight = WITHDRAWAL_WEIGHT[withdrawal.severity]
        parts["safety"] += weight
        weights.append((_withdrawal_finding(drug_id, withdrawal.severity), weight))
    if scenario.hidden:
        parts["safety"] += MONITORING_WEIGHT * len(_unmonitored(state, scenario, index))
        parts["safety"] += UNKNOWN_WEIGHT * len(unknowns(state, scenario, index))
    totals = burden_totals(items, index)
    parts["burden"] += DBI_WEIGHT * totals["dbi"] + ACB_WEIGHT * totals["acb"] + DRUG_WEIGHT * totals["drugs"]
    drift = untreated(state, scenario, index)
    parts["disease"] += sum(lost for _, lost in drift)
    return Risk(parts["safety"], parts["dosing"], parts["burden"], parts["disease"], tuple(weights), drift)


COMPONENT = {
    "interaction": "safety",
    "drug_disease": "safety",
    "duplication": "safety",
    "withdrawal": "safety",
    "organ_dosing": "dosing",
    "burden": "burden",
    "omission": "disease",
}


def finding_weight(finding: Finding, state: EpisodeState) -> float:
    """Weight of a finding after what has been done about it: monitored, dose reduced, tapering."""
    weight = SEVERITY_WEIGHT[finding.severity]
    if finding.category == "interaction":
        term = finding.management.partition(":")[0].strip()
        if finding.measurement and finding.measurement in state.monitored:
            weight *= MONITORED_FACTOR.get(term, MONITORED_OTHERWISE)
        if term == "reduce_dose" and any(drug in state.reduced for drug in finding.drugs):
            weight *= REDUCED_FACTOR
    tapering = [state.regimen[d].fraction for d in finding.drugs if d in state.regimen and state.regimen[d].tapering]
    if tapering and finding.category != "omission":
        weight *= TAPER_BEGUN[0] + TAPER_BEGUN[1] * min(tapering)
    return weight


def unknowns(state: EpisodeState, scenario: Scenario, index: RuleIndex) -> set[str]:
    """What the agent needs and does not know: facts of drugs taken, products, the chart, kidneys that matter."""
    needed: set[str] = set()
    for name in still_hidden(scenario, state.known):
        kind, _, rest = name.partition(":")
        if kind in ("facts", "product"):
            concealed = {rest} if kind == "facts" else set(ingredients(scenario, rest))
            if concealed & set(state.regimen):
                needed.add(name)
        elif kind in ("indication", "allergies"):
            needed.add("chart")
        elif name in KIDNEY and any(index.rules("renal", drug_id) for drug_id in state.regimen):
            needed.add("kidneys")
    return needed


def _study_risk(state: EpisodeState, scenario: Scenario, index: RuleIndex) -> Risk:
    """Of a pool under study: the danger of its dangerous combinations that nobody has tested."""
    weights = tuple(
        (finding, SEVERITY_WEIGHT[finding.severity])
        for finding in dangerous_combinations(scenario, index)
        if "+".join(finding.drugs) not in state.tested
    )
    return Risk(sum(weight for _, weight in weights), 0.0, 0.0, 0.0, weights, ())


def dangerous_combinations(scenario: Scenario, index: RuleIndex) -> list[Finding]:
    """One finding per combination of the study that holds an interaction of major severity or worse."""
    found = []
    for drugs in scenario.combinations:
        worst = worst_first(interaction_findings(drugs, index) + combination_findings(drugs, index))
        if worst and worst[0].severity in ("major", "contraindicated"):
            name = "+".join(drugs)
            found.append(replace(worst[0], finding_id=f"interaction:{name}", category="interaction", drugs=drugs))
    return found


def _unmonitored(state: EpisodeState, scenario: Scenario, index: RuleIndex) -> set[str]:
    """Measurements that the scenario hides, the regimen needs and nobody ordered."""
    needed = {rule.fields["measurement"] for drug_id in state.regimen for rule in index.rules("monitoring", drug_id)}
    return (needed & scenario.hidden) - state.known


def untreated(state: EpisodeState, scenario: Scenario, index: RuleIndex) -> tuple[tuple[str, float], ...]:
    """Conditions whose treatment was taken away, with their priority in proportion to what was."""
    before: dict[str, set[str]] = defaultdict(set)
    for item in scenario.patient.regimen:
        if item.indication:
            before[item.indication].add(_treatment(item.drug_id, index))
    now: dict[str, dict[str, float]] = defaultdict(dict)
    for drug_id, taken in state.regimen.items():
        if taken.indication:
            share = share_treated(drug_id, taken, scenario.patient, index)
            treatment = _treatment(drug_id, index)
            now[taken.indication][treatment] = max(share, now[taken.indication].get(treatment, 0.0))
    drift = []
    for condition, treatments in sorted(before.items()):
        kept = min(float(len(treatments)), sum(now[condition].values()))
        lost = index.priority(condition) * (1.0 - kept / len(treatments))
        if lost > 0.0:
            drift.append((condition, lost))
    return tuple(drift)


def share_treated(drug_id: str, taken: Taken, patient: Patient, index: RuleIndex) -> float:
    """How much of its treatment a drug gives, 0-1: tapered, or dosed below what treats with these organs."""
    share = min(1.0, taken.fraction) if taken.tapering else 1.0
    floor = lowest_dose(drug_id, patient, index)
    return min(share, taken.dose / floor) if 0 < taken.dose < ENOUGH * floor else share


def lowest_dose(drug_id: str, patient: Patient, index: RuleIndex) -> float:
    """The lowest daily dose that treats: the usual minimum, or the limit that kidneys or liver set below it."""
    profile = index.profile(drug_id)
    if profile is None:
        return 0.0
    limits = [limit for limit in organ_limits(drug_id, patient, index) if limit > 0]
    return min([profile.dose_min, *limits])


def _treatment(drug_id: str, index: RuleIndex) -> str:
    classes = index.drug(drug_id).classes
    return classes[0] if classes else drug_id


def _withdrawal_finding(drug_id: str, severity: str) -> Finding:
    return Finding(
        finding_id=f"withdrawal:{drug_id}",
        category="withdrawal",
        severity=severity,  # type: ignore[arg-type]
        drugs=(drug_id,),
        mechanism="withdrawal",
        management="taper",
        evidence_ids=(f"taper:{drug_id}",),
    )
