"""The clinical rules over arrays: what is wrong with a drug or a pair; `regimen.py` has those on the whole.

The only implementation that episodes run through, single or batched. `risk/review.py` writes the same findings for
people; tests hold the two, and an independent checker, against each other.
"""

from __future__ import annotations

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine.bits import lowest
from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.holds import holding_factor
from polyguard_env.engine.memory import meet, unite
from polyguard_env.engine.parameters import PLACE

WEIGHT = PLACE["weight_minor"] - 1
MONITORED, MONITORED_REDUCE = PLACE["monitored"], PLACE["monitored_reduce"]
MONITORED_OTHERWISE, REDUCED = PLACE["monitored_otherwise"], PLACE["reduced"]
TAPER_BEGUN, TAPER_SLOPE = PLACE["taper_begun"], PLACE["taper_begun_slope"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@compiled
def edge_between(facts, a, b):
    """Place of the interaction of two drugs, or -1."""
    if a > b:
        a, b = b, a
    key = np.int64(a) * np.int64(facts.drug.shape[0]) + np.int64(b)
    size = facts.hash_key.shape[0]
    spot = np.int64((np.uint64(key) * _GOLDEN) >> np.uint64(64 - lowest(size)))
    while True:
        held = facts.hash_key[spot]
        if held == key:
            return facts.hash_value[spot]
        if held == -1:
            return np.int32(-1)
        spot = (spot + 1) & (size - 1)


@compiled
def duplicated(facts, a, b):
    """Worst severity of the classes of which two drugs are one too many; 0 when of none."""
    one, other = facts.drug[a].duplicate, facts.drug[b].duplicate
    worst = 0
    i, j = one[0], other[0]
    while i < one[1] and j < other[1]:
        x, y = facts.duplicate[i].rule, facts.duplicate[j].rule
        if x < y:
            i += 1
        elif y < x:
            j += 1
        else:
            rule = facts.duplicate_rule[x]
            if rule.severity > worst and not _excepted(facts, rule, a, b):
                worst = rule.severity
            i += 1
            j += 1
    return worst


@compiled
def _excepted(facts, rule, a, b):
    for place in range(rule.except_from, rule.except_to):
        left, right = facts.exception[place, 0], facts.exception[place, 1]
        if has_token(facts, a, left) and has_token(facts, b, right):
            return True
        if has_token(facts, b, left) and has_token(facts, a, right):
            return True
    return False


@compiled
def has_token(facts, drug, mask):
    """True when a drug, or a class of it, is among a mask's names."""
    return meet(facts.drug[drug].tokens, facts.mask[mask])


@compiled
def present(facts, st, skip, words):
    """Fill `words` with the tokens of the drugs taken, slot `skip` left out."""
    words[:] = 0
    for k in range(st.n):
        if st.alive[k] and k != skip:
            unite(words, facts.drug[st.drug[k]].tokens)


@compiled
def touches(facts, mask, words):
    """True when any of a mask's names is among `words`."""
    return meet(facts.mask[mask], words)


@compiled
def has_condition(sc, condition):
    """True when the patient has a condition."""
    return condition >= 0 and (sc.condition[condition // 63] >> np.int64(condition % 63)) & 1 == 1


@compiled
def kidney_known(sc, st):
    """True when the agent may know the kidney function."""
    return sc.kidney_hidden == 0 or (st.known & sc.kidney_hidden) != 0


@compiled
def in_force(sc, rule, hepatic):
    """True when a dosing rule applies to these kidneys or this liver."""
    if hepatic:
        return sc.child_pugh >= rule.threshold and rule.threshold > 0
    value = sc.crcl if rule.measure == 0 else sc.egfr
    return (not np.isnan(value)) and rule.floor <= value < rule.threshold


@compiled
def organ_limit(facts, sc, drug, hepatic):
    """The broken-or-not limit of a drug for these kidneys or this liver.

    Returns:
        (rule place or -1, limit): the strictest rule in force, of such the most severe; a limit of 0 means avoid.
    """
    span = facts.drug[drug].hepatic if hepatic else facts.drug[drug].renal
    best, best_avoid, best_limit = -1, False, np.inf
    for place in range(span[0], span[1]):
        rule = facts.organ[place]
        if not in_force(sc, rule, hepatic):
            continue
        avoid = rule.action == 0
        if not avoid and (rule.action != 1 or np.isnan(rule.limit)):
            continue
        limit = 0.0 if avoid else rule.limit
        alike = avoid == best_avoid and limit == best_limit
        if best < 0 or (avoid and not best_avoid) or (avoid == best_avoid and limit < best_limit):
            best, best_avoid, best_limit = place, avoid, limit
        elif alike and rule.severity > facts.organ[best].severity:
            best = place
    return best, best_limit


@compiled
def note(found, m, category, severity, what, a, b, code, slots):
    """Write a finding as row `m`, its weight and management left open."""
    row = found[m]
    row.category, row.severity, row.what = category, severity, what
    row.a, row.b, row.code, row.slots = a, b, code, slots
    row.measurement, row.limit, row.weight = -1, np.nan, 0.0
    row.reduce = row.monitor = 0


@compiled
def _spoken_against(sc, row):
    """True when some rule on a drug is about a condition of the patient."""
    spoken = np.int64(0)
    for word in range(at.CONDITION_WORDS):
        spoken |= row.against[word] & sc.condition[word]
    return spoken != 0


@compiled
def slot_findings(facts, sc, st, k, words, found, m):
    """Findings of one drug for this patient: conditions, genes, organs, dose ceiling, age, falls.

    Args:
        words: tokens of the regimen and the conditions, as `present` fills them.
        found: rows of FINDING, filled from place `m`.

    Returns:
        The number of rows in use.
    """
    m = person_findings(facts, sc, st, k, found, m)
    m = dose_findings(facts, sc, st, k, found, m)
    return burden_findings(facts, sc, st, k, words, found, m)


@compiled
def person_findings(facts, sc, st, k, found, m):
    """Findings of one drug for this patient's conditions and genes; as `slot_findings`."""
    drug = st.drug[k]
    row = facts.drug[drug]
    bit = np.int64(1) << np.int64(k)
    first = m
    last = row.disease[1] if _spoken_against(sc, row) else row.disease[0]
    for place in range(row.disease[0], last):
        rule = facts.disease[place]
        if has_condition(sc, rule.condition) and rule.condition != st.indication[k]:
            held = -1
            for i in range(first, m):
                if found[i].what == at.CONDITION and found[i].b == rule.condition:
                    held = i
            if held < 0:
                note(found, m, at.DRUG_DISEASE, rule.severity, at.CONDITION, drug, rule.condition, rule.rule, bit)
                m += 1
            elif rule.severity > found[held].severity:
                found[held].severity, found[held].code = rule.severity, rule.rule
    if sc.genes > 0:
        return _gene_findings(facts, sc, drug, bit, found, m)
    return m


@compiled
def dose_findings(facts, sc, st, k, found, m):
    """Findings that hang on the dose of one drug: its limits for these organs, its ceiling; as `slot_findings`."""
    drug = st.drug[k]
    row = facts.drug[drug]
    bit = np.int64(1) << np.int64(k)
    for hepatic in range(2 if row.organs else 0):
        place, limit = organ_limit(facts, sc, drug, hepatic == 1)
        if place >= 0 and (limit == 0.0 or st.dose[k] > limit * 1.001):
            rule = facts.organ[place]
            what = at.HEPATIC if hepatic == 1 else at.RENAL
            note(found, m, at.ORGAN_DOSING, rule.severity, what, drug, -1, rule.rule, bit)
            if rule.action != 0:
                found[m].limit = rule.limit
            m += 1
    if row.profiled and row.dose_max > 0 and st.dose[k] > row.dose_max * 1.001:
        # A grade of this project (2026), as in the review.
        severity = at.MAJOR if st.dose[k] > 1.5 * row.dose_max else at.MODERATE
        note(found, m, at.ORGAN_DOSING, severity, at.MAXIMUM, drug, -1, -1, bit)
        found[m].limit = row.dose_max
        m += 1
    return m


@compiled
def burden_findings(facts, sc, st, k, words, found, m):
    """Findings of one drug for this patient's age and falls; as `slot_findings`."""
    drug = st.drug[k]
    row = facts.drug[drug]
    bit = np.int64(1) << np.int64(k)
    falls, avoid = -1, -1
    for place in range(row.burden[0], row.burden[1]):
        rule = facts.burden[place]
        if rule.kind == at.FALL_RISK:
            if sc.falls < rule.threshold:
                continue
            held = falls
        else:
            if rule.indication >= 0 and rule.indication != st.indication[k]:
                continue
            if touches(facts, rule.unless, words):
                continue
            held = avoid
        if held < 0:
            note(found, m, at.BURDEN, rule.severity, rule.kind, drug, -1, rule.rule, bit)
            if rule.kind == at.FALL_RISK:
                falls = m
            else:
                avoid = m
            m += 1
        elif rule.severity > found[held].severity:
            found[held].severity = rule.severity
    return m


@compiled
def _gene_findings(facts, sc, drug, bit, found, m):
    first = m
    span = facts.drug[drug].gene
    for place in range(span[0], span[1]):
        rule = facts.gene[place]
        for g in range(sc.genes):
            if sc.gene[g] != rule.gene or sc.phenotype[g] != rule.phenotype:
                continue
            held = -1
            for i in range(first, m):
                if found[i].b == rule.gene:
                    held = i
            if held < 0:
                note(found, m, at.DRUG_DISEASE, rule.severity, at.GENE, drug, rule.gene, rule.rule, bit)
                m += 1
            elif rule.severity > found[held].severity:
                found[held].severity, found[held].code = rule.severity, rule.rule
    return m


@compiled
def pair_finding(facts, st, i, j, found, m):
    """The interaction and the duplication of two linked slots, as cached in the state."""
    a, b = min(st.drug[i], st.drug[j]), max(st.drug[i], st.drug[j])
    slots = (np.int64(1) << np.int64(i)) | (np.int64(1) << np.int64(j))
    place, twice = (st.pair[i, j] & 0xFFFFFF) - 1, st.pair[i, j] >> 24
    if place >= 0:
        edge = facts.edge[place]
        note(found, m, at.INTERACTION, edge.severity, at.PAIR, a, b, place, slots)
        found[m].measurement, found[m].reduce, found[m].monitor = edge.measurement, edge.reduce, edge.monitor
        m += 1
    if twice > 0:
        note(found, m, at.DUPLICATION, twice, at.PAIR, a, b, -1, slots)
        m += 1
    return m


@compiled
def weigh(facts, sc, st, row):
    """The weight of a finding after what has been done about it: monitored, dose reduced, tapering, held."""
    p = facts.parameters
    weight = p[WEIGHT + row.severity]
    if row.category == at.INTERACTION:
        weight = left_of(facts, st, weight, row.measurement, row.monitor, row.reduce, row.slots)
    return weight * holding_factor(facts, sc, st, row) * tapering_factor(facts, st, row.slots)


@compiled
def left_of(facts, st, weight, measurement, monitor, reduce, slots):
    """What is left of an interaction's weight once it is monitored, or a dose reduced as its management says."""
    p = facts.parameters
    if measurement >= 0 and (st.monitored >> np.int64(measurement)) & 1 == 1:
        weight *= p[MONITORED] if monitor else p[MONITORED_REDUCE] if reduce else p[MONITORED_OTHERWISE]
    rest = slots if reduce else np.int64(0)
    while rest:
        if st.reduced[lowest(rest)]:
            return weight * p[REDUCED]
        rest &= rest - 1
    return weight


@compiled
def tapering_factor(facts, st, slots):
    """What is left of a finding one of whose drugs is being tapered, in (0, 1]."""
    p = facts.parameters
    least = np.inf
    rest = slots
    while rest:
        k = lowest(rest)
        rest &= rest - 1
        if st.tapering[k] and st.initial[k] > 0:
            least = min(least, st.dose[k] / st.initial[k])
    return min(1.0, p[TAPER_BEGUN] + p[TAPER_SLOPE] * least)
