"""REGIMEN_RISK: whole regimens of 5 to 20 drugs with one to three problems, under trade-offs and indications.

A stop costs what the drug is needed for, so that reducing, switching, pausing and keeping are often the better answer.
"""

from __future__ import annotations

from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.draws import below, chance
from polyguard_env.environment.drafting import layout as lay
from polyguard_env.environment.drafting.adding import NO_FLAG, fill
from polyguard_env.environment.subenvironments.problems import (
    above_maximum,
    doubled,
    excessive_for_kidneys,
    fall_risk,
    interacting,
    passing,
    wrong_for_disease,
)
from polyguard_env.environment.subenvironments.shape import between

DRUGS = lay.by_level({"easy": (5, 7), "medium": (8, 12), "hard": (13, 20)})
COUNT = lay.by_level({"easy": 1, "medium": 2, "hard": 3})
# Doubled drugs are seldom severe, so they are drawn half as often as the other kinds.
# Falls and kidneys come first: they are set before drugs are drawn that would fall foul of them.
KINDS = (lay.SEDATIVE, lay.RENAL, lay.DRUG_DISEASE, lay.EXCESS, lay.INTERACTION, lay.DUPLICATION, lay.PASSING)
PASSING_KIND = KINDS.index(lay.PASSING)
DRAWN = (0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 6)
COURSE_SHARE, PASSING_COURSE_SHARE = 0.5, 0.8
HIDE_KIDNEYS = lay.by_level({"easy": 0.0, "medium": 0.15, "hard": 0.35})


@compiled
def pose(x):
    """One to three problems of different kinds, then bystanders; their lures in a control."""
    d = x.draft[0]
    count = between(d.fixed, DRUGS[d.level])
    d.hide_kidneys = chance(d.fixed) < HIDE_KIDNEYS[d.level]
    chosen, first, kinds = 0, -1, 0
    while kinds < COUNT[d.level]:
        kind = DRAWN[below(d.fixed, len(DRAWN))]
        if (chosen >> kind) & 1 == 0:
            first = kind if kinds == 0 else first
            chosen |= 1 << kind
            kinds += 1
    passing_too = (chosen >> PASSING_KIND) & 1
    d.courses = chance(d.fixed) < (PASSING_COURSE_SHARE if passing_too else COURSE_SHARE)
    for kind in range(len(KINDS)):
        if (chosen >> kind) & 1 and not _problem(x, KINDS[kind]):
            return False
    d.problem = lay.CONTROL if d.control else KINDS[first]
    return fill(x, count, lay.USE, NO_FLAG)


@compiled
def _problem(x, kind):
    if kind == lay.SEDATIVE:
        return fall_risk(x)
    if kind == lay.RENAL:
        return excessive_for_kidneys(x)
    if kind == lay.DRUG_DISEASE:
        return wrong_for_disease(x)
    if kind == lay.EXCESS:
        return above_maximum(x)
    if kind == lay.INTERACTION:
        return interacting(x, 0)
    if kind == lay.PASSING:
        return passing(x)
    return doubled(x)
