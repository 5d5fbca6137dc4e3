"""The risk of a situation and what it may do to the person, summed again from the second checker's own findings.

Imports nothing of the project but the second checker.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from polyguard_env.trust.second import holds
from polyguard_env.trust.second.dynamics import KIDNEY, WEEKS, Case, Drug, Situation, same
from polyguard_env.trust.second.findings import LIVER, findings, kidney_values, of_three
from polyguard_env.trust.second.tables import RANK, Facts

# Simulation parameters of this project (2026), no clinical figures.
WEIGHT = {"minor": 0.2, "moderate": 1.0, "major": 3.0, "contraindicated": 6.0}
WITHDRAWN = {"minor": 0.6, "moderate": 2.5, "major": 5.0, "contraindicated": 8.0}
HAZARD = {"minor": 0.01, "moderate": 0.1, "major": 0.45, "contraindicated": 0.9}
PART = {"organ_dosing": "dosing", "burden": "burden", "omission": "disease"}
CHECKED = {
    "bleeding": "haemoglobin", "qt_prolongation": "qtc", "hyperkalaemia": "potassium", "hypokalaemia": "potassium",
    "hyponatraemia": "sodium", "nephrotoxicity": "creatinine", "hypoglycaemia": "glucose",
    "bradycardia": "heart_rate", "hypotension": "blood_pressure_standing", "lithium_toxicity": "lithium_level",
    "digoxin_toxicity": "digoxin_level", "myopathy": "ck", "cyp2c9_inhibition": "inr",
}  # fmt: skip
LEFT_AFTER_CHECK = {"monitor": 0.35, "reduce_dose": 0.5}
PER_DBI, PER_ACB, PER_DRUG = 0.8, 0.15, 0.05
UNKNOWN, UNMEASURED = 0.8, 0.35
ENOUGH = 0.95
SEVERE = ("major", "contraindicated")
FOLLOW_UP = 90


@dataclass(frozen=True, slots=True)
class Risk:
    """Risk by part.

    Attributes:
        weights: finding to severity and weight. severe: findings of major severity that little was done about.
        lost: condition to the priority of the treatment it lost. load, gap: what the regimen as a whole weighs, and
            what is needed and unknown. passing: drugs whose only trouble a pause would answer.
    """

    safety: float
    dosing: float
    burden: float
    disease: float
    severe: int
    weights: dict[str, tuple[str, float]]
    lost: dict[str, float]
    load: float
    gap: float
    passing: frozenset[str] = frozenset()

    @property
    def parts(self) -> tuple[float, float, float, float]:
        return self.safety, self.dosing, self.burden, self.disease


def risk_of(case: Case, now: Situation, facts: Facts) -> Risk:
    """The risk of a situation."""
    if case.combinations:
        weights = {
            f"interaction:{'+'.join(drugs)}": (severity, WEIGHT[severity])
            for drugs, severity in dangerous(case, facts).items()
            if drugs not in now.tested
        }
        total = sum(weight for _, weight in weights.values())
        return Risk(total, 0.0, 0.0, 0.0, len(weights), weights, {}, 0.0, 0.0)
    sums = {"safety": 0.0, "dosing": 0.0, "burden": 0.0, "disease": 0.0}
    weights = {}
    about: set[str] = set()
    lasting: set[str] = set()
    for name, (category, severity) in findings(person_now(case, now), facts).items():
        if category != "monitoring":
            weight = WEIGHT[severity] * left_of(case, name, category, now, facts)
            weights[name] = (severity, weight)
            sums[PART.get(category, "safety")] += weight
            if severity != "minor" and category != "omission":
                drugs = involved(name, category, now, facts)
                (about if answered_by_pause(case, name, category, drugs, now, facts) else lasting).update(drugs)
    for drug, (severity, _) in now.withdrawals.items():
        weights[f"withdrawal:{drug}"] = (severity, WITHDRAWN[severity])
        sums["safety"] += WITHDRAWN[severity]
    lost = untreated(case, now, facts)
    load, gap = load_of(now, facts), gap_of(case, now, facts)
    severe = sum(s in SEVERE and weight >= 0.5 * WEIGHT[s] for s, weight in weights.values())
    return Risk(
        sums["safety"] + gap, sums["dosing"], sums["burden"] + load, sums["disease"] + sum(lost.values()), severe,
        weights, lost, load, gap, frozenset(about - lasting),
    )  # fmt: skip


def dangerous(case: Case, facts: Facts) -> dict[tuple[str, ...], str]:
    """Combinations under study that hold an interaction of major severity, and how severe the worst of it is."""
    found = {}
    for drugs in case.combinations:
        severities = [facts.pairs[p] for p in combinations(sorted(drugs), 2) if p in facts.pairs]
        severities += [severity for _, _, severity in of_three(sorted(drugs), facts)]
        worst = max(severities, key=RANK.__getitem__, default="minor")
        if worst in SEVERE:
            found[tuple(drugs)] = worst
    return found


def person_now(case: Case, now: Situation) -> dict[str, Any]:
    """The person with the regimen as it stands."""
    regimen = [
        {"drug_id": drug, "dose": taken.dose, "indication": taken.indication, "days": taken.days}
        for drug, taken in now.drugs.items()
    ]
    return {**case.person, "regimen": regimen}


def involved(name: str, category: str, now: Situation, facts: Facts) -> set[str]:
    """Drugs of the regimen that a finding is about."""
    kind, _, rest = name.partition(":")
    if kind == "combination":
        targets = [rule["target"] for rule in facts.rules["combination"] if rule["rule_id"] == rest]
        return {drug for drug in now.drugs for target in targets if facts.meets(drug, target)}
    if name in ("burden:acb", "burden:dbi"):
        targets = [rule["target"] for rule in facts.rules["burden"] if rule["kind"] == rest]
        return {drug for drug in now.drugs for target in targets if facts.meets(drug, target)}
    if category in ("interaction", "duplication"):
        return set(rest.split("+"))
    return {rest.split("+")[0]} if category == "drug_disease" else {rest.rpartition(":")[2]}


def left_of(case: Case, name: str, category: str, now: Situation, facts: Facts) -> float:
    """Share of a finding's weight that is left after what was done about it."""
    if category == "omission":
        return 1.0
    drugs = involved(name, category, now, facts)
    left = 1.0
    if category == "interaction":
        pair = tuple(sorted(drugs))
        single = name.startswith("interaction:")
        todo = facts.managements[pair] if single else combination_management(name, facts)
        todo = todo.partition(":")[0].strip()
        check = CHECKED.get(facts.mechanisms[pair], "") if single else ""
        if check and same(check) in now.monitored:
            left *= LEFT_AFTER_CHECK.get(todo, 0.8)
        if todo == "reduce_dose" and any(now.drugs[drug].reduced for drug in drugs):
            left *= 0.4
    left *= left_by_pause(case, name, category, drugs, now, facts)
    tapered = [now.drugs[drug].dose / now.drugs[drug].initial for drug in drugs if now.drugs[drug].tapering]
    return left * min(1.0, 0.1 + 0.5 * min(tapered)) if tapered else left


