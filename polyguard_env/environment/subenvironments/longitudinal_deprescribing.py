"""LONGITUDINAL_DEPRESCRIBING: take a drug off that does more harm than good, step by step over weeks."""

from __future__ import annotations

from dataclasses import replace

from polyguard_env.environment.drafting import Draft
from polyguard_env.environment.episode import taper_rule
from polyguard_env.environment.subenvironments.spec import Posed, SubEnvironment

BYSTANDERS = {"easy": (1, 2), "medium": (2, 2), "hard": (2, 3)}
MOST_PRIORITY = 0.8
MAX_TARGETS = {"easy": 1, "medium": 1, "hard": 2}


def pose(draft: Draft, difficulty: str) -> Posed | None:
    """Draw drugs that need a taper and whose indication is weak or gone, then add bystanders."""
    pool, index = draft.pool, draft.index
    targets: list[str] = []
    for place in draft.rng.choice(len(pool.drugs), size=len(pool.drugs), replace=False, p=pool.weights):
        if len(targets) == MAX_TARGETS[difficulty]:
            break
        drug_id = pool.drugs[int(place)]
        profile = index.profile(drug_id)
        if profile is None or taper_rule(drug_id, index) is None:
            continue
        burden = profile.acb + profile.sedation + profile.fall_risk
        weak = index.priority(profile.indications[0]) <= MOST_PRIORITY
        if burden < 2 or any(index.interaction(drug_id, other) for other in draft.drug_ids):
            continue
        if draft.add(drug_id, dose=profile.dose_usual, indicated=weak, days=int(draft.rng.integers(180, 3000))):
            targets.append(drug_id)
    if len(targets) < MAX_TARGETS[difficulty]:
        return None
    draft.patient = replace(draft.patient, falls=max(1, draft.patient.falls))
    low, high = BYSTANDERS[difficulty]
    if not draft.add_bystanders(int(draft.rng.integers(low, high + 1))):
        return None
    return Posed(tuple(targets), "deprescribing")


SPEC = SubEnvironment(
    name="LONGITUDINAL_DEPRESCRIBING",
    description="Taper drugs whose harm outweighs their use, without withdrawal.",
    budgets={"easy": 4, "medium": 5, "hard": 6},
    step_days=14,
    pose=pose,
)
