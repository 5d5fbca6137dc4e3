"""The problem of a draft, and whether what came out is worth posing."""

from __future__ import annotations

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.parameters import PLACE
from polyguard_env.environment.drafting import layout as lay
from polyguard_env.environment.subenvironments import (
    alternative_suggestion,
    bandit_mining,
    ddi,
    longitudinal_deprescribing,
    new_drug_decomposition,
    precision_dosing,
    regimen_risk,
    web_search_missing_data,
)

WEIGHT = PLACE["weight_minor"] - 1
LEAST_GAIN, MOST_GAIN_IN_CONTROL = 0.5, 0.15

_alternative, _bandit, _ddi = alternative_suggestion.pose, bandit_mining.pose, ddi.pose
_longitudinal, _new_drug = longitudinal_deprescribing.pose, new_drug_decomposition.pose
_precision, _regimen, _web = precision_dosing.pose, regimen_risk.pose, web_search_missing_data.pose


@compiled
def pose(x):
    """Set up the problem of the scenario's sub-environment, or its control; False when the draw did not work out."""
    sub = x.call.scenarios[0].sub
    if sub == at.DDI_SUB:
        return _ddi(x)
    if sub == at.BANDIT:
        return _bandit(x)
    if sub == at.REGIMEN:
        return _regimen(x)
    if sub == at.PRECISION:
        return _precision(x)
    if sub == at.LONGITUDINAL:
        return _longitudinal(x)
    if sub == at.WEB:
        return _web(x)
    if sub == at.ALTERNATIVE:
        return _alternative(x)
    return _new_drug(x)


@compiled
def about_targets(x, found, count):
    """True when every finding is about a target, what a target is taken for, or an accepted drug.

    A problem that is not mild has a finding of major severity or worse.

    Args:
        found: rows of FINDING, of which `count` are in use.
    """
    d = x.draft[0]
    wanted = d.accepted | d.targets
    severe = d.control or d.mild
    for i in range(count):
        row = found[i]
        if row.severity < lay.MODERATE:
            continue
        if row.severity >= lay.MAJOR:
            severe = True
        if row.category != at.OMISSION:
            if row.slots & wanted == 0:
                return False
        elif d.control or not _treats(x, row.b, wanted):
            return False
    return severe


@compiled
def _treats(x, condition, wanted):
    """True when one of the drugs of these places is taken for a condition."""
    sc = x.call.scenarios[0]
    for j in range(sc.n):
        if (wanted >> np.int64(j)) & 1 and sc.indication[j] == condition:
            return True
    return False


@compiled
def by_construction(sc):
    """True where danger or dose is not a finding that a fix answers: the generator has seen to it."""
    return sc.sub == at.BANDIT or sc.sub == at.PRECISION


@compiled
def settled(x, best):
    """True when what the best change is worth so far tells that a problem is worth posing, or a control is not."""
    d = x.draft[0]
    return best > MOST_GAIN_IN_CONTROL if d.control else best >= LEAST_GAIN


@compiled
def write_combinations(x):
    """Write the combinations that may be tested into the record."""
    d, sc = x.draft[0], x.call.scenarios[0]
    sc.combinations = d.combinations
    for i in range(d.combinations):
        sc.combination[i] = d.combination[i]
        sc.danger[i] = x.facts.parameters[WEIGHT + d.danger[i]] if d.danger[i] > 0 else 0.0
