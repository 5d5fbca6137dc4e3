"""WEB_SEARCH_MISSING_DATA: a drug's own facts, or the chart, are not on file and must be looked up before acting.

In half the scenarios every drug without facts is innocent, so that not knowing a drug is no reason to change it. Of a
culprit pair neither drug's facts are on file, so that no partner can be changed instead of looking up.
"""

from __future__ import annotations

import numpy as np

from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.draws import chance, shuffle
from polyguard_env.environment.drafting import layout as lay
from polyguard_env.environment.drafting.adding import NO_FLAG, fill
from polyguard_env.environment.subenvironments.problems import interacting, marginal, wrong_for_disease
from polyguard_env.environment.subenvironments.shape import between

DRUGS = lay.by_level({"easy": (3, 3), "medium": (3, 4), "hard": (4, 5)})
UNKNOWN = lay.by_level({"easy": 1, "medium": 1, "hard": 2})
HIDE_CHART = lay.by_level({"easy": 0.0, "medium": 0.3, "hard": 0.4})
MODERATE_TOO = lay.by_level({"easy": 0, "medium": 1, "hard": 1})
PAIR_SHARE = 0.6
# Of problems; with one in five a control, the unknown drugs are all innocent in half the scenarios.
CULPRIT_UNKNOWN = 0.625


@compiled
def pose(x):
    """A pair or a drug against a condition, and one or two drugs without facts: the culprits among them, or not."""
    d = x.draft[0]
    count = between(d.fixed, DRUGS[d.level])
    moderate = MODERATE_TOO[d.level] if d.mild else 0
    pair, culprit = chance(d.fixed) < PAIR_SHARE, chance(d.fixed) < CULPRIT_UNKNOWN
    chart = chance(d.fixed) < HIDE_CHART[d.level]
    d.problem = lay.CONTROL if d.control else lay.DRUG_DISEASE
    posed = interacting(x, moderate) if pair else wrong_for_disease(x)
    if not posed or not fill(x, count, marginal(x, moderate), NO_FLAG):
        return False
    if not _forget(x, culprit, max(UNKNOWN[d.level], 2 if pair and culprit else 1)):
        return False
    if chart:
        d.hide_allergies = 1
        d.hidden_purposes = (np.int64(1) << np.int64(d.n)) - 1
    return True


@compiled
def _forget(x, culprit, count):
    """Choose the drugs whose facts are missing; with `culprit` the targets are among them, otherwise none is."""
    d = x.draft[0]
    innocent = chosen = 0
    for k in range(d.n):
        if (d.targets >> np.int64(k)) & 1 == 0:
            d.list[innocent] = k
            innocent += 1
        elif culprit:
            d.unknown |= np.int64(1) << np.int64(k)
            chosen += 1
    shuffle(d.list, innocent, d.stream)
    for i in range(innocent):
        if chosen < count:
            d.unknown |= np.int64(1) << np.int64(d.list[i])
            chosen += 1
    return chosen == count
