"""Candidates of a step: a table of drugs by kinds of action, matched so that its shape tells nothing."""

from __future__ import annotations

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine.beside import any_check, any_start, bandit, beside, reveals
from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.draws import below, key_of
from polyguard_env.engine.dynamics import outcome, slot_of, untouched
from polyguard_env.engine.holds import note_passing
from polyguard_env.engine.memory import copier, copy_record
from polyguard_env.engine.moves import fix_moves, kinds_on, moves_on
from polyguard_env.engine.parameters import PLACE, ROUNDING
from polyguard_env.engine.picking import arrange, draw, pick, take
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
LASTING_COST = PLACE["cost_lasting"]
ACTIONABLE = PLACE["actionable"]
REVIEW_VALUE = PLACE["review_value"]
# By sub-environment and kind, how often the best fix is of that kind, so that a move drawn where nothing needs fixing
# looks like one. Measured over problems of the train split.
SHARES = np.zeros((8, 15))
for _sub, _shares in {
    at.DDI_SUB: {at.SUBSTITUTE: 41, at.TAPER: 39, at.STOP: 17, at.REDUCE: 3, at.INCREASE: 1, at.HOLD: 12},
    at.REGIMEN: {at.SUBSTITUTE: 34, at.TAPER: 22, at.STOP: 23, at.REDUCE: 12, at.INCREASE: 2, at.HOLD: 9},
    at.PRECISION: {at.SUBSTITUTE: 32, at.REDUCE: 28, at.INCREASE: 10, at.TAPER: 9, at.STOP: 12, at.HOLD: 9},
    at.LONGITUDINAL: {at.TAPER: 50, at.STOP: 32, at.SUBSTITUTE: 16, at.REDUCE: 2, at.INCREASE: 1, at.HOLD: 2},
    at.WEB: {at.SUBSTITUTE: 38, at.STOP: 31, at.TAPER: 26, at.REDUCE: 5, at.INCREASE: 1},
    at.ALTERNATIVE: {at.RECOMMEND: 81, at.STOP: 14, at.TAPER: 5},
    at.NEW_DRUG: {at.STOP: 50, at.SUBSTITUTE: 25, at.TAPER: 22, at.REDUCE: 3, at.INCREASE: 1},
}.items():
    for _kind, _share in _shares.items():
        SHARES[_sub, _kind] = _share
# What the shares of a drawn move are multiplied by, because drugs that need nothing allow some kinds less often.
EVENED = np.ones((8, 15))
for _sub, _factors in {
    at.DDI_SUB: {at.STOP: 1.8, at.INCREASE: 0.3, at.SUBSTITUTE: 1.2, at.REDUCE: 0.5},
    at.REGIMEN: {at.STOP: 0.7, at.TAPER: 1.6, at.REDUCE: 1.0, at.SUBSTITUTE: 1.2, at.INCREASE: 0.3},
    at.PRECISION: {at.STOP: 0.6, at.TAPER: 2.5, at.REDUCE: 0.8, at.HOLD: 0.5, at.SUBSTITUTE: 1.1},
    at.LONGITUDINAL: {at.STOP: 1.2, at.TAPER: 0.45, at.SUBSTITUTE: 1.2, at.INCREASE: 0.05, at.HOLD: 3.0},
    at.WEB: {at.STOP: 1.6, at.TAPER: 1.6, at.INCREASE: 0.3},
    at.ALTERNATIVE: {at.TAPER: 4.0},
    at.NEW_DRUG: {at.SUBSTITUTE: 1.3},
}.items():
    for _kind, _factor in _factors.items():
        EVENED[_sub, _kind] = _factor
# A second kind of move that too few drugs allow together with the first is drawn this much less often.
UNEVEN = 0.3
# Drugs in the table of moves.
ROWS = 2
# Bytes of a state: all before its table of pairs, and a row of that.
PAIR = at.byte_of("pair")
PAIR_ROW = at.SLOTS * at.i4().itemsize
_copy_all_but_pairs, _copy_pairs = copier(PAIR), copier(PAIR_ROW)


@compiled
def copy_state(to, st):
    """Copy a state, its candidates left out; of the table of pairs only the rows of slots with links to later ones."""
    _copy_all_but_pairs(to, st, 0)
    for k in range(st.n):
        if st.links[k] >> np.int64(k):
            _copy_pairs(to, st, PAIR + k * PAIR_ROW)


@compiled
def value_of(facts, sc, st, w, after, row):
    """Work out what a legal move changes: fills the row's differences and its worth."""
    row.dosing = row.burden = row.disease = 0.0
    # A drug that is held may come back with the days of any action, where the episode lives through them.
    still = sc.combinations == 0 and (st.holding == 0 or sc.sub != at.LONGITUDINAL)
    if still and (no_op(row.kind) or row.kind == at.ORDER or row.kind == at.FETCH or row.kind == at.DECOMPOSE):
        row.safety = untouched(facts, sc, st, row.kind, row.a, w)
        row.worth = row.safety - facts.parameters[COSTS[row.kind]]
        return
    copy_state(after, st)
    outcome(facts, sc, after, row.kind, row.a, row.b, row.value, w)
    row.safety, row.dosing = st.safety - after.safety, st.dosing - after.dosing
    row.burden, row.disease = st.burden - after.burden, st.disease - after.disease
    cost = facts.parameters[COSTS[row.kind]]
    if lasts_too_long(st, row, w):
        cost += facts.parameters[LASTING_COST]
    row.worth = row.safety + row.dosing + row.burden + row.disease - cost


