"""What a step offers beside the table of moves: studies, checks, drugs to add, look-ups, finish, illegal options."""

from __future__ import annotations

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.draws import below, chance, shuffle
from polyguard_env.engine.dynamics import slot_of
from polyguard_env.engine.memory import copy_record
from polyguard_env.engine.moves import check_moves, illegal_moves, in_split, put, reveal_moves
from polyguard_env.engine.parameters import PLACE
from polyguard_env.engine.picking import arrange, draw, pick, simple, take

ILLEGAL_SHARE = PLACE["illegal_share"]
CHECK_TRIES = 16
# How often the chart is offered, where it may be hidden, when it is not.
LURE_SHARE = 0.5
# How often an illegal option takes the place of one in the table of moves, where it can: one that stands alone, of a
# drug that no other option is about, shows that it is none to take.
WITHIN_SHARE = 0.9


@compiled
def bandit(facts, sc, st, chosen, stream, order):
    """Four or five combinations to test, finish, and now and then one already tested or keep."""
    for i in range(sc.combinations):
        order[i] = i
    shuffle(order, sc.combinations, stream)
    n, shown = 0, 0
    wanted = 4 + below(stream, 2)
    _place_danger(sc, st, order, wanted, stream)
    for i in range(sc.combinations):
        if shown < wanted and (st.tested >> order[i]) & 1 == 0:
            n = put(facts, sc, st, chosen, n, at.TEST, order[i], -1, 0.0)
            shown += 1
    for i in range(sc.combinations):
        if (st.tested >> order[i]) & 1 == 1:
            n = put(facts, sc, st, chosen, n, at.TEST, order[i], -1, 0.0)
            break
    n = simple(chosen, n, at.FINISH)
    return simple(chosen, n, at.KEEP) if chance(stream) < 0.5 else n


@compiled
def _place_danger(sc, st, order, wanted, stream):
    """While a dangerous combination is untested, one of the worst is among those offered, and as few more as can be.

    So chance finds it alike however many there are.
    """
    n, danger = sc.combinations, -1
    for i in range(n):
        if (st.tested >> order[i]) & 1 == 0 and sc.danger[order[i]] > 0:
            if danger < 0 or sc.danger[order[i]] > sc.danger[order[danger]]:
                danger = i
    if danger < 0:
        return
    worst = order[danger]
    m = 0
    for harmless in (True, False):
        for i in range(n):
            if order[i] >= 0 and order[i] != worst and (sc.danger[order[i]] <= 0) == harmless:
                order[n + m] = order[i]
                m += 1
    spot = below(stream, wanted)
    m = 0
    for i in range(n - 1):
        if spot == 0:
            order[m] = worst
            m += 1
        order[m] = order[n + i]
        if (st.tested >> order[m]) & 1 == 0:
            spot -= 1
        m += 1
    if m < n:
        order[m] = worst


@compiled
def any_check(facts, sc, st, chosen, n, rows, stream):
    """A measurement that drugs of the regimen call for, else any that some drug calls for."""
    m = check_moves(facts, st, rows, 0)
    if m == 0:
        for _ in range(CHECK_TRIES):
            place = facts.drug[facts.common[below(stream, facts.common.shape[0])]].monitor
            if place >= 0 and (st.monitored >> np.int64(place)) & 1 == 0:
                m = put(facts, sc, st, rows, 0, at.ORDER, place, -1, 0.0)
                break
    return take(chosen, n, rows[below(stream, m)]) if m else n


@compiled
def any_start(facts, sc, st, chosen, n, rows, stream):
    """A drug that some condition calls for, whoever has it."""
    start = below(stream, facts.omission.shape[0])
    for i in range(facts.omission.shape[0]):
        rule = facts.omission[(start + i) % facts.omission.shape[0]]
        if slot_of(st, rule.drug) < 0 and in_split(facts, sc, st, rule.drug, -1):
            m = put(facts, sc, st, rows, 0, at.ADD, rule.drug, rule.condition, 0.0)
            return take(chosen, n, rows[0]) if m else n
    return n


