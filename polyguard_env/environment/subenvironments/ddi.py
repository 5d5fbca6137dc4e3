"""DDI: one dangerous pair (two when hard) among bystanders; resolve it without losing needed treatment.

A pair is explicit when both drugs carry the mechanism as the same role (bleeding with bleeding), implicit when an
enzyme or transporter links an inhibitor or inducer to its substrate.
"""

from __future__ import annotations

from polyguard_env.environment.drafting import Draft
from polyguard_env.environment.subenvironments.problems import ANY, SEVERE
from polyguard_env.environment.subenvironments.spec import CONTROL, Posed, SubEnvironment

# Mild scenarios of medium difficulty pose moderate pairs too.
MILD = {"easy": SEVERE, "medium": ANY, "hard": SEVERE}
DRUGS = {"easy": (3, 3), "medium": (3, 4), "hard": (4, 5)}
PAIRS = {"easy": 1, "medium": 1, "hard": 2}
EXPLICIT_SHARE = 0.6
HIDDEN_INDICATION = {"easy": 0.0, "medium": 0.15, "hard": 0.3}


def pose(draft: Draft, difficulty: str) -> Posed | None:
    """Target pairs of the draft's split among bystanders, or bystanders alone in a control."""
    shape, severities = draft.shape.rng, MILD[difficulty] if draft.mild else SEVERE
    count = shape.randint(*DRUGS[difficulty])
    explicit = shape.random() < EXPLICIT_SHARE
    hide = shape.random() < HIDDEN_INDICATION[difficulty]
    mechanism = CONTROL
    targets: list[str] = []
    for _ in range(0 if draft.control else PAIRS[difficulty]):
        pair = draft.pool.draw_pair(draft.split, draft.rng, severities, explicit)
        if pair is None:
            return None
        mechanism = pair.interaction.mechanism if mechanism == CONTROL else mechanism
        for drug_id in (pair.drug_a, pair.drug_b):
            if drug_id not in targets:
                if not draft.add(drug_id):
                    return None
                targets.append(drug_id)
    if not draft.fill(count, draft.pool.marginal(draft.split, severities)):
        return None
    hidden = {f"indication:{draft.drug_ids[draft.rng.randrange(count)]}"} if hide else set()
    return Posed(tuple(targets), mechanism, frozenset(hidden), explicit and not draft.control)


SPEC = SubEnvironment(
    name="DDI",
    description="Find the dangerous drug pair from the drugs' roles and resolve it.",
    budgets={"easy": 2, "medium": 2, "hard": 4},
    step_days=14,
    pose=pose,
)
