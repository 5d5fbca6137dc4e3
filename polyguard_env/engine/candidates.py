"""Candidates of a step: a table of drugs by kinds of action, matched so that its shape tells nothing."""

from __future__ import annotations

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.draws import below, chance, key_of, shuffle
from polyguard_env.engine.dynamics import outcome, slot_of
from polyguard_env.engine.moves import (
    check_moves,
    copy_row,
    dose_moves,
    drug_moves,
    fix_moves,
    illegal_moves,
    in_split,
    put,
    reveal_moves,
    swap_moves,
    unfit_swaps,
)
from polyguard_env.engine.parameters import PLACE
from polyguard_env.engine.risk import list_findings

COST = PLACE["cost_keep"]
COSTS = np.array(
    [
        PLACE[f"cost_{name}"]
        for name in (
            "keep", "stop", "taper", "reduce", "increase", "hold", "substitute", "add", "recommend", "order", "fetch",
            "decompose", "test", "review", "finish",
        )
    ]
)  # fmt: skip
CHECK_SHARE, ILLEGAL_SHARE, ACTIONABLE = PLACE["check_share"], PLACE["illegal_share"], PLACE["actionable"]
REVIEW_VALUE = PLACE["review_value"]
# How often the best fix is of each kind, so that a move drawn where nothing needs fixing looks like one.
SHARES = np.zeros(15)
SHARES[at.SUBSTITUTE], SHARES[at.TAPER], SHARES[at.STOP], SHARES[at.REDUCE], SHARES[at.INCREASE] = 6, 6, 5, 3, 1
DOSE_SHARES = np.zeros(15)
DOSE_SHARES[at.REDUCE], DOSE_SHARES[at.INCREASE], DOSE_SHARES[at.SUBSTITUTE], DOSE_SHARES[at.STOP] = 6, 4, 1, 1
ROWS = np.array([2, 2, 3])


@compiled
def copy_state(raw, b, spare):
    """Copy state `b` to the spare one, word by word."""
    for word in range(raw.shape[1]):
        spare[0, word] = raw[b, word]


@compiled
def value_of(facts, sc, st, raw, b, space, row):
    """Work out what a legal move changes: fills the row's differences and its worth."""
    copy_state(raw, b, space[2])
    after = space[1][0]
    outcome(facts, sc, after, row.kind, row.a, row.b, row.value, space[0][0])
    row.safety, row.dosing = st.safety - after.safety, st.dosing - after.dosing
    row.burden, row.disease = st.burden - after.burden, st.disease - after.disease
    row.worth = row.safety + row.dosing + row.burden + row.disease - facts.parameters[COSTS[row.kind]]


@compiled
def enter(facts, sc, states, raw, b, space):
    """Lay out and price the candidates of a state that has just been entered and assessed.

    Args:
        raw: the states as words, shape (episodes, words). space: as `workspace` makes it.
    """
    w = space[0][0]
    st = states[b]
    st.candidates, st.best, st.gain = 0, 0, 0.0
    if st.finished or st.step >= sc.budget:
        return
    stream = w.stream
    stream[0] = key_of(sc.key, st.seed, st.step)
    chosen = st.candidate
    if sc.combinations > 0:
        n = _bandit(facts, sc, st, chosen, stream, w.order)
    else:
        n = _clinical(facts, sc, st, raw, b, space, chosen, stream)
    _shuffle(chosen, n, w.rows[0], stream)
    for i in range(n):
        if chosen[i].reason == 0 and chosen[i].priced == 0:
            value_of(facts, sc, st, raw, b, space, chosen[i])
    _number(chosen, n, stream)
    st.candidates = n
    rank(facts, st)


@compiled
def rank(facts, st):
    """Find the best legal candidate and what the best change gains; asking counts when nothing else helps."""
    gain = 0.0
    for i in range(st.candidates):
        row = st.candidate[i]
        if row.reason == 0 and not no_op(row.kind):
            gain = max(gain, row.worth)
    st.gain = gain
    best = -1
    for i in range(st.candidates):
        row = st.candidate[i]
        if row.reason:
            continue
        if row.kind == at.REVIEW and gain <= facts.parameters[ACTIONABLE] and st.severe > 0:
            row.worth = facts.parameters[REVIEW_VALUE]
        if best < 0 or row.worth > st.candidate[best].worth:
            best = i
    st.best = best


@compiled
def no_op(kind):
    """True for the kinds of action that change neither regimen nor knowledge."""
    return kind == at.KEEP or kind == at.FINISH or kind == at.REVIEW or kind == at.HOLD


