"""The one risk function over episode states: cached by slot and pair, summed in a few hundred nanoseconds."""

from __future__ import annotations

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine.bits import lowest
from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.holds import HELD_SHARE, holding_factor, is_held, pair_factor
from polyguard_env.engine.memory import rename, unite
from polyguard_env.engine.parameters import PLACE
from polyguard_env.engine.regimen import regimen_findings
from polyguard_env.engine.rules import (
    burden_findings,
    dose_findings,
    duplicated,
    edge_between,
    in_force,
    left_of,
    pair_finding,
    person_findings,
    present,
    slot_findings,
    tapering_factor,
    weigh,
)

WEIGHT = PLACE["weight_minor"] - 1
WITHDRAWAL = PLACE["withdrawal_minor"] - 1
UNMONITORED, UNKNOWN, ENOUGH = PLACE["unmonitored"], PLACE["unknown"], PLACE["enough"]


@compiled
def refresh_slot(facts, sc, st, k, w):
    """Work out again what is wrong with one drug on its own and how little of it still treats."""
    found, words = w.found, w.words
    if facts.drug[st.drug[k]].conditional:
        present(facts, st, -1, words)
        unite(words, sc.tokens)
    else:
        rename(words, sc.tokens)
    st.own_safety[k], severe = _summed(facts, sc, st, found, person_findings(facts, sc, st, k, found, 0))
    st.own_burden[k], more = _summed(facts, sc, st, found, burden_findings(facts, sc, st, k, words, found, 0))
    st.own_severe[k], st.dose_severe[k] = severe + more, 0
    refresh_dose(facts, sc, st, k, w)


@compiled
def _summed(facts, sc, st, found, m):
    """Weight of the first `m` findings, and how many of them are severe."""
    total, severe = 0.0, 0
    for i in range(m):
        left = holding_factor(facts, sc, st, found[i])
        total += left * facts.parameters[WEIGHT + found[i].severity]
        severe += found[i].severity >= at.MAJOR and left >= 0.5
    return total, severe


@compiled
def refresh_dose(facts, sc, st, k, w):
    """Work out again what hangs on the dose of one drug alone."""
    st.own_dosing[k], severe = _summed(facts, sc, st, w.found, dose_findings(facts, sc, st, k, w.found, 0))
    st.own_severe[k] += severe - st.dose_severe[k]
    st.dose_severe[k] = severe
    floor = lowest_dose(facts, sc, st.drug[k])
    st.floor[k] = floor if 0 < st.dose[k] < facts.parameters[ENOUGH] * floor else 0.0
    mark_stale(sc, st, k)


@compiled
def lowest_dose(facts, sc, drug):
    """The lowest daily dose that treats: the usual minimum, or the limit that kidneys or liver set below it."""
    row = facts.drug[drug]
    if not row.profiled:
        return 0.0
    floor = row.dose_min
    for hepatic in range(2 if row.organs else 0):
        span = row.hepatic if hepatic == 1 else row.renal
        for place in range(span[0], span[1]):
            rule = facts.organ[place]
            if rule.action == 1 and rule.limit > 0 and in_force(sc, rule, hepatic == 1):
                floor = min(floor, rule.limit)
    return floor


@compiled
def refresh_pairs(facts, st, k):
    """Look up the interactions and duplications of a drug that has just come, with every other."""
    for other in range(st.n):
        if other != k and st.alive[other]:
            link(facts, st, k, other)


@compiled
def link(facts, st, k, other):
    """Look up what the drugs of two slots do to each other."""
    code = pair_code(facts, st.drug[k], st.drug[other])
    if code:
        st.pair[min(k, other), max(k, other)] = code
        st.links[k] |= np.int64(1) << np.int64(other)
        st.links[other] |= np.int64(1) << np.int64(k)