@compiled
def reveals(facts, sc, st, chosen, n, w, stream):
    """Look-ups, the chart and taking a product apart, needed or not, in the sub-environments that have them."""
    rows, order = w.rows, w.order
    if sc.sub == at.NEW_DRUG:
        for k in range(st.n):
            if st.alive[k] and st.group[k] > 0 and (not st.product_known[k] or chance(stream) < 0.5):
                m = put(facts, sc, st, rows, 0, at.DECOMPOSE, st.group[k], -1, 0.0)
                return take(chosen, n, rows[0]) if m else n
        return n
    if sc.sub != at.WEB:
        m = reveal_moves(facts, sc, st, rows, 0)
        for i in range(m):
            if rows[i].kind == at.FETCH and n < at.CANDIDATES - 2:
                n = take(chosen, n, rows[i])
        if m == 0 and (sc.sub == at.DDI_SUB or sc.sub == at.ALTERNATIVE) and chance(stream) < LURE_SHARE:
            put(facts, sc, st, rows, 0, at.FETCH, at.CHART, -1, 0.0)
            n = take(chosen, n, rows[0])
        return n
    unknown = -1
    for k in range(st.n):
        if st.alive[k] and not st.facts_known[k]:
            unknown = k
    arrange(order, st.n, stream)
    shown = 0
    if unknown >= 0:
        put(facts, sc, st, rows, 0, at.FETCH, st.drug[unknown], -1, 0.0)
        n = take(chosen, n, rows[0])
        shown = 1
    for i in range(st.n):
        k = order[i]
        if st.alive[k] and k != unknown and shown < 2 and n < at.CANDIDATES - 3:
            put(facts, sc, st, rows, 0, at.FETCH, st.drug[k], -1, 0.0)
            n = take(chosen, n, rows[0])
            shown += 1
    if (not st.chart_known and (sc.chart_hidden or sc.allergies_hidden)) or chance(stream) < 0.3:
        put(facts, sc, st, rows, 0, at.FETCH, at.CHART, -1, 0.0)
        n = take(chosen, n, rows[0])
    return n


@compiled
def beside(facts, sc, st, chosen, n, first, end, w, stream):
    """Finish, and one or two of: an illegal option, keep, ask a specialist.

    Args:
        first, end: places of the table of moves, the first of which must stay.
    """
    rows, kinds = w.rows, w.totals
    n = min(n, at.CANDIDATES - 3)
    n = simple(chosen, n, at.FINISH)
    if sc.difficulty > 0 or chance(stream) < facts.parameters[ILLEGAL_SHARE]:
        m = illegal_moves(facts, sc, st, rows, stream)
        if m and not (chance(stream) < WITHIN_SHARE and _within(chosen, first, end, rows, m, w, stream)):
            n = take(chosen, n, rows[_any_kind(rows, m, kinds, stream)])
        if sc.difficulty == 0:
            return n
    if st.reviews == 0 and chance(stream) < 0.5:
        return simple(chosen, n, at.REVIEW)
    return simple(chosen, n, at.KEEP)


@compiled
def _within(chosen, first, end, rows, m, w, stream):
    """Put an illegal option on the same drug in the place of a move of the table other than the first.

    Every other place is as likely, so that each that is left is as likely the first.

    Returns:
        False where the drug allows none.
    """
    if end - first < 2:
        return False
    place = first + 1 + below(stream, end - first - 1)
    drug, kept = chosen[place].a, 0
    for i in range(m):
        if rows[i].a == drug:
            if i != kept:
                copy_record(rows[kept], rows[i])
            kept += 1
    if kept == 0:
        return False
    copy_record(chosen[place], rows[_any_kind(rows, kept, w.totals, stream)])
    return True


@compiled
def _any_kind(rows, m, kinds, stream):
    """A row among the first `m`, every kind as often."""
    kinds[:] = 0.0
    for i in range(m):
        kinds[rows[i].kind] = 1.0
    return pick(rows, m, draw(kinds, stream), stream)
