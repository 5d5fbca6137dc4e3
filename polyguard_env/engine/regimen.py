"""The clinical rules on a regimen as a whole: combinations of several drugs, load, drugs that are missing."""

from __future__ import annotations

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine.bits import lowest
from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.parameters import PLACE
from polyguard_env.engine.rules import note

ACB_THRESHOLD, ACB_SEVERITY = PLACE["acb_threshold"], PLACE["acb_severity"]
DBI_THRESHOLD, DBI_SEVERITY = PLACE["dbi_threshold"], PLACE["dbi_severity"]
DBI, ACB, DRUG = PLACE["dbi"], PLACE["acb"], PLACE["drug"]


@compiled
def regimen_findings(facts, sc, st, w, m):
    """Findings of the regimen as a whole: hyperedges, anticholinergic and Drug Burden Index load, omissions.

    Combinations and rules on missing drugs are told by one bit each for every side. Notes the regimen's load in the
    state.
    """
    found, p, lacking = w.found, facts.parameters, facts.lacking
    first = second = third = fourth = np.int64(0)
    one = two = three = four = np.int64(0)
    given, joined, barred = np.int64(0), np.int64(0), np.int64(0)
    given_too, joined_too, barred_too = np.int64(0), np.int64(0), np.int64(0)
    acb, dbi, count = 0.0, 0.0, 0
    acb_slots, dbi_slots = np.int64(0), np.int64(0)
    for k in range(st.n):
        if st.alive[k]:
            row = facts.drug[st.drug[k]]
            sides = row.sides
            first |= sides[0]
            second |= sides[1]
            third |= sides[2]
            fourth |= sides[3]
            # Combinations that a drug is in, counted up to four drugs, one word for each count.
            member = sides[0] | sides[1] | sides[2] | sides[3]
            four |= three & member
            three |= two & member
            two |= one & member
            one |= member
            given |= row.gives[0]
            given_too |= row.gives[1]
            joined |= row.joins[0]
            joined_too |= row.joins[1]
            barred |= row.bars[0]
            barred_too |= row.bars[1]
            count += 1
            acb += row.acb
            if row.dbi_delta > 0:
                dbi += st.dose[k] / (st.dose[k] + row.dbi_delta) if st.dose[k] > 0 else 0.0
            acb_slots |= np.int64(row.acb_carrier) << np.int64(k)
            dbi_slots |= np.int64(row.dbi_carrier) << np.int64(k)
    complete = (first | lacking[0]) & (second & two | lacking[1])
    complete &= (third & three | lacking[2]) & (fourth & four | lacking[3])
    while complete:
        m = _hyperedge_finding(facts, st, lowest(complete), w, m)
        complete &= complete - 1
    st.load = p[DBI] * dbi + p[ACB] * acb + p[DRUG] * count
    if acb_slots and acb >= p[ACB_THRESHOLD]:
        note(found, m, at.BURDEN, np.int64(p[ACB_SEVERITY]), at.ACB, -1, -1, -1, acb_slots)
        m += 1
    if dbi_slots and dbi >= p[DBI_THRESHOLD]:
        note(found, m, at.BURDEN, np.int64(p[DBI_SEVERITY]), at.DBI, -1, -1, -1, dbi_slots)
        m += 1
    m = _omissions(facts, sc.omission[0] & (joined | facts.alone[0]) & ~given & ~barred, 0, found, m)
    return _omissions(facts, sc.omission[1] & (joined_too | facts.alone[1]) & ~given_too & ~barred_too, 63, found, m)


@compiled
def _omissions(facts, rest, first, found, m):
    while rest:
        place = first + lowest(rest)
        rest &= rest - 1
        rule = facts.omission[place]
        note(found, m, at.OMISSION, rule.severity, at.CONDITION, rule.drug, rule.condition, place, np.int64(0))
        m += 1
    return m


@compiled
def _hyperedge_finding(facts, st, h, w, m):
    found, sides = w.found, w.sides
    edge = facts.hyper[h]
    slots = np.int64(0)
    for side in range(edge.sides):
        sides[side] = 0
        for k in range(st.n):
            if st.alive[k]:
                sides[side] |= ((facts.drug[st.drug[k]].sides[side] >> np.int64(h)) & 1) << np.int64(k)
        slots |= sides[side]
    if not represented(sides, edge.sides):
        return m
    note(found, m, edge.category, edge.severity, at.HYPEREDGE, -1, -1, h, slots)
    found[m].reduce = edge.reduce
    return m + 1


@compiled
def represented(sides, n):
    """True when each of `n` sides can be given a slot that no other side is given (Hall's condition)."""
    for subset in range(1, 1 << n):
        union, size = np.int64(0), 0
        for side in range(n):
            if (subset >> side) & 1:
                union |= sides[side]
                size += 1
        bits = 0
        while union and bits < size:
            union &= union - 1
            bits += 1
        if bits < size:
            return False
    return True
