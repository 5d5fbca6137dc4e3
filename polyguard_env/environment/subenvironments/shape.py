"""Small draws that sub-environments share."""

from __future__ import annotations

import numpy as np

from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.draws import below
from polyguard_env.environment.drafting.adding import add
from polyguard_env.environment.subenvironments.problems import blame


@compiled
def between(stream, bounds):
    """A whole number from the first to the second of two bounds."""
    return bounds[0] + below(stream, bounds[1] - bounds[0] + 1)


@compiled
def slot_of_place(x, place):
    """The slot of a drug of the pool, -1 when it is not taken."""
    d = x.draft[0]
    for k in range(d.n):
        if d.place[k] == place:
            return k
    return -1


@compiled
def add_pair(x, place):
    """Add the drugs of a pair that are not taken yet, and note both as those the problem is about."""
    d, pair = x.draft[0], x.pair[place]
    for end in range(2):
        drug = np.int64(pair.b) if end else np.int64(pair.a)
        k = slot_of_place(x, drug)
        if k < 0:
            if not add(x, drug, np.nan, True, -1):
                return False
            k = d.n - 1
        blame(x, k)
    return True
