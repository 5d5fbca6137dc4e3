"""ALTERNATIVE_SUGGESTION: one drug does not suit this person; which of its substitutes does?

The substitution table gives several; conditions, allergies, organs and the other drugs rule some of them out.
"""

from __future__ import annotations

import numpy as np

from polyguard_env.environment.drafting import Draft
from polyguard_env.environment.pool import MAJOR, MODERATE, Alternative
from polyguard_env.environment.splits import interaction_allowed
from polyguard_env.environment.subenvironments.problems import SEVERE
from polyguard_env.environment.subenvironments.spec import CONTROL, Posed, SubEnvironment
from polyguard_env.knowledge.schema import SEVERITY_RANK
from polyguard_env.patients.model import RegimenItem
from polyguard_env.risk.review import dosing_findings, drug_disease_findings

DRUGS = {"easy": (2, 2), "medium": (3, 3), "hard": (4, 5)}
HIDE_ALLERGIES = {"easy": 0.0, "medium": 0.0, "hard": 0.3}
REASONS = ("disease", "kidneys", "interaction")
DRAWS = 10
LEAST_SUSPECT = 0.1


def pose(draft: Draft, difficulty: str) -> Posed | None:
    """A drug made unsuitable by a condition, the kidneys or another drug, with fitting and unfitting substitutes."""
    shape, pool = draft.shape.rng, draft.pool
    count = shape.randint(*DRUGS[difficulty])
    hidden = frozenset({"allergies"}) if shape.random() < HIDE_ALLERGIES[difficulty] else frozenset()
    reason = REASONS[shape.randrange(len(REASONS))]
    by_allergy = shape.random() < 0.5
    if reason == "kidneys":
        draft.set_kidneys(low=True)
    several = pool.several[draft.row]
    drug_id = _unsuitable(draft, reason, count)
    if drug_id is None or not draft.fill(count, _suspects(draft), like=several):
        return None
    choices = pool.choices(drug_id, draft.purpose(drug_id))
    fitting = [choice for choice in choices if _fits(draft, drug_id, choice)]
    if len(fitting) == len(choices) and not _rule_out(draft, drug_id, fitting, by_allergy):
        return None
    left = [choice for choice in fitting if _fits(draft, drug_id, choice)]
    if not left:
        return None
    targets = () if draft.control else (drug_id,)
    return Posed(targets, CONTROL if draft.control else reason, hidden)


def _suspects(draft: Draft) -> np.ndarray:
    """By use, and by how many of the reasons could speak against a drug, shape (n,): bystanders look like targets."""
    pool = draft.pool
    exposed = np.array([bool(names) for names in pool.against])
    met = ((pool.rank >= MAJOR) & (pool.split_of == draft.code)).any(axis=1)
    return np.asarray(pool.weights * (LEAST_SUSPECT + exposed + pool.kidney + met))


def _unsuitable(draft: Draft, reason: str, count: int) -> str | None:
    """Add a drug with several substitutes that does not suit; one that suits in a control."""
    pool, mask = draft.pool, draft.pool.several[draft.row]
    for _ in range(DRAWS):
        drug_id = draft.draw((draft.quiet() if draft.control else draft.apart()) & mask)
        if drug_id is None:
            return None
        place = pool.place[drug_id]
        if draft.control:
            if draft.add_quiet(_suspects(draft), mask):
                return draft.drug_ids[-1]
            continue
        if reason == "disease":
            free = [name for name in pool.against[place] if pool.uncalled(name) and name != "cirrhosis"]
            if free and draft.add(drug_id):
                draft.pin(free[draft.rng.randrange(len(free))])
                return drug_id
        elif reason == "kidneys":
            dose = pool.profiles[place].dose_usual
            found = dosing_findings(RegimenItem(drug_id, dose), draft.patient, draft.kidneys, draft.index)
            if any(SEVERITY_RANK[f.severity] >= draft.least and f.limit is None for f in found):
                return drug_id if draft.add(drug_id, dose=dose) else None
        else:
            rank = pool.rank[place]
            partners = draft.apart() & (rank >= SEVERITY_RANK[SEVERE[-1]]) & (pool.split_of[place] == draft.code)
            partner = draft.draw(partners & pool.several[draft.row]) or draft.draw(partners)
            if partner and count >= 2 and draft.add(drug_id):
                return drug_id if draft.add(partner) else None
    return None


def _fits(draft: Draft, old: str, choice: Alternative) -> bool:
    """True when a substitute raises no finding of moderate severity or worse in this person."""
    index, patient = draft.index, draft.patient
    drug, profile = index.drug(choice.drug_id), index.profile(choice.drug_id)
    others = [name for name in draft.drug_ids if name != old]
    if profile is None or choice.drug_id in draft.drug_ids:
        return False
    names = {choice.drug_id, *drug.classes}
    if names & set(patient.allergies) or choice.wrong_if & (set(patient.conditions) | _names(draft, others)):
        return False
    for other in others:
        edge = index.interaction(choice.drug_id, other)
        if edge and SEVERITY_RANK[edge.severity] >= MODERATE:
            return False
        if not interaction_allowed(choice.drug_id, other, draft.split, index):
            return False
    item = RegimenItem(choice.drug_id, profile.dose_min, draft.purpose(old))
    found = drug_disease_findings(item, patient, index) + dosing_findings(item, patient, draft.kidneys, index)
    return all(SEVERITY_RANK[finding.severity] < MODERATE for finding in found)


def _names(draft: Draft, drugs: list[str]) -> set[str]:
    return {name for drug_id in drugs for name in (drug_id, *draft.index.drug(drug_id).classes)}


def _rule_out(draft: Draft, old: str, fitting: list[Alternative], by_allergy: bool) -> bool:
    """Make one of several fitting substitutes unfitting, by an allergy or a condition, and leave another."""
    pool = draft.pool
    order = list(fitting)
    draft.rng.shuffle(order)
    for choice in order:
        others = [other for other in fitting if other.drug_id != choice.drug_id]
        if by_allergy:
            draft.set_allergies((*draft.patient.allergies, choice.drug_id))
        else:
            known = set(pool.conditions) - set(draft.patient.conditions)
            taken = [pool.place[name] for name in draft.drug_ids]
            free = [
                name
                for name in sorted(choice.wrong_if & known)
                if pool.uncalled(name)
                and name != "cirrhosis"
                and not (pool.unsuits[taken, pool.condition_place[name]] >= MODERATE).any()
                and not any(name in other.wrong_if for other in others)
            ]
            if not free:
                continue
            draft.pin(free[draft.rng.randrange(len(free))])
        return True
    return False


SPEC = SubEnvironment(
    name="ALTERNATIVE_SUGGESTION",
    description="Suggest the substitute that fits this person's conditions, allergies, organs and other drugs.",
    budgets={"easy": 2, "medium": 2, "hard": 4},
    step_days=14,
    pose=pose,
)
