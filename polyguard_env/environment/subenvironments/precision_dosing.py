"""PRECISION_DOSING: the dose for these kidneys, this liver and genotype; too little is as wrong as too much.

Kidneys follow from creatinine, age, sex and weight. The creatinine may be missing: it must be ordered before a dose
that hangs on it is changed. In an acute illness some drugs are withheld until it is over. In a control every dose is
right, low or high as it may look.
"""

from __future__ import annotations

import numpy as np

from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.draws import below, chance
from polyguard_env.environment.drafting import layout as lay
from polyguard_env.environment.drafting.adding import NO_FLAG, add, add_quiet, fill, least
from polyguard_env.environment.drafting.drawing import apart, draw, keep, quiet
from polyguard_env.environment.drafting.person import pin, set_kidneys, set_liver, wrong_doses
from polyguard_env.environment.subenvironments.problems import above_maximum, add_at_fault, too_much
from polyguard_env.environment.subenvironments.shape import between

DRUGS = lay.by_level({"easy": (2, 3), "medium": (3, 3), "hard": (3, 4)})
COUNT = lay.by_level({"easy": 1, "medium": 1, "hard": 2})
HIDE_KIDNEYS = lay.by_level({"easy": 0.25, "medium": 0.4, "hard": 0.6})
# Shares of twenty-three, one entry each.
KINDS = (
    (lay.RENAL,) * 7 + (lay.UNDER,) * 4 + (lay.EXCESS,) * 4 + (lay.HEPATIC,) * 2 + (lay.GENOTYPE,) * 3
    + (lay.ACUTE_ILLNESS,) * 3
)  # fmt: skip
UNDER_SHARES = (0.2, 0.25, 0.33)
DRAWS = 12
GRADES = (1, 2, 2, 3)
# How often the acute illness is of the kidneys, whether a control has it, and whether courses are under way.
INJURED_SHARE, ILL_SHARE, COURSE_SHARE = 0.4, 0.5, 0.5


@compiled
def pose(x):
    """One wrong dose (two when hard) among right ones; right ones alone in a control."""
    d = x.draft[0]
    count = between(d.fixed, DRUGS[d.level])
    d.hide_kidneys = chance(d.fixed) < HIDE_KIDNEYS[d.level]
    two = COUNT[d.level] == 2
    first = np.int64(KINDS[below(d.fixed, len(KINDS))])
    second = np.int64(KINDS[below(d.fixed, len(KINDS))])
    renal, under = first == lay.RENAL, first == lay.UNDER
    if two:
        renal, under = renal or second == lay.RENAL, under or second == lay.UNDER
        if first == second or (renal and under):
            first, second, renal, under = np.int64(lay.RENAL), np.int64(lay.EXCESS), True, False
    injured, ill = chance(d.fixed) < INJURED_SHARE, not d.control or chance(d.fixed) < ILL_SHARE
    d.courses = chance(d.fixed) < COURSE_SHARE
    acute = first == lay.ACUTE_ILLNESS or (two and second == lay.ACUTE_ILLNESS)
    injured = injured and acute and not under
    grade = GRADES[below(d.fixed, len(GRADES))]
    set_kidneys(x, renal or injured or (not under and chance(d.fixed) < 0.5))
    if first == lay.HEPATIC or (two and second == lay.HEPATIC):
        set_liver(x, grade)
    if acute and ill:
        pin(x, x.named[lay.ILLNESS + injured])
    if not _problem(x, first) or (two and not _problem(x, second)):
        return False
    d.problem = lay.CONTROL if d.control else first
    return fill(x, count, lay.NARROW, NO_FLAG)


@compiled
def _problem(x, kind):
    if kind == lay.RENAL:
        return too_much(x, lay.KIDNEY, False, lay.NARROW, DRAWS)
    if kind == lay.HEPATIC:
        return too_much(x, lay.LIVER, True, lay.NARROW, DRAWS)
    if kind == lay.UNDER:
        return too_little(x)
    if kind == lay.EXCESS:
        return above_maximum(x)
    if kind == lay.ACUTE_ILLNESS:
        return to_be_withheld(x)
    return wrong_for_genotype(x)


@compiled
def too_little(x):
    """A dose far below the lowest usual one with kidneys that allow it; the lowest usual dose in a control."""
    d = x.draft[0]
    d.mild = 1
    for _ in range(DRAWS):
        quiet(x)
        keep(x, lay.NEEDED + d.row, True)
        place = draw(x, lay.NARROW)
        if place < 0:
            return False
        row = x.pooled[place]
        renal, hepatic, above = wrong_doses(x, row.drug, row.dose_min)
        if renal or hepatic or above:
            continue
        share = UNDER_SHARES[below(d.stream, len(UNDER_SHARES))]
        if d.control:
            return add(x, place, row.dose_min, True, -1)
        return add_at_fault(x, place, three_digits(row.dose_min * share), True, -1)
    return False


@compiled
def to_be_withheld(x):
    """A drug at a fitting dose that is withheld in the person's acute illness; one without the other in a control."""
    d = x.draft[0]
    injured = x.held[lay.OWN, x.named[lay.ILLNESS + 1]]
    flag = lay.SICK_DAY + injured
    if d.control:
        ill = injured or x.held[lay.OWN, x.named[lay.ILLNESS]]
        return add_quiet(x, lay.NARROW, NO_FLAG if ill else flag)
    for _ in range(DRAWS):
        apart(x)
        keep(x, flag, True)
        keep(x, lay.CALM + d.row, True)
        place = draw(x, lay.NARROW)
        if place < 0:
            return False
        row = x.pooled[place]
        for least_dose in range(2):
            dose = row.dose_min if least_dose else row.dose_usual
            renal, hepatic, above = wrong_doses(x, row.drug, dose)
            if renal == 0 and hepatic == 0 and above == 0:
                return add_at_fault(x, place, dose, True, -1)
    return False


@compiled
def three_digits(dose):
    """A dose above 0 to three significant digits."""
    scale = 1.0
    while dose * scale < 99.5:
        scale *= 10.0
    if scale > 1.0:
        return round(dose * scale) / scale
    while dose / scale >= 999.5:
        scale *= 10.0
    return round(dose / scale) * scale


@compiled
def wrong_for_genotype(x):
    """A drug the person's genotype calls for another dose of, or another drug; the genotype alone in a control."""
    d, facts = x.draft[0], x.facts
    if d.control:
        quiet(x)
    else:
        apart(x)
    keep(x, lay.GENES if d.mild else lay.GENES_MAJOR, True)
    place = draw(x, lay.NARROW)
    if place < 0:
        return False
    span = facts.drug[x.pooled[place].drug].gene
    count = 0
    for i in range(span[0], span[1]):
        if facts.gene[i].severity >= least(x):
            d.list[count] = i
            count += 1
    rule = facts.gene[d.list[below(d.stream, count)]]
    d.gene, d.phenotype = rule.gene, rule.phenotype
    if not d.control:
        return add_at_fault(x, place, np.nan, True, -1)
    # The genotype speaks against the drug drawn, so other drugs are taken.
    return add_quiet(x, lay.NARROW, NO_FLAG) and not affected(x, d.place[d.n - 1])


@compiled
def affected(x, place):
    """True when the person's genotype speaks against a drug."""
    d, facts = x.draft[0], x.facts
    span = facts.drug[x.pooled[place].drug].gene
    for i in range(span[0], span[1]):
        rule = facts.gene[i]
        if rule.gene == d.gene and rule.phenotype == d.phenotype and rule.severity >= lay.MODERATE:
            return True
    return False
