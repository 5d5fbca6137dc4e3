"""REGIMEN_RISK: doses for these kidneys, drugs against conditions, duplicates, burden and missing labs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from polyguard_env.environment.drafting import Draft
from polyguard_env.environment.subenvironments.spec import Posed, SubEnvironment
from polyguard_env.risk.review import kidney_function

PROBLEMS = {"easy": 1, "medium": 2, "hard": 3}
BYSTANDERS = {"easy": (1, 2), "medium": (1, 2), "hard": (0, 1)}
HIDE_KIDNEYS = {"easy": 0.0, "medium": 0.15, "hard": 0.35}


def pose(draft: Draft, difficulty: str) -> Posed | None:
    """Set up one to three problems of different kinds, then add bystanders."""
    kinds = list(KINDS)
    order = draft.rng.permutation(len(kinds))
    posed: list[str] = []
    targets: list[str] = []
    for place in order:
        if len(posed) == PROBLEMS[difficulty]:
            break
        kind = kinds[int(place)]
        added = KINDS[kind](draft)
        if added:
            posed.append(kind)
            targets += added
    if len(posed) < PROBLEMS[difficulty]:
        return None
    low, high = BYSTANDERS[difficulty]
    if not draft.add_bystanders(int(draft.rng.integers(low, high + 1))):
        return None
    hidden: set[str] = set()
    if draft.rng.random() < HIDE_KIDNEYS[difficulty] and draft.index.rules("renal", targets[0]):
        hidden |= {"creatinine", "crcl", "egfr"} & set(draft.patient.measurements)
    return Posed(tuple(targets), posed[0], frozenset(hidden))


def _draw(draft: Draft, fits: Callable[[str], bool]) -> str | None:
    """A pool drug that fits and interacts with nothing present."""
    pool = draft.pool
    for place in draft.rng.choice(len(pool.drugs), size=min(160, len(pool.drugs)), replace=False, p=pool.weights):
        drug_id = pool.drugs[int(place)]
        if drug_id in draft.drug_ids or not fits(drug_id):
            continue
        if not any(draft.index.interaction(drug_id, other) for other in draft.drug_ids):
            return drug_id
    return None


def pose_renal(draft: Draft) -> list[str]:
    """A drug whose usual dose is too much for the patient's kidneys."""
    kidneys = kidney_function(draft.patient)

    def fits(drug_id: str) -> bool:
        for rule in draft.index.rules("renal", drug_id):
            value = kidneys.get(rule.fields["measure"])
            if value is not None and value < float(rule.fields["threshold"]) and rule.fields["action"] != "monitor":
                return float(rule.fields.get("floor") or 0) <= value
        return False

    drug_id = _draw(draft, fits)
    profile = draft.index.profile(drug_id) if drug_id else None
    if drug_id and profile and draft.add(drug_id, dose=profile.dose_usual):
        return [drug_id]
    return []


def pose_drug_disease(draft: Draft) -> list[str]:
    """A drug that one of the patient's conditions makes unsuitable."""
    conditions = set(draft.patient.conditions)

    def fits(drug_id: str) -> bool:
        return any(
            rule.fields["condition"] in conditions and rule.severity in ("major", "contraindicated")
            for rule in draft.index.rules("drug_disease", drug_id)
        )

    drug_id = _draw(draft, fits)
    return [drug_id] if drug_id and draft.add(drug_id) else []


def pose_duplication(draft: Draft) -> list[str]:
    """Two drugs of one class for one purpose."""
    first = _draw(draft, lambda drug_id: bool(draft.index.duplicates.get(drug_id)))
    if first is None:
        return []
    classes = set(draft.index.drug(first).classes[:1])

    def fits(drug_id: str) -> bool:
        return drug_id != first and bool(classes & set(draft.index.drug(drug_id).classes[:1]))

    second = _draw(draft, fits)
    if second is None:
        return []
    kept = list(draft.regimen), draft.patient
    if draft.add(first) and draft.add(second):
        return [first, second]
    draft.regimen, draft.patient = kept
    return []


def pose_excess_dose(draft: Draft) -> list[str]:
    """A drug above its geriatric maximum."""
    drug_id = _draw(draft, lambda drug_id: True)
    profile = draft.index.profile(drug_id) if drug_id else None
    if drug_id and profile and draft.add(drug_id, dose=round(profile.dose_max * 2, 4)):
        return [drug_id]
    return []


def pose_sedative_with_falls(draft: Draft) -> list[str]:
    """A fall-risk drug without strong indication in a person who falls."""

    def fits(drug_id: str) -> bool:
        profile = draft.index.profile(drug_id)
        return bool(profile and profile.fall_risk >= 2 and profile.acb + profile.sedation >= 2)

    drug_id = _draw(draft, fits)
    if drug_id is None or not draft.add(drug_id):
        return []
    draft.patient = replace(draft.patient, falls=max(1, draft.patient.falls))
    return [drug_id]


KINDS: dict[str, Callable[[Draft], list[str]]] = {
    "renal": pose_renal,
    "drug_disease": pose_drug_disease,
    "duplication": pose_duplication,
    "excess_dose": pose_excess_dose,
    "sedative_with_falls": pose_sedative_with_falls,
}

SPEC = SubEnvironment(
    name="REGIMEN_RISK",
    description="Put right doses, duplicates, drug-disease conflicts and burden of a regimen.",
    budgets={"easy": 2, "medium": 3, "hard": 4},
    step_days=14,
    pose=pose,
)
