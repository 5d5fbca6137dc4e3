"""DDI: one dangerous pair (two when hard) among bystanders; resolve it without losing needed treatment.

A pair is explicit when both drugs carry the mechanism as the same role (bleeding with bleeding), implicit when an
enzyme or transporter links an inhibitor or inducer to its substrate. In some scenarios one drug of the pair is taken
for a short course and the other may be paused meanwhile; where the first is taken for long, a pause is no answer.
"""

from __future__ import annotations

import numpy as np

from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.draws import below, chance
from polyguard_env.environment.drafting import layout as lay
from polyguard_env.environment.drafting.adding import NO_FLAG, fill
from polyguard_env.environment.drafting.drawing import draw_pair, draw_pausing
from polyguard_env.environment.subenvironments.problems import course_and_pausable, marginal
from polyguard_env.environment.subenvironments.shape import add_pair, between

# Mild scenarios of medium difficulty pose moderate pairs too.
MODERATE_TOO = lay.by_level({"easy": 0, "medium": 1, "hard": 0})
DRUGS = lay.by_level({"easy": (3, 3), "medium": (3, 4), "hard": (4, 5)})
PAIRS = lay.by_level({"easy": 1, "medium": 1, "hard": 2})
EXPLICIT_SHARE = 0.6
PAUSING_SHARE, COURSE_SHARE = 0.16, 0.5
PAUSING_COURSE_SHARE = 0.8
HIDDEN_INDICATION = lay.by_level({"easy": 0.0, "medium": 0.15, "hard": 0.3})


@compiled
def pose(x):
    """Target pairs of the draft's split among bystanders, or bystanders alone in a control."""
    d = x.draft[0]
    moderate = MODERATE_TOO[d.level] if d.mild else 0
    count = between(d.fixed, DRUGS[d.level])
    explicit = 1 if chance(d.fixed) < EXPLICIT_SHARE else 0
    hide = chance(d.fixed) < HIDDEN_INDICATION[d.level]
    pausing = chance(d.fixed) < PAUSING_SHARE
    d.courses = chance(d.fixed) < (PAUSING_COURSE_SHARE if pausing else COURSE_SHARE)
    if pausing and d.control and not course_and_pausable(x):
        return False
    for number in range(0 if d.control else PAIRS[d.level]):
        place = draw_pausing(x) if pausing and number == 0 else draw_pair(x, moderate, explicit)
        if place < 0 or not add_pair(x, place):
            return False
        if number == 0:
            explicit = np.int64(x.pair[place].explicit) if pausing else explicit
            d.problem = lay.MECHANISM + x.pair[place].mechanism
    if not fill(x, count, marginal(x, moderate), NO_FLAG):
        return False
    if hide:
        d.hidden_purposes = np.int64(1) << below(d.stream, count)
    d.explicit = explicit and not d.control
    return True
