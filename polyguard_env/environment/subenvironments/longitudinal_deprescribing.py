"""LONGITUDINAL_DEPRESCRIBING: take a drug off that does more harm than good, step by step over weeks.

Some scenarios are about prevention in a person who will not live to see its benefit (STOPPFrail). In a control the
drugs of the same kind are needed: what they treat outweighs what they burden.
"""

from __future__ import annotations

import numpy as np

from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.draws import below, chance
from polyguard_env.environment.drafting import layout as lay
from polyguard_env.environment.drafting.adding import NO_FLAG, add, add_quiet, fill
from polyguard_env.environment.drafting.drawing import apart, draw, keep
from polyguard_env.environment.drafting.person import pin
from polyguard_env.environment.subenvironments.problems import add_at_fault
from polyguard_env.environment.subenvironments.shape import between

DRUGS = lay.by_level({"easy": (2, 3), "medium": (3, 4), "hard": (4, 5)})
TARGETS = lay.by_level({"easy": 1, "medium": 1, "hard": 2})
MOST_PRIORITY = 0.8
NEEDED_SHARE = 0.7
PREVENTION_SHARE = 0.15
FRAIL, ROBUST = 8, 3


@compiled
def pose(x):
    """Drugs that need a taper and whose indication is weak or gone, then bystanders that need tapers too."""
    d = x.draft[0]
    count = between(d.fixed, DRUGS[d.level])
    needed, prevention = chance(d.fixed) < NEEDED_SHARE, chance(d.fixed) < PREVENTION_SHARE
    d.falls = max(1, d.falls)
    if prevention:
        frail = chance(d.fixed) < 0.5
        if not _prevention(x, frail or not d.control):
            return False
    for _ in range(TARGETS[d.level] - (1 if prevention else 0)):
        apart(x)
        keep(x, lay.HEAVY, True)
        if d.control:
            # One heavy drug that is needed, where the draw wants one; else only quiet drugs.
            if needed and d.accepted == 0:
                keep(x, lay.OUTWEIGHED + d.row, True)
                place = draw(x, lay.USE)
                if place >= 0 and add(x, place, np.nan, True, 180 + below(d.stream, 2800)):
                    d.accepted |= np.int64(1) << np.int64(d.n - 1)
            continue
        place = draw(x, lay.USE)
        if place < 0:
            return False
        row = x.pooled[place]
        weak = x.holding[row.purpose[d.row]].priority <= MOST_PRIORITY
        if not add_at_fault(x, place, row.dose_usual, weak, 180 + below(d.stream, 2800)):
            return False
    if not d.control:
        d.problem = lay.TIME_TO_BENEFIT if prevention else lay.DEPRESCRIBING
    return fill(x, count, lay.USE, lay.TAPER)


@compiled
def _prevention(x, frail):
    """A preventive drug without a disease to treat, in a person whose time is short.

    In a control either the person is as frail and takes no such drug, or takes one for a disease and is robust.
    """
    d = x.draft[0]
    d.frailty = FRAIL if frail else ROBUST
    d.mild = 1
    if frail:
        pin(x, x.named[lay.SHORT_TIME])
    if d.control:
        return add_quiet(x, lay.USE, NO_FLAG if frail else lay.PREVENTIVE)
    apart(x)
    keep(x, lay.PREVENTIVE, True)
    place = draw(x, lay.USE)
    return place >= 0 and add_at_fault(x, place, np.nan, False, 365 + below(d.stream, 3000))