def ends_with(case: Case, name: str, category: str, drug: str, drugs: set[str], now: Situation, facts: Facts) -> bool:
    """True when a finding about `drugs` would end with a pause of one of them; over weeks nothing does."""
    if case.sub_environment == WEEKS:
        return False
    courses = {other for other in drugs if now.drugs[other].course}
    return holds.ends_with_pause(name, category, drug, now.drugs[drug].indication, drugs, courses, facts)


def left_by_pause(case: Case, name: str, category: str, drugs: set[str], now: Situation, facts: Facts) -> float:
    """Share of a finding that is left while a drug it is about is held."""
    held = [drug for drug in drugs if now.drugs[drug].held and not holds.adds_up(name, category, drugs)]
    if any(ends_with(case, name, category, drug, drugs, now, facts) for drug in held):
        return 0.0
    return 1.0 - holds.LOST if held else 1.0


def answered_by_pause(case: Case, name: str, category: str, drugs: set[str], now: Situation, facts: Facts) -> bool:
    """True when holding one of the drugs that is no course would answer a finding, or does so already."""
    able = [drug for drug in drugs if not now.drugs[drug].course]
    return any(ends_with(case, name, category, drug, drugs, now, facts) for drug in able)


def combination_management(name: str, facts: Facts) -> str:
    rule_id = name.partition(":")[2]
    return next(rule["management"] for rule in facts.rules["combination"] if rule["rule_id"] == rule_id)


