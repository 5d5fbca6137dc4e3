"""BANDIT_MINING: search combinations of a pool of drugs for dangerous ones under a budget of labels.

A combination is dangerous when a pair in it interacts severely. Combinations of both sorts have the same sizes.
"""

from __future__ import annotations

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.draws import below, chance, shuffle
from polyguard_env.engine.regimen import regimen_findings
from polyguard_env.environment.drafting import layout as lay
from polyguard_env.environment.drafting.adding import NO_FLAG, fill
from polyguard_env.environment.drafting.drawing import draw_pair
from polyguard_env.environment.subenvironments.problems import marginal
from polyguard_env.environment.subenvironments.shape import add_pair, between

POOL = lay.by_level({"easy": (6, 6), "medium": (7, 8), "hard": (8, 9)})
COMBINATIONS = lay.by_level({"easy": (8, 9), "medium": (10, 12), "hard": (12, 14)})
DANGEROUS = {"easy": 1, "medium": 2, "hard": 3}
IN_DANGER = lay.by_level(DANGEROUS)
SIZES = (2, 2, 3, 3, 4)
DRAWS = 60
# How often a harmless combination is begun with a drug of a severe pair.
LURED = 0.4


@compiled
def pose(x):
    """A pool with one or two severe pairs, and combinations of which one to three hold one; none in a control."""
    d, st = x.draft[0], x.call.states[0]
    drugs, count = between(d.fixed, POOL[d.level]), between(d.fixed, COMBINATIONS[d.level])
    for i in range(count):
        d.size[i] = SIZES[below(d.fixed, len(SIZES))]
    for number in range(0 if d.control else min(2, IN_DANGER[d.level])):
        place = draw_pair(x, 0, -1)
        if place < 0 or not add_pair(x, place):
            return False
        if number == 0:
            d.problem = lay.MECHANISM + x.pair[place].mechanism
    _taken(x, st)
    pairs = _pairs(x)
    if not fill(x, drugs, marginal(x, 0), NO_FLAG):
        return False
    _taken(x, st)
    return _combine(x, pairs, count, 0 if d.control else IN_DANGER[d.level])


@compiled
def _taken(x, st):
    """Let a state hold the drugs, so that rules on combinations can be asked of it."""
    d = x.draft[0]
    st.n = d.n
    for k in range(d.n):
        st.drug[k] = x.pooled[d.place[k]].drug


@compiled
def _pairs(x):
    """Note the dangerous pairs of the drugs so far as bits of places, in the draft's list; how many there are."""
    d = x.draft[0]
    count = 0
    d.targets = 0
    for k in range(d.n):
        for other in range(k):
            pair = (np.int64(1) << np.int64(k)) | (np.int64(1) << np.int64(other))
            if danger(x, pair) >= lay.MAJOR:
                d.list[count] = pair
                d.targets |= pair
                count += 1
    return count


@compiled
def danger(x, drugs):
    """The severity of the worst interaction of a set of drugs, given as bits of places."""
    d, st = x.draft[0], x.call.states[0]
    worst = 0
    for k in range(d.n):
        st.alive[k] = (drugs >> np.int64(k)) & 1
        if st.alive[k]:
            for other in range(k):
                if st.alive[other]:
                    worst = max(worst, np.int64(x.rank[d.place[k], d.place[other]]))
    w = x.call.work[0]
    for i in range(regimen_findings(x.facts, x.call.scenarios[0], st, w, 0)):
        if w.found[i].what == at.HYPEREDGE:
            worst = max(worst, np.int64(w.found[i].severity))
    return worst


@compiled
def _drawn(d, left, chosen):
    """A set of drugs with so many more of the draft's, drawn at random."""
    while left > 0:
        bit = np.int64(1) << below(d.stream, d.n)
        if chosen & bit == 0:
            chosen |= bit
            left -= 1
    return chosen


@compiled
def _combine(x, pairs, count, dangerous):
    """Distinct combinations of the sizes drawn, the first `dangerous` of them with a severe pair; shuffled.

    Some of the others hold one drug of a severe pair, or of two drawn at random in a control, so that a drug of the
    pair is not told by how seldom it comes.
    """
    d = x.draft[0]
    lures = d.targets if pairs > 0 else _drawn(d, 2, np.int64(0))
    for place in range(count):
        for tried in range(DRAWS):
            chosen = np.int64(0)
            left = d.size[place]
            if place < dangerous and pairs > 0:
                chosen = d.list[below(d.stream, pairs)]
                left -= 2
            elif chance(d.stream) < LURED:
                while chosen & lures == 0:
                    chosen = np.int64(1) << below(d.stream, d.n)
                left -= 1
            chosen = _drawn(d, left, chosen)
            fresh = True
            for i in range(place):
                fresh = fresh and d.combination[i] != chosen
            if fresh:
                worst = danger(x, chosen)
                if (worst >= lay.MAJOR) == (place < dangerous):
                    d.combination[place] = chosen
                    break
            if tried == DRAWS - 1:
                return False
    d.combinations = count
    shuffle(d.combination, count, d.stream)
    for i in range(count):
        worst = danger(x, d.combination[i])
        d.danger[i] = worst if worst >= lay.MAJOR else 0
    return True