@compiled
def _shuffle(chosen, n, spot, stream):
    for place in range(n - 1, 0, -1):
        other = below(stream, place + 1)
        copy_row(spot, chosen[place])
        copy_row(chosen[place], chosen[other])
        copy_row(chosen[other], spot)


@compiled
def _number(chosen, n, stream):
    for i in range(n):
        fresh = False
        while not fresh:
            chosen[i].number = 10_000 + below(stream, 90_000)
            fresh = True
            for other in range(i):
                fresh = fresh and chosen[other].number != chosen[i].number


@compiled
def _take(chosen, n, row):
    for i in range(n):
        if chosen[i].kind == row.kind and chosen[i].a == row.a and chosen[i].b == row.b:
            if chosen[i].value == row.value:
                return n
    if n < at.CANDIDATES:
        copy_row(chosen[n], row)
        return n + 1
    return n


@compiled
def _simple(chosen, n, kind):
    row = chosen[n]
    row.kind, row.a, row.b, row.value, row.reason, row.number, row.priced = kind, -1, -1, 0.0, 0, 0, 0
    row.safety = row.dosing = row.burden = row.disease = row.worth = 0.0
    return n + 1


@compiled
def _bandit(facts, sc, st, chosen, stream, order):
    """Four or five combinations to test, finish, and now and then one already tested or keep."""
    for i in range(sc.combinations):
        order[i] = i
    shuffle(order, sc.combinations, stream)
    n, shown = 0, 0
    wanted = 4 + below(stream, 2)
    _promote_danger(sc, st, order, wanted, stream)
    for i in range(sc.combinations):
        if shown < wanted and (st.tested >> order[i]) & 1 == 0:
            n = put(facts, sc, st, chosen, n, at.TEST, order[i], -1, 0.0)
            shown += 1
    for i in range(sc.combinations):
        if (st.tested >> order[i]) & 1 == 1:
            n = put(facts, sc, st, chosen, n, at.TEST, order[i], -1, 0.0)
            break
    n = _simple(chosen, n, at.FINISH)
    return _simple(chosen, n, at.KEEP) if chance(stream) < 0.5 else n


@compiled
def _promote_danger(sc, st, order, wanted, stream):
    """While a dangerous combination is untested, one is among those offered: the best fix always is."""
    danger, untested = -1, 0
    for i in range(sc.combinations):
        if (st.tested >> order[i]) & 1 == 0:
            if sc.danger[order[i]] > 0:
                if untested < wanted:
                    return
                danger = i
            untested += 1
    if danger < 0:
        return
    spot = below(stream, wanted)
    for i in range(sc.combinations):
        if (st.tested >> order[i]) & 1 == 0:
            if spot == 0:
                order[i], order[danger] = order[danger], order[i]
                return
            spot -= 1


@compiled
def _clinical(facts, sc, st, raw, b, space, chosen, stream):
    w = space[0][0]
    rows, moves = w.rows, w.moves
    count = list_findings(facts, sc, st, w)
    fixes = fix_moves(facts, sc, st, rows, w.found, count)
    anchor, best = -1, facts.parameters[ACTIONABLE]
    for i in range(fixes):
        if rows[i].reason == 0:
            value_of(facts, sc, st, raw, b, space, rows[i])
            rows[i].priced = 1
            if rows[i].worth > best:
                anchor, best = i, rows[i].worth
    counts = w.counts
    for k in range(st.n):
        counts[k] = 0
        if st.alive[k]:
            counts[k] = moves_of(facts, sc, st, k, moves[k])
    has_anchor = anchor >= 0
    spot = chosen[at.CANDIDATES - 1]
    if has_anchor:
        copy_row(chosen[at.CANDIDATES - 1], rows[anchor])
    else:
        has_anchor = _any_move(sc, st, w, chosen, stream)
    n = 0
    narrower = 0
    if has_anchor and (spot.kind == at.ORDER or spot.kind == at.ADD):
        n = _of_kind(facts, sc, st, chosen, n, spot, rows, stream)
        narrower = 1
    elif has_anchor and (spot.kind == at.FETCH or spot.kind == at.DECOMPOSE):
        n = _take(chosen, n, spot)
    n = _table(sc, st, w, chosen, n, has_anchor, ROWS[sc.difficulty], 2 - narrower, stream)
    n = _reveals(facts, sc, st, chosen, n, w, stream)
    n = _check(facts, sc, st, chosen, n, rows, stream)
    return _beside(facts, sc, st, chosen, n, w, stream)