def load_of(now: Situation, facts: Facts) -> float:
    """What the regimen weighs as a whole."""
    total = PER_DRUG * len(now.drugs)
    for drug, taken in now.drugs.items():
        total += PER_ACB * facts.number(drug, "acb")
        least = facts.number(drug, "dbi_delta")
        total += PER_DBI * taken.dose / (taken.dose + least) if least else 0.0
    return total


def gap_of(case: Case, now: Situation, facts: Facts) -> float:
    """What is needed and not known."""
    gap = 0.0
    asked = {same(rule["measurement"]) for drug in now.drugs for rule in facts.rules_for("monitoring", drug)}
    gap += UNMEASURED * len(asked & {same(name) for name in now.unknown})
    if now.unknown & KIDNEY and any(facts.rules_for("renal", drug) for drug in now.drugs):
        gap += UNKNOWN
    gap += UNKNOWN * sum(f"facts:{drug}" in now.unknown for drug in now.drugs)
    for name, parts in case.products.items():
        gap += UNKNOWN * (f"product:{name}" in now.unknown and any(drug in now.drugs for drug in parts))
    chart = any(name == "allergies" or name.startswith("indication:") for name in now.unknown)
    return gap + UNKNOWN * chart


def untreated(case: Case, now: Situation, facts: Facts) -> dict[str, float]:
    """Conditions that lost treatment, with the priority lost: of each kind of treatment the best that is left."""
    before: dict[str, set[str]] = {}
    for item in case.person["regimen"]:
        if item["indication"]:
            before.setdefault(item["indication"], set()).add(facts.first_class[item["drug_id"]])
    lost = {}
    for condition, kinds in before.items():
        best: dict[str, float] = {}
        for drug, taken in now.drugs.items():
            if taken.indication == condition:
                kind = facts.first_class[drug]
                best[kind] = max(best.get(kind, 0.0), share_given(case, drug, taken, facts))
        missing = 1.0 - min(1.0, sum(best.values()) / len(kinds))
        if missing > 0:
            lost[condition] = facts.priorities.get(condition, 1.0) * missing
    return lost


def share_given(case: Case, drug: str, taken: Drug, facts: Facts) -> float:
    """How much of its treatment a drug still gives."""
    share = min(1.0, taken.dose / taken.initial) if taken.tapering else 1.0
    kept = (0.0 if taken.course else 1.0 - holds.LOST) if taken.held else 1.0
    if drug not in facts.profiles:
        return share * kept
    kidneys, liver = kidney_values(case.person), case.person["child_pugh"]
    rules = [
        rule
        for rule in facts.rules_for("renal", drug)
        if rule["measure"] in kidneys
        and float(rule["floor"] or 0) <= kidneys[rule["measure"]] < float(rule["threshold"])
    ]
    if liver:
        rules += [
            r for r in facts.rules_for("hepatic", drug) if LIVER.index(liver) >= LIVER.index(r["child_pugh"])
        ]  # fmt: skip
    limits = [float(rule["max_dose"]) for rule in rules if rule["action"] == "reduce" and rule["max_dose"]]
    lowest = min([facts.number(drug, "dose_min"), *(limit for limit in limits if limit > 0)])
    return kept * (min(share, taken.dose / lowest) if 0 < taken.dose < ENOUGH * lowest else share)


def hazard(case: Case, risk: Risk, before: int, now: Situation) -> tuple[float, float]:
    """Hazard of the days since `before`, and of the follow-up once the episode is over: of all harm, of severe harm."""
    over = now.finished or now.step >= case.budget
    if case.combinations:
        rates = [HAZARD[severity] for severity, _ in risk.weights.values()] if over else []
        return sum(rates), sum(rates)
    days = float(now.day - before)
    days += case.budget * case.step_days + FOLLOW_UP - now.day if over else 0
    rates_of = list(standing(risk))
    share = days / FOLLOW_UP
    return sum(r for _, r, _ in rates_of) * share, sum(r for _, r, severe in rates_of if severe) * share


def standing(risk: Risk) -> Iterator[tuple[str, float, bool]]:
    """What may strike: its name, its hazard over a follow-up, and whether it is severe."""
    for name, (severity, weight) in risk.weights.items():
        yield name, HAZARD[severity] * min(1.0, weight / WEIGHT[severity]), severity in SEVERE
    for condition, lost in risk.lost.items():
        yield f"untreated:{condition}", 0.12 * lost, lost >= 2.0
    yield "load:regimen", 0.1 * risk.load, False
    yield "unknown:record", 0.1 * risk.gap, False