@compiled
def lasts_too_long(st, row, w):
    """True for a lasting change of a drug whose only trouble passes with a pause; to hold a course is to end it."""
    if w.passing[1] == 0 or row.kind == at.KEEP or row.kind == at.INCREASE:
        return False
    if row.kind > at.RECOMMEND or row.kind == at.ADD:
        return False
    bit = np.int64(1) << np.int64(slot_of(st, row.a))
    return w.passing[1] & bit != 0 and (row.kind != at.HOLD or st.course & bit != 0)


@compiled
def enter(facts, sc, st, w, after):
    """Lay out and price the candidates of a state that has just been entered and assessed.

    Args:
        w: the workspace; its `listed` rows of `found` are the state's findings, where it is not negative.
        after: room for a state.
    """
    survey(facts, sc, st, w, after)
    lay_out(facts, sc, st, w)
    price(facts, sc, st, w, after)


@compiled
def ended(sc, st):
    """True once the agent finished or the budget is spent."""
    return st.finished != 0 or st.step >= sc.budget


@compiled
def survey(facts, sc, st, w, after):
    """First part of `enter`: the ways to fix what is wrong, priced, in the workspace's `fixes`."""
    st.candidates, st.best, st.gain = 0, 0, 0.0
    if ended(sc, st) or sc.combinations > 0:
        return
    rows = w.fixes
    w.counts[:] = -1
    count = w.listed[0] if w.listed[0] >= 0 else list_findings(facts, sc, st, w)
    note_passing(facts, sc, st, w, count)
    w.fixed[0] = fix_moves(facts, sc, st, rows, w, count)
    for i in range(w.fixed[0]):
        row = rows[i]
        if row.reason == 0 and row.kind != at.FETCH and row.kind != at.DECOMPOSE:
            value_of(facts, sc, st, w, after, row)
            row.priced = 1


@compiled
def lay_out(facts, sc, st, w):
    """Second part of `enter`: what is on offer, in random order."""
    if ended(sc, st):
        return
    stream = w.stream
    stream[0] = key_of(sc.key, st.seed, st.step)
    chosen = st.candidate
    if sc.combinations > 0:
        n = bandit(facts, sc, st, chosen, stream, w.order)
    else:
        n = _clinical(facts, sc, st, w, chosen, stream)
    _shuffle(chosen, n, w.rows[0], stream)
    _number(chosen, n, stream)
    st.candidates = n


@compiled
def price(facts, sc, st, w, after):
    """Last part of `enter`: what is on offer and has no price yet is priced, and the best found."""
    if ended(sc, st):
        return
    for i in range(st.candidates):
        row = st.candidate[i]
        if row.reason == 0 and row.priced == 0:
            value_of(facts, sc, st, w, after, row)
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
    return kind == at.KEEP or kind == at.FINISH or kind == at.REVIEW


@compiled
def _shuffle(chosen, n, spot, stream):
    for place in range(n - 1, 0, -1):
        other = below(stream, place + 1)
        copy_record(spot, chosen[place])
        copy_record(chosen[place], chosen[other])
        copy_record(chosen[other], spot)


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
def _clinical(facts, sc, st, w, chosen, stream):
    """Whatever is best is on offer: the best change of a drug, the best check, the best drug to add, what is unknown.

    Where there is none of them, one is drawn in its place.
    """
    rows, fixes = w.fixes, w.fixed[0]
    anchor, check, start = -1, -1, -1
    for i in range(fixes):
        kind = rows[i].kind
        if not rows[i].priced or rows[i].worth <= ROUNDING:
            continue
        if kind == at.ORDER:
            if check < 0 or rows[i].worth > rows[check].worth:
                check = i
        elif kind == at.ADD:
            if start < 0 or rows[i].worth > rows[start].worth:
                start = i
        elif anchor < 0 or rows[i].worth > rows[anchor].worth:
            anchor = i
    n = 0
    if check >= 0:
        n = take(chosen, n, rows[check])
    if start >= 0:
        n = take(chosen, n, rows[start])
    has_anchor = anchor >= 0
    if has_anchor:
        copy_record(chosen[at.CANDIDATES - 1], rows[anchor])
    for k in range(st.n):
        w.kinds[k] = kinds_on(facts, sc, st, k, w) if st.alive[k] else 0
    if not has_anchor:
        has_anchor = _any_move(facts, sc, st, w, chosen, stream)
    if check < 0:
        n = any_check(facts, sc, st, chosen, n, w.rows, stream)
    if start < 0:
        n = any_start(facts, sc, st, chosen, n, w.rows, stream)
    first = n
    if has_anchor:
        n = _table(facts, sc, st, w, chosen, n, ROWS, stream)
    end = n
    n = reveals(facts, sc, st, chosen, n, w, stream)
    n = beside(facts, sc, st, chosen, n, first, end, w, stream)
    for i in range(n):
        if not chosen[i].priced:
            _known_price(chosen[i], rows, fixes)
    return n