@compiled
def moves_of(facts, sc, st, k, rows):
    """The moves on one drug that a step may offer; the number of rows in use."""
    if sc.sub == at.PRECISION:
        m = dose_moves(facts, sc, st, k, rows, 0)
        return drug_moves(facts, sc, st, k, rows, m)
    if sc.sub == at.ALTERNATIVE and st.group[k] == 0:
        m = swap_moves(facts, sc, st, k, rows, 0, at.RECOMMEND, 3)
        m = unfit_swaps(facts, sc, st, k, rows, m, at.RECOMMEND)
        return put(facts, sc, st, rows, m, at.STOP, st.drug[k], -1, 0.0)
    return drug_moves(facts, sc, st, k, rows, 0)


@compiled
def _share(sc, kind):
    if sc.sub == at.PRECISION:
        return DOSE_SHARES[kind]
    if sc.sub == at.ALTERNATIVE:
        return 9.0 if kind == at.RECOMMEND else 1.0
    return SHARES[kind]


@compiled
def _any_move(sc, st, w, chosen, stream):
    """Put a move of a kind drawn by its share, on a drug drawn at random, in the anchor's place."""
    totals, moves, counts, able = w.totals, w.moves, w.counts, w.able
    totals[:] = 0.0
    for k in range(st.n):
        for i in range(counts[k]):
            totals[moves[k, i].kind] = _share(sc, moves[k, i].kind)
    kind = _draw(totals, stream)
    if kind < 0:
        return False
    m = 0
    for k in range(st.n):
        for i in range(counts[k]):
            if moves[k, i].kind == kind:
                able[m] = k
                m += 1
                break
    k = able[below(stream, m)]
    copy_row(chosen[at.CANDIDATES - 1], moves[k, _pick(moves[k], counts[k], kind, stream)])
    return True


@compiled
def _draw(totals, stream):
    total = totals.sum()
    if total <= 0:
        return -1
    point = chance(stream) * total
    for kind in range(totals.shape[0]):
        point -= totals[kind]
        if point < 0 and totals[kind] > 0:
            return kind
    return -1


@compiled
def _pick(rows, count, kind, stream):
    """A move of a kind, drawn among those of one drug."""
    m = 0
    for i in range(count):
        m += rows[i].kind == kind
    wanted = below(stream, m)
    for i in range(count):
        if rows[i].kind == kind:
            if wanted == 0:
                return i
            wanted -= 1
    return -1


@compiled
def _table(sc, st, w, chosen, n, has_anchor, drugs, kinds, stream):
    """Moves of a few kinds on a few drugs, the anchor among them when it is a move on a drug."""
    moves, counts, order, lines, column, totals = w.moves, w.counts, w.order, w.lines, w.column, w.totals
    spot = chosen[at.CANDIDATES - 1]
    target = slot_of(st, spot.a) if has_anchor and spot.kind != at.ADD and spot.kind <= at.RECOMMEND else -1
    _arrange(order, st.n, stream)
    m = 0
    if target >= 0:
        lines[0] = target
        m = 1
    for able in (True, False):
        for i in range(st.n):
            k = order[i]
            if m >= drugs or not st.alive[k] or k == target or counts[k] == 0 or _shown(st, lines, m, k):
                continue
            if target < 0 or _has(moves[k], counts[k], spot.kind) == able:
                lines[m] = k
                m += 1
    width = 0
    if target >= 0:
        column[0] = spot.kind
        width = 1
    while width < kinds:
        totals[:] = 0.0
        for j in range(m):
            for i in range(counts[lines[j]]):
                totals[moves[lines[j], i].kind] += _share(sc, moves[lines[j], i].kind)
        if sc.sub != at.PRECISION and sc.sub != at.ALTERNATIVE:
            for j in range(width):
                totals[column[j]] = 0.0
        kind = _draw(totals, stream)
        if kind < 0:
            break
        column[width] = kind
        width += 1
    for j in range(m):
        k = lines[j]
        for c in range(width):
            if j == 0 and c == 0 and target >= 0:
                n = _take(chosen, n, spot)
                continue
            kind = column[c]
            if not _has(moves[k], counts[k], kind):
                kind = moves[k, below(stream, counts[k])].kind
            i = _pick(moves[k], counts[k], kind, stream)
            if n < at.CANDIDATES - 2:
                n = _take(chosen, n, moves[k, i])
    return n


@compiled
def _shown(st, lines, m, k):
    for i in range(m):
        if lines[i] == k or (st.group[k] > 0 and st.group[lines[i]] == st.group[k]):
            return True
    return False


