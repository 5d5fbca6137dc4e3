"""Drugs of a draft: adding one, at a dose that fits, and filling up with quiet ones."""

from __future__ import annotations

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.draws import below
from polyguard_env.environment.drafting import layout as lay
from polyguard_env.environment.drafting.drawing import draw, draw_any, keep, quiet
from polyguard_env.environment.drafting.person import TRIES, hold, wrong_doses

DOSE_FACTORS = (0.5, 1.0, 1.0, 1.0)
ROOM = 4
NO_FLAG = -1
FIRST_WEEK = 7


@compiled
def least(x):
    """Severity that the problem must reach."""
    return at.MODERATE if x.draft[0].mild else at.MAJOR


@compiled
def drawn_dose(x, place):
    """The usual dose or half of it, within what is usual."""
    row = x.pooled[place]
    dose = row.dose_usual * DOSE_FACTORS[below(x.draft[0].stream, len(DOSE_FACTORS))]
    return min(row.dose_max, max(row.dose_min, dose))


@compiled
def add(x, place, dose, indicated, days):
    """Add a drug; False (and no change) when the split or the person forbids it.

    Args:
        dose: daily total, NaN to draw one. days: how long it has been taken, -1 to draw it: a few days of a course
            where the draft has courses, else months or years.
        indicated: the person has what it is given for.
    """
    d, mask = x.draft[0], x.mask
    purpose = np.int64(x.pooled[place].purpose[d.row])
    if mask[lay.FOREIGN, place] or purpose < 0 or d.n >= at.SLOTS - ROOM:
        return False
    k = d.n
    d.dose[k] = drawn_dose(x, place) if np.isnan(dose) else dose
    d.purpose[k] = purpose if indicated else -1
    if indicated:
        hold(x, purpose)
    course = np.int64(x.pooled[place].course[d.row]) if d.courses and indicated else np.int64(0)
    if days >= 0:
        d.days[k] = days
    elif course > 0:
        d.days[k] = 1 + below(d.stream, min(course, FIRST_WEEK))
    else:
        d.days[k] = 90 + below(d.stream, 1900)
    d.place[k] = place
    d.n = k + 1
    clash, split, unsuits, flag = x.clash[place], x.split[place], x.unsuits[place], x.flag[lay.GIVEN + d.row]
    blocked, foreign, spoils = mask[lay.BLOCKED], mask[lay.FOREIGN], mask[lay.SPOILS]
    for i in range(clash.shape[0]):
        blocked[i] |= clash[i]
        foreign[i] |= split[i] >= 0 and split[i] != d.split
        if flag[i]:
            spoils[i] |= unsuits[x.pooled[i].purpose[d.row]] >= lay.MODERATE
    foreign[place] = 1
    for what in range(3):
        d.load[what] += x.load[what, place]
    return True


@compiled
def add_fitting(x, place):
    """Add a drug at a dose that kidneys and liver allow; False (and no change) when there is none."""
    row = x.pooled[place]
    dose = drawn_dose(x, place)
    limited = x.flag[lay.KIDNEY, place] or x.flag[lay.LIVER, place]
    for again in range(2):
        tried = row.dose_min if again else dose
        fits = not limited and tried <= row.dose_max
        if not fits:
            renal, hepatic, above = wrong_doses(x, row.drug, tried)
            fits = renal == 0 and hepatic == 0 and above == 0
        if fits:
            return add(x, place, tried, True, -1)
    return False


@compiled
def add_quiet(x, weight, flag):
    """Add one quiet drug, drawn by weight from those of a flag, or from all with `NO_FLAG`."""
    quiet(x)
    if flag >= 0:
        keep(x, flag, True)
    return _add_one(x, weight)


@compiled
def _add_one(x, weight):
    mask = x.mask[lay.PICK]
    for _ in range(TRIES):
        place = draw(x, weight)
        if place < 0:
            return False
        if add_fitting(x, place):
            return True
        mask[place] = 0
    return False


@compiled
def fill(x, count, weight, like):
    """Add quiet drugs until the regimen has `count`; they allow the kinds of move that targets do.

    Args:
        weight: by which drugs are drawn, and by which it is drawn whether each needs a taper or has a substitute.
        like: flag of the drugs to keep to where possible, or `NO_FLAG`.
    """
    d, mask = x.draft[0], x.mask[lay.PICK]
    while d.n < count:
        if like >= 0:
            flag = x.flag[like]
            for i in range(mask.shape[0]):
                mask[i] = flag[i]
            model = draw(x, weight)
        else:
            model = draw_any(x, weight)
        quiet(x)
        if model >= 0:
            moves = x.pooled[model].moves
            for i in range(mask.shape[0]):
                mask[i] &= x.pooled[i].moves == moves
        if like >= 0:
            keep(x, like, True)
        if not _add_one(x, weight):
            quiet(x)
            if not _add_one(x, weight):
                return False
    return True
