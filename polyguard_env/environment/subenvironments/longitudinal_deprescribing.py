"""LONGITUDINAL_DEPRESCRIBING: take a drug off that does more harm than good, step by step over weeks.

In a control the drugs of the same kind are needed: what they treat outweighs what they burden.
"""

from __future__ import annotations

from polyguard_env.environment.drafting import Draft
from polyguard_env.environment.subenvironments.spec import CONTROL, Posed, SubEnvironment

DRUGS = {"easy": (2, 3), "medium": (3, 4), "hard": (4, 5)}
TARGETS = {"easy": 1, "medium": 1, "hard": 2}
MOST_PRIORITY = 0.8
LEAST_MARGIN = 0.4
LEAST_BURDEN = 2
NEEDED_SHARE = 0.7


def pose(draft: Draft, difficulty: str) -> Posed | None:
    """Drugs that need a taper and whose indication is weak or gone, then bystanders that need tapers too."""
    pool, shape = draft.pool, draft.shape.rng
    count = shape.randint(*DRUGS[difficulty])
    needed = shape.random() < NEEDED_SHARE
    draft.fall()
    heavy = pool.taper & (pool.burdensome >= LEAST_BURDEN)
    targets: list[str] = []
    for _ in range(TARGETS[difficulty]):
        mask = draft.apart() & heavy
        if draft.control:
            # One heavy drug that is needed, where the draw wants one; else only quiet drugs.
            mask &= pool.need(draft.sex) - pool.toll >= LEAST_MARGIN
            drug_id = draft.draw(mask) if needed and not draft.accepted else None
            if drug_id and draft.add(drug_id, days=180 + draft.rng.randrange(2800)):
                draft.accepted.add(drug_id)
            continue
        drug_id = draft.draw(mask)
        if drug_id is None:
            return None
        weak = pool.need(draft.sex)[pool.place[drug_id]] <= MOST_PRIORITY
        dose = pool.profiles[pool.place[drug_id]].dose_usual
        if not draft.add(drug_id, dose=dose, indicated=bool(weak), days=180 + draft.rng.randrange(2800)):
            return None
        targets.append(drug_id)
    if not draft.fill(count, pool.weights, like=pool.taper):
        return None
    return Posed(tuple(targets), CONTROL if draft.control else "deprescribing")


SPEC = SubEnvironment(
    name="LONGITUDINAL_DEPRESCRIBING",
    description="Taper drugs whose harm outweighs their use, without withdrawal.",
    budgets={"easy": 5, "medium": 6, "hard": 9},
    step_days=14,
    pose=pose,
)