@compiled
def _known_price(row, fixes, count):
    """Take over the price of the same move, where it was worked out before."""
    for i in range(count):
        fix = fixes[i]
        if fix.priced and fix.kind == row.kind and fix.a == row.a and fix.b == row.b and fix.value == row.value:
            row.priced, row.worth = 1, fix.worth
            row.safety, row.dosing, row.burden, row.disease = fix.safety, fix.dosing, fix.burden, fix.disease
            return


@compiled
def _any_move(facts, sc, st, w, chosen, stream):
    """Put a move of a kind drawn by its share, on a drug drawn at random, in the anchor's place.

    A fix is never of a product that is unknown, so that none is drawn where there is something else.
    """
    totals, able = w.totals, w.able
    kinds = np.int64(0)
    for k in range(st.n):
        if st.product_known[k]:
            kinds |= w.kinds[k]
    anything = kinds == 0
    if anything:
        for k in range(st.n):
            kinds |= w.kinds[k]
    for drawn in range(totals.shape[0]):
        totals[drawn] = 0.0
        if (kinds >> np.int64(drawn)) & 1:
            totals[drawn] = SHARES[sc.sub, drawn] * EVENED[sc.sub, drawn]
    kind = draw(totals, stream)
    if kind < 0:
        return False
    # A drug that needs a taper is seldom best stopped at once, so that one which does not is drawn where there is one.
    taper, m = np.int64(1) << np.int64(at.TAPER), 0
    for spared in range(2 if kind == at.STOP else 1):
        for k in range(st.n):
            if (w.kinds[k] >> np.int64(kind)) & 1 == 0 or not (anything or st.product_known[k]):
                continue
            if kind != at.STOP or spared or w.kinds[k] & taper == 0:
                able[m] = k
                m += 1
        if m:
            break
    k = able[below(stream, m)]
    count = moves_on(facts, sc, st, k, w)
    copy_record(chosen[at.CANDIDATES - 1], w.moves[k, pick(w.moves[k], count, kind, stream)])
    return True


@compiled
def _table(facts, sc, st, w, chosen, n, drugs, stream):
    """Moves of two kinds on a few drugs, among them the one in the anchor's place."""
    moves, kinds, order, lines, column, totals = w.moves, w.kinds, w.order, w.lines, w.column, w.totals
    spot = chosen[at.CANDIDATES - 1]
    target = slot_of(st, spot.a)
    twice = sc.sub == at.PRECISION or sc.sub == at.ALTERNATIVE
    one = np.int64(1) << np.int64(spot.kind)
    for kind in range(totals.shape[0]):
        totals[kind] = 0.0
        if (kinds[target] >> np.int64(kind)) & 1 and (kind != spot.kind or twice):
            both, count = one | np.int64(1) << np.int64(kind), 1
            for k in range(st.n):
                count += k != target and st.alive[k] and kinds[k] & both == both
            totals[kind] = (1.0 if count >= drugs else UNEVEN) * SHARES[sc.sub, kind]
    column[0], column[1] = spot.kind, draw(totals, stream)
    both = one | (np.int64(1) << np.int64(column[1]) if column[1] >= 0 else 0)
    arrange(order, st.n, stream)
    lines[0] = target
    m = 1
    # Drugs that allow both kinds, then those that allow either, then any.
    for able in range(3):
        for i in range(st.n):
            k = order[i]
            if m >= drugs or not st.alive[k] or k == target or kinds[k] == 0 or _shown(st, lines, m, k):
                continue
            if able == 2 or (kinds[k] & both == both if able == 0 else kinds[k] & both != 0):
                lines[m] = k
                m += 1
    for j in range(m):
        k = lines[j]
        count = moves_on(facts, sc, st, k, w)
        for c in range(2 if column[1] >= 0 else 1):
            if j == 0 and c == 0:
                n = take(chosen, n, spot)
                continue
            kind = column[c]
            if kind < 0 or (kinds[k] >> np.int64(kind)) & 1 == 0:
                kind = moves[k, below(stream, count)].kind
            i = pick(moves[k], count, kind, stream)
            # As many moves on every drug: one that is there already makes way for the drug's next.
            for further in range(count):
                had = n
                if n < at.CANDIDATES - 2:
                    n = take(chosen, n, moves[k, (i + further) % count])
                if n > had:
                    break
    return n


@compiled
def _shown(st, lines, m, k):
    for i in range(m):
        if lines[i] == k or (st.group[k] > 0 and st.group[lines[i]] == st.group[k]):
            return True
    return False