@compiled
def _arrange(order, n, stream):
    for i in range(n):
        order[i] = i
    shuffle(order, n, stream)


@compiled
def _has(rows, count, kind):
    for i in range(count):
        if rows[i].kind == kind:
            return True
    return False


@compiled
def _of_kind(facts, sc, st, chosen, n, spot, rows, stream):
    """The anchor, a check or an added drug, with one or two others of its kind."""
    n = _take(chosen, n, spot)
    m = 0
    if spot.kind == at.ORDER:
        m = check_moves(facts, st, rows, 0)
    else:
        start = below(stream, facts.omission.shape[0])
        for i in range(facts.omission.shape[0]):
            rule = facts.omission[(start + i) % facts.omission.shape[0]]
            if m < 2 and rule.drug != spot.a and slot_of(st, rule.drug) < 0 and in_split(facts, sc, st, rule.drug, -1):
                m = put(facts, sc, st, rows, m, at.ADD, rule.drug, rule.condition, 0.0)
    for _ in range(min(2, m)):
        n = _take(chosen, n, rows[below(stream, m)])
    return n


@compiled
def _reveals(facts, sc, st, chosen, n, w, stream):
    """Look-ups, the chart and taking a product apart, needed or not, in the sub-environments that have them."""
    rows, order = w.rows, w.order
    if sc.sub == at.NEW_DRUG:
        for k in range(st.n):
            if st.alive[k] and st.group[k] > 0 and (not st.product_known[k] or chance(stream) < 0.5):
                m = put(facts, sc, st, rows, 0, at.DECOMPOSE, st.group[k], -1, 0.0)
                return _take(chosen, n, rows[0]) if m else n
        return n
    if sc.sub != at.WEB:
        m = reveal_moves(facts, sc, st, rows, 0)
        for i in range(m):
            if rows[i].kind == at.FETCH and n < at.CANDIDATES - 2:
                n = _take(chosen, n, rows[i])
        return n
    unknown = -1
    for k in range(st.n):
        if st.alive[k] and not st.facts_known[k]:
            unknown = k
    _arrange(order, st.n, stream)
    shown = 0
    if unknown >= 0:
        put(facts, sc, st, rows, 0, at.FETCH, st.drug[unknown], -1, 0.0)
        n = _take(chosen, n, rows[0])
        shown = 1
    for i in range(st.n):
        k = order[i]
        if st.alive[k] and k != unknown and shown < 2 and n < at.CANDIDATES - 3:
            put(facts, sc, st, rows, 0, at.FETCH, st.drug[k], -1, 0.0)
            n = _take(chosen, n, rows[0])
            shown += 1
    if (not st.chart_known and (sc.chart_hidden or sc.allergies_hidden)) or chance(stream) < 0.3:
        put(facts, sc, st, rows, 0, at.FETCH, at.CHART, -1, 0.0)
        n = _take(chosen, n, rows[0])
    return n


@compiled
def _check(facts, sc, st, chosen, n, rows, stream):
    """Now and then a measurement: one that is hidden, else one that drugs of the regimen call for."""
    if chance(stream) >= facts.parameters[CHECK_SHARE] or n >= at.CANDIDATES - 2:
        return n
    m = reveal_moves(facts, sc, st, rows, 0)
    kept = 0
    for i in range(m):
        if rows[i].kind == at.ORDER:
            copy_row(rows[kept], rows[i])
            kept += 1
    if kept == 0:
        kept = check_moves(facts, st, rows, 0)
    return _take(chosen, n, rows[below(stream, kept)]) if kept else n


@compiled
def _beside(facts, sc, st, chosen, n, w, stream):
    """Finish, and one or two of: an illegal option, keep, ask a specialist."""
    rows, kinds = w.rows, w.totals
    n = min(n, at.CANDIDATES - 3)
    n = _simple(chosen, n, at.FINISH)
    if sc.difficulty > 0 or chance(stream) < facts.parameters[ILLEGAL_SHARE]:
        m = illegal_moves(facts, sc, st, rows, stream)
        if m:
            kinds[:] = 0.0
            for i in range(m):
                kinds[rows[i].kind] = 1.0
            kind = _draw(kinds, stream)
            n = _take(chosen, n, rows[_pick(rows, m, kind, stream)])
        if sc.difficulty == 0:
            return n
    if st.reviews == 0 and chance(stream) < 0.5:
        return _simple(chosen, n, at.REVIEW)
    return _simple(chosen, n, at.KEEP)
