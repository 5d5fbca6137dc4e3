"""DDI: one dangerous pair (two when hard) among bystanders; resolve it without losing needed treatment."""

from __future__ import annotations

from polyguard_env.environment.drafting import Draft, draw_pair
from polyguard_env.environment.subenvironments.spec import Posed, SubEnvironment

SEVERITIES = {
    "easy": ("contraindicated", "major"),
    "medium": ("contraindicated", "major", "moderate"),
    "hard": ("contraindicated", "major"),
}
BYSTANDERS = {"easy": (1, 1), "medium": (1, 2), "hard": (0, 1)}


def pose(draft: Draft, difficulty: str) -> Posed | None:
    """Draw target pairs of the draft's split and add bystanders."""
    first = draw_pair(draft.pool, draft.split, draft.rng, SEVERITIES[difficulty])
    if first is None or not (draft.add(first.drug_a) and draft.add(first.drug_b)):
        return None
    targets = [first.drug_a, first.drug_b]
    if difficulty == "hard":
        second = draw_pair(draft.pool, draft.split, draft.rng, SEVERITIES[difficulty])
        if second is None:
            return None
        for drug_id in (second.drug_a, second.drug_b):
            if drug_id not in draft.drug_ids:
                if not draft.add(drug_id):
                    return None
                targets.append(drug_id)
    low, high = BYSTANDERS[difficulty]
    if not draft.add_bystanders(int(draft.rng.integers(low, high + 1))):
        return None
    hidden: set[str] = set()
    if difficulty == "hard" and draft.rng.random() < 0.3:
        hidden.add(f"indication:{draft.drug_ids[int(draft.rng.integers(len(draft.regimen)))]}")
    return Posed(tuple(targets), first.interaction.mechanism, frozenset(hidden))


SPEC = SubEnvironment(
    name="DDI",
    description="Find the dangerous drug pair from the drugs' roles and resolve it.",
    budgets={"easy": 2, "medium": 2, "hard": 4},
    step_days=14,
    pose=pose,
)
