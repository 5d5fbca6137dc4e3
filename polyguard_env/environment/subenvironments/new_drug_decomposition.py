"""NEW_DRUG_DECOMPOSITION: an unseen product must be taken apart into ingredients before one can reason about it.

Products bear invented names, or are combination products of the tables; in a control every ingredient is innocent.
"""

from __future__ import annotations

import numpy as np

from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.draws import below, chance, shuffle
from polyguard_env.environment.drafting import layout as lay
from polyguard_env.environment.drafting.adding import NO_FLAG, add_fitting, add_quiet, fill
from polyguard_env.environment.drafting.drawing import allowed, draw, quiet
from polyguard_env.environment.drafting.person import free_condition, pad_condition, pin
from polyguard_env.environment.subenvironments.problems import add_at_fault, blame, marginal
from polyguard_env.environment.subenvironments.shape import between

INGREDIENTS = lay.by_level({"easy": (2, 2), "medium": (2, 2), "hard": (2, 3)})
OTHERS = lay.by_level({"easy": (1, 2), "medium": (2, 3), "hard": (3, 4)})
KINDS = (lay.DUPLICATION, lay.INTERACTION, lay.INTERACTION, lay.DRUG_DISEASE, lay.DRUG_DISEASE)
REAL_SHARE = 0.35
DRAWS = 10


@compiled
def pose(x):
    """A product with an ingredient that duplicates, interacts or is wrong for a condition, and other drugs."""
    d = x.draft[0]
    size, others = between(d.fixed, INGREDIENTS[d.level]), between(d.fixed, OTHERS[d.level])
    real, kind = chance(d.fixed) < REAL_SHARE, KINDS[below(d.fixed, len(KINDS))]
    if real and size == 2 and x.product.shape[0] > 0:
        if not _real_product(x):
            return False
    else:
        for _ in range(size):
            if not add_quiet(x, marginal(x, 0), NO_FLAG):
                return False
    d.ingredients = size
    if not d.control:
        d.problem = kind
        if kind == lay.DUPLICATION:
            d.mild = 1
        if not _make_trouble(x, kind):
            return False
    elif kind == lay.DRUG_DISEASE:
        pad_condition(x)
    return fill(x, size + others, lay.USE, NO_FLAG)


@compiled
def _real_product(x):
    """A combination product of the tables whose ingredients go together here."""
    d = x.draft[0]
    if d.control:
        quiet(x)
    else:
        allowed(x)
    mask = x.mask[lay.PICK]
    for _ in range(DRAWS):
        number = below(d.stream, x.product.shape[0])
        first, second = np.int64(x.product[number, 0]), np.int64(x.product[number, 1])
        apart = not (x.alike[first, second] or (d.control and x.rank[first, second]))
        if apart and mask[first] and mask[second]:
            d.product = number
            return add_fitting(x, first) and add_fitting(x, second)
    return False


@compiled
def _make_trouble(x, kind):
    """Add what makes one ingredient wrong: a twin, a partner, or a condition."""
    d = x.draft[0]
    for k in range(d.ingredients):
        d.choice[k] = k
    shuffle(d.choice, d.ingredients, d.stream)
    for i in range(d.ingredients):
        k = np.int64(d.choice[i])
        place = np.int64(d.place[k])
        if kind == lay.DRUG_DISEASE:
            condition = free_condition(x, place, k)
            if condition >= 0:
                pin(x, condition)
                blame(x, k)
                return True
            continue
        _partners(x, place, k, kind)
        partner = draw(x, lay.USE)
        if partner >= 0:
            blame(x, k)
            return add_at_fault(x, partner, np.nan, True, -1)
    return False


@compiled
def _partners(x, place, slot, kind):
    """Let drugs be drawn next that go ill with an ingredient and well with the others."""
    d = x.draft[0]
    allowed(x)
    mask, rank = x.mask[lay.PICK], x.rank[place]
    for i in range(mask.shape[0]):
        if kind == lay.DUPLICATION:
            mask[i] &= x.doubled[place, i] and rank[i] == 0
        else:
            mask[i] &= rank[i] >= lay.MAJOR and x.split[place, i] == d.split
        for k in range(d.ingredients):
            if mask[i] and k != slot and (x.rank[d.place[k], i] > 0 or x.alike[d.place[k], i]):
                mask[i] = 0
