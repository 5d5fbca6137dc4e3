"""BANDIT_MINING: search combinations of a pool of drugs for dangerous ones under a budget of labels.

A combination is dangerous when a pair in it interacts severely. Combinations of both sorts have the same sizes.
"""

from __future__ import annotations

from itertools import combinations

from polyguard_env.environment.drafting import Draft
from polyguard_env.environment.pool import MAJOR
from polyguard_env.environment.subenvironments.problems import SEVERE
from polyguard_env.environment.subenvironments.spec import CONTROL, Posed, SubEnvironment
from polyguard_env.risk.combinations import combination_findings

POOL = {"easy": (6, 6), "medium": (7, 8), "hard": (8, 9)}
COMBINATIONS = {"easy": (8, 9), "medium": (10, 12), "hard": (12, 14)}
DANGEROUS = {"easy": 1, "medium": 2, "hard": 3}
SIZES = (2, 2, 3, 3, 4)
DRAWS = 60


def pose(draft: Draft, difficulty: str) -> Posed | None:
    """A pool with one or two severe pairs, and combinations of which one to three hold one; none in a control."""
    shape, pool = draft.shape.rng, draft.pool
    drugs, count = shape.randint(*POOL[difficulty]), shape.randint(*COMBINATIONS[difficulty])
    sizes = [SIZES[shape.randrange(len(SIZES))] for _ in range(count)]
    pairs: list[tuple[str, str]] = []
    mechanism = CONTROL
    for _ in range(0 if draft.control else min(2, DANGEROUS[difficulty])):
        pair = pool.draw_pair(draft.split, draft.rng, SEVERE)
        if pair is None:
            return None
        mechanism = pair.interaction.mechanism if mechanism == CONTROL else mechanism
        for drug_id in (pair.drug_a, pair.drug_b):
            if drug_id not in draft.drug_ids and not draft.add(drug_id):
                return None
    pairs = [pair for pair in combinations(draft.drug_ids, 2) if _dangerous(draft, pair)]
    if not draft.fill(drugs, pool.marginal(draft.split, SEVERE)):
        return None
    chosen = _combinations(draft, pairs, sizes, 0 if draft.control else DANGEROUS[difficulty])
    if chosen is None:
        return None
    targets = tuple(sorted({drug_id for pair in pairs for drug_id in pair}))
    return Posed(targets, mechanism, combinations=chosen)


def _combinations(
    draft: Draft, pairs: list[tuple[str, str]], sizes: list[int], dangerous: int
) -> tuple[tuple[str, ...], ...] | None:
    """Distinct combinations of the given sizes, the first `dangerous` of them with a severe pair; shuffled."""
    found: list[tuple[str, ...]] = []
    for place, size in enumerate(sizes):
        for _ in range(DRAWS):
            chosen = set(pairs[draft.rng.randrange(len(pairs))]) if place < dangerous else set()
            rest = [name for name in draft.drug_ids if name not in chosen]
            chosen |= set(draft.rng.sample(rest, size - len(chosen)))
            combination = tuple(sorted(chosen))
            if combination not in found and _dangerous(draft, combination) == (place < dangerous):
                found.append(combination)
                break
        else:
            return None
    draft.rng.shuffle(found)
    return tuple(found)


def _dangerous(draft: Draft, drugs: tuple[str, ...]) -> bool:
    """True when a pair or a larger set among the drugs is a finding of major severity or worse."""
    pool = draft.pool
    places = [pool.place[drug_id] for drug_id in drugs]
    if any(pool.rank[one, other] >= MAJOR for one, other in combinations(places, 2)):
        return True
    return any(finding.severity in SEVERE for finding in combination_findings(drugs, draft.index))


SPEC = SubEnvironment(
    name="BANDIT_MINING",
    description="Find the dangerous drug combinations of a pool with few tests.",
    budgets={"easy": 3, "medium": 4, "hard": 6},
    step_days=1,
    pose=pose,
)
