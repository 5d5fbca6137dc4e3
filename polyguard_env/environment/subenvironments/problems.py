"""Kinds of problem a regimen can have. In a control each leaves its lure: the same circumstances, nothing wrong.

Each compiled function adds what it needs to a draft and notes the drugs at fault; False when the draw did not work out.
"""

from __future__ import annotations

import numpy as np

from polyguard_env.engine.compiled import compiled
from polyguard_env.environment.drafting import layout as lay
from polyguard_env.environment.drafting.adding import NO_FLAG, add, add_quiet, fill, least
from polyguard_env.environment.drafting.drawing import apart, draw, draw_pair, draw_pausing, keep, quiet
from polyguard_env.environment.drafting.person import free_condition, pin, set_kidneys, wrong_doses

DRAWS = 8


@compiled
def blame(x, slot):
    """Note the drug of a slot as one the problem is about."""
    x.draft[0].targets |= np.int64(1) << np.int64(slot)


@compiled
def add_at_fault(x, place, dose, indicated, days):
    """Add a drug the problem is about; False when the split or the person forbids it."""
    d = x.draft[0]
    if not add(x, place, dose, indicated, days):
        return False
    blame(x, d.n - 1)
    return True


@compiled
def excessive_for_kidneys(x):
    """A drug whose usual dose is too much for the person's kidneys; a fitting dose in a control."""
    set_kidneys(x, True)
    return too_much(x, lay.KIDNEY, False, lay.USE, DRAWS)


@compiled
def too_much(x, flag, hepatic, weight, draws):
    """A drug whose usual dose breaks what an organ allows, and nothing else; a fitting dose in a control.

    Args:
        flag: drugs with a rule on the organ. hepatic: the organ is the liver, else the kidneys.
    """
    if x.draft[0].control:
        return add_quiet(x, weight, flag)
    for _ in range(draws):
        apart(x)
        keep(x, flag, True)
        place = draw(x, weight)
        if place < 0:
            return False
        row = x.pooled[place]
        renal, liver, above = wrong_doses(x, row.drug, row.dose_usual)
        of_organ, other = (liver, renal) if hepatic else (renal, liver)
        if of_organ >= least(x) and other == 0 and above == 0:
            return add_at_fault(x, place, row.dose_usual, True, -1)
    return False


@compiled
def wrong_for_disease(x):
    """A drug that a condition of the person speaks strongly against; the condition with other drugs in a control."""
    d = x.draft[0]
    for _ in range(DRAWS):
        apart(x)
        keep(x, lay.EXPOSED, True)
        place = draw(x, lay.USE)
        if place < 0:
            return False
        condition = free_condition(x, place, -1)
        if condition < 0:
            continue
        pin(x, condition)
        if d.control:
            return add_quiet(x, lay.USE, lay.EXPOSED)
        return add_at_fault(x, place, np.nan, True, -1)
    return False


@compiled
def doubled(x):
    """Two drugs of one class; two drugs of different classes in a control."""
    d = x.draft[0]
    d.mild = 1
    if d.control:
        return add_quiet(x, lay.USE, lay.TWINS) and add_quiet(x, lay.USE, lay.TWINS)
    apart(x)
    keep(x, lay.TWINS, True)
    first = draw(x, lay.USE)
    if first < 0:
        return False
    apart(x)
    mask, twins, rank = x.mask[lay.PICK], x.doubled[first], x.rank[first]
    for i in range(mask.shape[0]):
        mask[i] &= twins[i] and rank[i] == 0
    second = draw(x, lay.USE)
    return second >= 0 and add_at_fault(x, first, np.nan, True, -1) and add_at_fault(x, second, np.nan, True, -1)


@compiled
def above_maximum(x):
    """A drug at twice its geriatric maximum; at its maximum in a control."""
    d = x.draft[0]
    if d.control:
        quiet(x)
    else:
        apart(x)
    keep(x, lay.KIDNEY, False)
    place = draw(x, lay.USE)
    if place < 0:
        return False
    most = x.pooled[place].dose_max
    if d.control:
        return add(x, place, most, True, -1)
    return add_at_fault(x, place, 2.0 * most, True, -1)


@compiled
def fall_risk(x):
    """A fall-risk drug without strong need in a person who falls; a person who falls in a control."""
    d = x.draft[0]
    d.falls = max(1, d.falls)
    if d.control:
        return add_quiet(x, lay.USE, lay.TAPER)
    apart(x)
    keep(x, lay.FALLS if d.mild else lay.FALLS_MAJOR, True)
    place = draw(x, lay.USE)
    return place >= 0 and add_at_fault(x, place, np.nan, True, -1)


@compiled
def marginal(x, moderate):
    """The row of weights by which bystanders look like the drugs of target pairs."""
    return lay.MARGINAL + 2 * x.draft[0].split + moderate


@compiled
def interacting(x, moderate):
    """Two drugs that must not go together; two such drugs of different pairs in a control.

    Args:
        moderate: 1 when pairs of moderate severity count too, else 0.
    """
    d = x.draft[0]
    if d.control:
        return fill(x, d.n + 2, marginal(x, moderate), NO_FLAG)
    apart(x)
    for _ in range(DRAWS):
        place = draw_pair(x, moderate, -1)
        if place < 0:
            return False
        if _apart_from_all(x, place):
            d.problem = lay.MECHANISM + x.pair[place].mechanism
            return _add_both(x, place)
    return False


@compiled
def course_and_pausable(x):
    """A drug taken for short courses and one that may be paused, which do not interact."""
    d = x.draft[0]
    weight = lay.PAUSING + d.split
    return add_quiet(x, weight, lay.COURSE + d.row) and add_quiet(x, weight, lay.PAUSE + d.row)


@compiled
def passing(x):
    """As `interacting`, of two such drugs; where the draft has courses, a pause is the answer."""
    if x.draft[0].control:
        return course_and_pausable(x)
    apart(x)
    for _ in range(DRAWS):
        place = draw_pausing(x)
        if place < 0:
            return False
        if _apart_from_all(x, place):
            return _add_both(x, place)
    return False


@compiled
def _apart_from_all(x, place):
    """True for a pair whose drugs are both among those kept in the mask of picks."""
    pair = x.pair[place]
    return x.mask[lay.PICK, pair.a] and x.mask[lay.PICK, pair.b]


@compiled
def _add_both(x, place):
    pair = x.pair[place]
    return add_at_fault(x, pair.a, np.nan, True, -1) and add_at_fault(x, pair.b, np.nan, True, -1)
