"""Draws of a draft: which drugs may be added, and one of them by weight."""

from __future__ import annotations

import numpy as np

from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.draws import below, chance
from polyguard_env.environment.drafting import layout as lay


@compiled
def allowed(x):
    """Let what may be added at all be drawn next: not taken, indicated, no pair of another split, no allergy."""
    flag, mask = x.flag[lay.GIVEN + x.draft[0].row], x.mask
    for i in range(flag.shape[0]):
        mask[lay.PICK, i] = flag[i] & (1 - mask[lay.FOREIGN, i])


@compiled
def apart(x):
    """Let allowed drugs be drawn next that neither interact with nor duplicate anything present."""
    flag, mask = x.flag[lay.GIVEN + x.draft[0].row], x.mask
    for i in range(flag.shape[0]):
        mask[lay.PICK, i] = flag[i] & (1 - (mask[lay.FOREIGN, i] | mask[lay.BLOCKED, i]))


@compiled
def quiet(x):
    """Let drugs be drawn next that would start no new trouble beside what is present."""
    d, mask, load = x.draft[0], x.mask, x.load
    flag = x.flag[(lay.STILL if d.falls > 0 else lay.CALM) + d.row]
    for i in range(flag.shape[0]):
        taken = mask[lay.FOREIGN, i] | mask[lay.BLOCKED, i] | mask[lay.SPOILS, i] | mask[lay.UNSUITED, i]
        mask[lay.PICK, i] = flag[i] & (1 - taken)
    for what in range(3):
        room = lay.MOST_LOAD[what] - d.load[what]
        own = load[what]
        for i in range(flag.shape[0]):
            mask[lay.PICK, i] &= own[i] == 0.0 or own[i] < room


@compiled
def keep(x, flag, wanted):
    """Keep to drugs whose flag of this row is 1 where `wanted`, 0 otherwise."""
    row, mask = x.flag[flag], x.mask[lay.PICK]
    for i in range(row.shape[0]):
        mask[i] &= row[i] if wanted else 1 - row[i]


@compiled
def draw(x, weight):
    """The place of one of the drugs that may be drawn next, by a row of weights; -1 when there is none."""
    weights, mask = x.weight[weight], x.mask[lay.PICK]
    total, last = 0.0, -1
    for i in range(mask.shape[0]):
        total += weights[i] * mask[i]
    if total <= 0.0:
        return last
    spot, reached = chance(x.draft[0].stream) * total, 0.0
    for i in range(mask.shape[0]):
        if mask[i]:
            reached += weights[i]
            last = i
            if reached > spot:
                return i
    return last


@compiled
def draw_any(x, weight):
    """The place of any drug, by a row of weights."""
    sums = x.cumulative[weight]
    return find(sums, 0, sums.shape[0], chance(x.draft[0].stream) * sums[sums.shape[0] - 1])


@compiled
def find(sums, first, end, spot):
    """The first place whose running sum is above `spot`, at most the last."""
    low, high = first, end - 1
    while low < high:
        middle = (low + high) // 2
        if sums[middle] > spot:
            high = middle
        else:
            low = middle + 1
    return low


@compiled
def draw_pair(x, moderate, explicit):
    """A target pair of the split, evened out over mechanisms; half the holdout draws are mechanisms never trained.

    Args:
        moderate: pairs of moderate severity count too.
        explicit: 1 for pairs that carry the mechanism as one role, 0 for those linked by an enzyme, -1 for either.

    Returns:
        Its place among the pairs, -1 when the split has none.
    """
    d = x.draft[0]
    unseen = -1
    if d.split == 2:
        unseen = 1 if chance(d.stream) < 0.5 else 0
    for easing in range(3):
        kind = explicit if easing < 2 else -1
        met = unseen if easing < 1 else -1
        key = ((d.split * 2 + moderate) * 3 + kind + 1) * 3 + met + 1
        first, end = x.pair_key[key, 0], x.pair_key[key, 1]
        if end > first:
            return np.int64(x.pair_row[find(x.pair_sum, first, end, chance(d.stream) * x.pair_sum[end - 1])])
    return np.int64(-1)


@compiled
def draw_pausing(x):
    """A target pair of the split of a drug taken for short courses and one that may be paused; -1 when it has none."""
    d = x.draft[0]
    key = lay.PAUSING_KEY + d.split
    first, end = x.pair_key[key, 0], x.pair_key[key, 1]
    if end <= first:
        return np.int64(-1)
    return np.int64(x.pair_row[find(x.pair_sum, first, end, chance(d.stream) * x.pair_sum[end - 1])])


@compiled
def one_of(x, count):
    """One of the first `count` entries of the draft's list, -1 when there is none."""
    d = x.draft[0]
    return d.list[below(d.stream, count)] if count > 0 else -1