@compiled
def pair_code(facts, a, b):
    """What two drugs do to each other: 0 for nothing, else 1 + place of the interaction, and 2^24 x the duplication."""
    one, other = np.int64(facts.number[a]), np.int64(facts.number[b])
    if one >= 0 and other >= 0 and (facts.near[one, other // 63] >> (other % 63)) & 1 == 0:
        return np.int64(0)
    return np.int64(edge_between(facts, a, b)) + 1 + (np.int64(duplicated(facts, a, b)) << 24)


@compiled
def unlink(st, k):
    """Take a slot out of the pairs of all others."""
    bit = np.int64(1) << np.int64(k)
    rest = st.links[k]
    while rest:
        st.links[lowest(rest)] &= ~bit
        rest &= rest - 1
    st.links[k] = 0


@compiled
def mark_stale(sc, st, k):
    """Note that the treatment of what a slot is given for has changed."""
    for place in range(sc.treated):
        if sc.treated_condition[place] == st.indication[k]:
            st.stale |= np.int64(1) << np.int64(place)


@compiled
def refresh_conditional(facts, sc, st, changed, w):
    """After drugs came or went: drugs some of whose rules depend on the others."""
    for k in range(st.n):
        if k != changed and st.alive[k] and facts.drug[st.drug[k]].conditional:
            refresh_slot(facts, sc, st, k, w)


@compiled
def refresh_all(facts, sc, st, w):
    """Fill every cache of a state."""
    st.links[:] = 0
    st.stale = -1
    if sc.combinations > 0:
        return
    for k in range(st.n):
        if st.alive[k]:
            refresh_slot(facts, sc, st, k, w)
            for other in range(k):
                if st.alive[other]:
                    link(facts, st, k, other)


@compiled
def share_treated(facts, st, k):
    """How much of its treatment a drug still gives, 0-1: tapered, dosed below its usual minimum, or held.

    A course that is held treats nothing.
    """
    share = 1.0
    if st.tapering[k] and st.initial[k] > 0:
        share = min(1.0, st.dose[k] / st.initial[k])
    if st.floor[k] > 0:
        share = min(share, st.dose[k] / st.floor[k])
    if is_held(st, k):
        share *= 0.0 if (st.course >> np.int64(k)) & 1 else 1.0 - facts.parameters[HELD_SHARE]
    return share


@compiled
def untreated(facts, sc, st, place):
    """Priority of the treatment that one condition of the start has lost."""
    condition = sc.treated_condition[place]
    kept, given = 0.0, np.int64(0)
    for k in range(st.n):
        given |= np.int64(st.alive[k] and st.indication[k] == condition) << np.int64(k)
    rest = given
    while rest:
        k = lowest(rest)
        rest &= rest - 1
        best = share_treated(facts, st, k)
        others = given ^ (np.int64(1) << np.int64(k))
        treatment, counted = facts.drug[st.drug[k]].treatment, False
        while others:
            other = lowest(others)
            others &= others - 1
            if facts.drug[st.drug[other]].treatment == treatment:
                share = share_treated(facts, st, other)
                counted = counted or share > best or (share == best and other < k)
        if not counted:
            kept += best
    kept = min(kept, sc.treatments[place])
    return facts.priority[condition] * (1.0 - kept / sc.treatments[place])


@compiled
def information_gap(facts, sc, st):
    """Potential of what is needed and not known: labs that the regimen calls for, facts, products, the chart."""
    p = facts.parameters
    gap = 0.0
    missing = sc.hidden & ~st.known
    if missing:
        needed = np.int64(0)
        kidneys = False
        for k in range(st.n):
            if st.alive[k]:
                row = facts.drug[st.drug[k]]
                needed |= row.needs
                kidneys = kidneys or row.kidney == 1
        if kidneys and sc.kidney_hidden & missing:
            gap += p[UNKNOWN]
        other = needed & missing
        while other:
            gap += p[UNMONITORED]
            other &= other - 1
    seen = np.int64(0)
    for k in range(st.n):
        if st.alive[k]:
            if not st.facts_known[k]:
                gap += p[UNKNOWN]
            if not st.product_known[k] and (seen >> np.int64(st.group[k])) & 1 == 0:
                seen |= np.int64(1) << np.int64(st.group[k])
                gap += p[UNKNOWN]
    if not st.chart_known and (sc.chart_hidden or sc.allergies_hidden):
        gap += p[UNKNOWN]
    return gap


@compiled
def danger_left(sc, st):
    """Danger of the untested combinations."""
    total = 0.0
    for place in range(sc.combinations):
        if (st.tested >> place) & 1 == 0:
            total += sc.danger[place]
    return total


@compiled
def assess(facts, sc, st, w):
    """Sum the risk of a state into its `safety`, `dosing`, `burden`, `disease` and `severe`."""
    if sc.combinations > 0:
        st.safety, st.dosing, st.burden, st.disease = danger_left(sc, st), 0.0, 0.0, 0.0
        st.severe, st.gap = 0, 0.0
        for place in range(sc.combinations):
            if sc.danger[place] > 0 and (st.tested >> place) & 1 == 0:
                st.severe += 1
        return
    p, found = facts.parameters, w.found
    safety, dosing, burden, disease, severe = 0.0, 0.0, 0.0, 0.0, 0
    for k in range(st.n):
        if not st.alive[k]:
            continue
        factor = tapering_factor(facts, st, np.int64(1) << np.int64(k)) if st.tapering[k] else 1.0
        safety += factor * st.own_safety[k]
        dosing += factor * st.own_dosing[k]
        burden += factor * st.own_burden[k]
        severe += st.own_severe[k] if factor >= 0.5 else 0
        rest = st.links[k] & ((np.int64(1) << np.int64(k)) - 1)
        while rest:
            other = lowest(rest)
            rest &= rest - 1
            slots = (np.int64(1) << np.int64(other)) | (np.int64(1) << np.int64(k))
            left = tapering_factor(facts, st, slots) if st.tapering[k] or st.tapering[other] else 1.0
            if slots & st.holding:
                left *= pair_factor(facts, st, slots)
            place, twice = (st.pair[other, k] & 0xFFFFFF) - 1, st.pair[other, k] >> 24
            if place >= 0:
                edge = facts.edge[place]
                full = p[WEIGHT + edge.severity]
                weight = left_of(facts, st, full, edge.measurement, edge.monitor, edge.reduce, slots) * left
                safety += weight
                severe += edge.severity >= at.MAJOR and weight >= 0.5 * full
            if twice > 0:
                weight = p[WEIGHT + twice] * left
                safety += weight
                severe += twice >= at.MAJOR and weight >= 0.5 * p[WEIGHT + twice]
    m = regimen_findings(facts, sc, st, w, 0)
    for i in range(m):
        weight = weigh(facts, sc, st, found[i])
        if found[i].category == at.OMISSION:
            weight = p[WEIGHT + found[i].severity]
            disease += weight
        elif found[i].category == at.BURDEN:
            burden += weight
        else:
            safety += weight
        severe += found[i].severity >= at.MAJOR and weight >= 0.5 * p[WEIGHT + found[i].severity]
    for i in range(st.withdrawals):
        safety += p[WITHDRAWAL + st.w_severity[i]]
        severe += st.w_severity[i] >= at.MAJOR
    for place in range(sc.treated):
        if (st.stale >> np.int64(place)) & 1:
            st.lost[place] = untreated(facts, sc, st, place)
        disease += st.lost[place]
    st.stale = 0
    st.gap = information_gap(facts, sc, st)
    st.safety = safety + st.gap
    st.dosing, st.disease = dosing, disease
    st.burden = burden + st.load
    st.severe = severe


@compiled
def list_findings(facts, sc, st, w):
    """Every finding of a state with its weight; monitoring gaps and untreated conditions apart.

    Returns:
        The number of rows of the workspace's `found` in use.
    """
    m, found, words = 0, w.found, w.words
    present(facts, st, -1, words)
    unite(words, sc.tokens)
    for k in range(st.n):
        if st.alive[k]:
            m = slot_findings(facts, sc, st, k, words, found, m)
            rest = st.links[k] & ((np.int64(1) << np.int64(k)) - 1)
            while rest:
                m = pair_finding(facts, st, lowest(rest), k, found, m)
                rest &= rest - 1
    m = regimen_findings(facts, sc, st, w, m)
    for i in range(m):
        row = found[i]
        if row.category == at.OMISSION:
            row.weight = facts.parameters[WEIGHT + row.severity]
        else:
            row.weight = weigh(facts, sc, st, row)
    for i in range(st.withdrawals):
        row = found[m]
        row.category, row.severity, row.what = at.WITHDRAWAL, st.w_severity[i], at.PAIR
        row.a, row.b, row.code, row.measurement = st.w_drug[i], -1, -1, -1
        row.slots, row.limit, row.reduce, row.monitor = 0, np.nan, 0, 0
        row.weight = facts.parameters[WITHDRAWAL + st.w_severity[i]]
        m += 1
    return m
