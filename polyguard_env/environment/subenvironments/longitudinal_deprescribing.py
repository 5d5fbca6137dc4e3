"""LONGITUDINAL_DEPRESCRIBING: take a drug off that does more harm than good, step by step over weeks.

Some scenarios are about prevention in a person who will not live to see its benefit (STOPPFrail). In a control the
drugs of the same kind are needed: what they treat outweighs what they burden.
"""

from __future__ import annotations

from polyguard_env.environment.drafting import Draft
from polyguard_env.environment.pool import MODERATE
from polyguard_env.environment.subenvironments.spec import CONTROL, Posed, SubEnvironment

DRUGS = {"easy": (2, 3), "medium": (3, 4), "hard": (4, 5)}
TARGETS = {"easy": 1, "medium": 1, "hard": 2}
MOST_PRIORITY = 0.8
LEAST_MARGIN = 0.4
LEAST_BURDEN = 2
NEEDED_SHARE = 0.7
PREVENTION_SHARE = 0.15
SHORT_TIME = "limited_life_expectancy"
FRAIL, ROBUST = 8, 3


def pose(draft: Draft, difficulty: str) -> Posed | None:
    """Drugs that need a taper and whose indication is weak or gone, then bystanders that need tapers too."""
    pool, shape = draft.pool, draft.shape.rng
    count = shape.randint(*DRUGS[difficulty])
    targets: list[str] = []
    needed = shape.random() < NEEDED_SHARE
    prevention = shape.random() < PREVENTION_SHARE
    draft.fall()
    if prevention:
        found = _prevention(draft, frail=not draft.control or shape.random() < 0.5)
        if found is None:
            return None
        targets += found
    heavy = pool.taper & (pool.burdensome >= LEAST_BURDEN)
    for _ in range(TARGETS[difficulty] - prevention):
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
    return Posed(tuple(targets), CONTROL if draft.control else "time_to_benefit" if prevention else "deprescribing")


def _prevention(draft: Draft, frail: bool) -> list[str] | None:
    """A preventive drug without a disease to treat, in a person whose time is short.

    In a control either the person is as frail and takes no such drug, or takes one for a disease and is robust.
    """
    pool = draft.pool
    preventive = pool.unsuits[:, pool.condition_place[SHORT_TIME]] >= MODERATE
    draft.set_frailty(FRAIL if frail else ROBUST)
    draft.mild = True
    if draft.control:
        if frail:
            draft.pin(SHORT_TIME)
        return [] if draft.add_quiet(pool.weights, None if frail else preventive) else None
    draft.pin(SHORT_TIME)
    drug_id = draft.draw(draft.apart() & preventive)
    if drug_id is None or not draft.add(drug_id, indicated=False, days=365 + draft.rng.randrange(3000)):
        return None
    return [drug_id]


SPEC = SubEnvironment(
    name="LONGITUDINAL_DEPRESCRIBING",
    description="Taper drugs whose harm outweighs their use, without withdrawal.",
    budgets={"easy": 5, "medium": 6, "hard": 9},
    step_days=14,
    pose=pose,
)
