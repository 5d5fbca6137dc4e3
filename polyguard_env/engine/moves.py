"""The moves open in a state: what each drug allows, what would resolve a finding, what breaks a rule."""

from __future__ import annotations

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.draws import below
from polyguard_env.engine.dynamics import (
    slot_of,
    taper_in_force,
    unknown,
    why_illegal,
    why_not_begin,
    why_not_on,
)
from polyguard_env.engine.holds import is_held
from polyguard_env.engine.memory import copy_record, unite
from polyguard_env.engine.parameters import PLACE
from polyguard_env.engine.rules import organ_limit, present, touches

LEAST, RAISE, CUT = PLACE["least_weight"], PLACE["raise"], PLACE["cut"]
MOST_SWAPS, ANY = 2, 100
SPLITS = len(at.SPLIT)


@compiled
def put(facts, sc, st, rows, m, kind, a, b, value):
    """Add a move unless it is there already; its reason says whether it is legal.

    Returns:
        The number of rows in use.
    """
    if m >= rows.shape[0] or among(rows, m, kind, a, b, value):
        return m
    return write(rows, m, kind, a, b, value, why_illegal(facts, sc, st, kind, a, b, value))


@compiled
def put_on(facts, sc, st, rows, m, k, kind, value):
    """As `put`, of ending the drug of a slot or changing its dose."""
    if m >= rows.shape[0] or among(rows, m, kind, st.drug[k], -1, value):
        return m
    return write(rows, m, kind, st.drug[k], -1, value, why_not_on(facts, sc, st, k, kind, value))


@compiled
def among(rows, m, kind, a, b, value):
    """True when a move is among the first `m` rows."""
    for i in range(m):
        if rows[i].kind == kind and rows[i].a == a and rows[i].b == b and rows[i].value == value:
            return True
    return False


@compiled
def write(rows, m, kind, a, b, value, reason):
    """Write a move whose reason is known as row `m`, where there is room; the number of rows in use."""
    if m >= rows.shape[0]:
        return m
    row = rows[m]
    row.kind, row.a, row.b, row.value, row.reason, row.number, row.priced = kind, a, b, value, reason, 0, 0
    row.safety = row.dosing = row.burden = row.disease = row.worth = 0.0
    return m + 1


@compiled
def put_row(rows, m, row):
    """Add a copy of a move unless it is there already; the number of rows in use."""
    if m >= rows.shape[0] or among(rows, m, row.kind, row.a, row.b, row.value):
        return m
    copy_record(rows[m], row)
    return m + 1


@compiled
def in_split(facts, sc, st, drug, skip):
    """True when a drug would bring in no interaction of another split."""
    number, foreign = facts.number, facts.foreign
    own = np.int64(number[drug])
    if own < 0:
        return True
    row = sc.split * (foreign.shape[0] // SPLITS) + own
    for other in range(st.n):
        if st.alive[other] and other != skip:
            place = np.int64(number[st.drug[other]])
            if place >= 0 and (foreign[row, place // 63] >> (place % 63)) & 1:
                return False
    return True


@compiled
def swap_moves(facts, sc, st, k, rows, m, kind, most, words, fitting):
    """Replacements of the table, at most so many, that break no split.

    Args:
        words: room for the names of what else is there.
        fitting: those that fit the indication, the person and the other drugs; else those that do not.
    """
    drug = st.drug[k]
    span = facts.drug[drug].swap
    if span[1] <= span[0]:
        return m
    present(facts, st, k, words)
    unite(words, sc.tokens)
    shown = 0
    for place in range(span[0], span[1]):
        rule = facts.swap[place]
        fits = (rule.indication < 0 or rule.indication == st.indication[k]) and not touches(facts, rule.wrong_if, words)
        if fitting and not fits:
            continue
        if slot_of(st, rule.replacement) >= 0 or not in_split(facts, sc, st, rule.replacement, k):
            continue
        reason = at.ACTED_ON_UNKNOWN if unknown(st, k) else why_not_begin(facts, sc, st, rule.replacement)
        if (fits and reason != at.ALLERGY) != fitting:
            continue
        if not among(rows, m, kind, drug, rule.replacement, 0.0):
            m = write(rows, m, kind, drug, rule.replacement, 0.0, reason)
        shown += 1
        if shown == most:
            break
    return m


@compiled
def drug_moves(facts, sc, st, k, rows, m, most, words):
    """The moves on one drug, made alike for every drug whatever is wrong with it."""
    drug = st.drug[k]
    row = facts.drug[drug]
    if st.group[k] > 0:
        # A product is ended as a whole, by the name of its first ingredient.
        for other in range(st.n):
            if st.alive[other] and st.group[other] == st.group[k]:
                return put(facts, sc, st, rows, m, at.STOP, st.drug[other], -1, 0.0)
    if taper_in_force(facts, st, k) >= 0 or (st.tapering[k] and st.dose[k] > 0):
        m = put_on(facts, sc, st, rows, m, k, at.TAPER, 0.0)
    m = put_on(facts, sc, st, rows, m, k, at.STOP, 0.0)
    if sc.sub != at.ALTERNATIVE:
        m = swap_moves(facts, sc, st, k, rows, m, at.SUBSTITUTE, most, words, True)
    if row.profiled and st.dose[k] > 0 and not is_held(st, k):
        lower = max(row.dose_min, np.round(st.dose[k] * facts.parameters[CUT], 4))
        if lower < st.dose[k]:
            m = put_on(facts, sc, st, rows, m, k, at.REDUCE, lower)
        higher = np.round(st.dose[k] * facts.parameters[RAISE], 4)
        if higher <= row.dose_max:
            m = put_on(facts, sc, st, rows, m, k, at.INCREASE, higher)
    return m


@compiled
def dose_moves(facts, sc, st, k, rows, m):
    """Dose changes of one drug: to its limit for these organs, to its usual and lowest dose, by half and half again."""
    drug = st.drug[k]
    row = facts.drug[drug]
    dose = st.dose[k]
    if not row.profiled or dose <= 0 or st.group[k] > 0 or is_held(st, k):
        return m
    for hepatic in range(2):
        place, limit = organ_limit(facts, sc, drug, hepatic == 1)
        if place >= 0 and 0 < limit < dose:
            m = put_on(facts, sc, st, rows, m, k, at.REDUCE, limit)
    levels = (row.dose_min, row.dose_usual, row.dose_max, np.round(dose * facts.parameters[CUT], 4))
    for level in levels:
        if 0 < level < dose:
            m = put_on(facts, sc, st, rows, m, k, at.REDUCE, level)
        elif level > dose:
            m = put_on(facts, sc, st, rows, m, k, at.INCREASE, level)
    higher = np.round(dose * facts.parameters[RAISE], 4)
    return put_on(facts, sc, st, rows, m, k, at.INCREASE, higher) if higher <= row.dose_max else m


@compiled
def hold_move(facts, sc, st, k, rows, m):
    """Withholding one drug for a time, in the sub-environments that offer it; the number of rows in use."""
    offered = sc.sub == at.DDI_SUB or sc.sub == at.PRECISION or sc.sub == at.REGIMEN or sc.sub == at.LONGITUDINAL
    if not offered or st.group[k] > 0 or st.tapering[k] or is_held(st, k):
        return m
    return put_on(facts, sc, st, rows, m, k, at.HOLD, 0.0)


@compiled
def moves_of(facts, sc, st, k, rows, most, words):
    """The moves on one drug that a step may offer; the number of rows in use.

    Args:
        most: replacements at most, where the moves are those of any drug.
    """
    if sc.sub == at.PRECISION:
        m = dose_moves(facts, sc, st, k, rows, 0)
        m = drug_moves(facts, sc, st, k, rows, m, MOST_SWAPS, words)
        return hold_move(facts, sc, st, k, rows, m)
    if sc.sub == at.ALTERNATIVE and st.group[k] == 0:
        m = swap_moves(facts, sc, st, k, rows, 0, at.RECOMMEND, 3, words, True)
        m = swap_moves(facts, sc, st, k, rows, m, at.RECOMMEND, ANY, words, False)
        if taper_in_force(facts, st, k) >= 0 or (st.tapering[k] and st.dose[k] > 0):
            m = put_on(facts, sc, st, rows, m, k, at.TAPER, 0.0)
        return put_on(facts, sc, st, rows, m, k, at.STOP, 0.0)
    m = drug_moves(facts, sc, st, k, rows, 0, most, words)
    return hold_move(facts, sc, st, k, rows, m)


@compiled
def moves_on(facts, sc, st, k, w):
    """The moves on one drug in the workspace's `moves`, worked out once a step; the number of rows in use."""
    if w.counts[k] < 0:
        w.counts[k] = moves_of(facts, sc, st, k, w.moves[k], MOST_SWAPS, w.words)
    return w.counts[k]


@compiled
def kinds_on(facts, sc, st, k, w):
    """The kinds of the moves on one drug, a bit each."""
    m = w.counts[k]
    if m < 0:
        m = moves_of(facts, sc, st, k, w.moves[k], 1, w.words)
    kinds = np.int64(0)
    for i in range(m):
        kinds |= np.int64(1) << np.int64(w.moves[k, i].kind)
    return kinds


@compiled
def reveal_moves(facts, sc, st, rows, m):
    """What would show the agent something it lacks and may need."""
    missing = sc.hidden & ~st.known
    kidneys = missing & sc.kidney_hidden
    if kidneys:
        place = 0
        while (kidneys >> np.int64(place)) & 1 == 0:
            place += 1
        m = put(facts, sc, st, rows, m, at.ORDER, place, -1, 0.0)
    rest = missing & ~sc.kidney_hidden
    place = 0
    while rest:
        if rest & 1:
            m = put(facts, sc, st, rows, m, at.ORDER, place, -1, 0.0)
        rest >>= 1
        place += 1
    for k in range(st.n):
        if st.alive[k]:
            if not st.facts_known[k]:
                m = put(facts, sc, st, rows, m, at.FETCH, st.drug[k], -1, 0.0)
            if not st.product_known[k]:
                m = put(facts, sc, st, rows, m, at.DECOMPOSE, st.group[k], -1, 0.0)
    if not st.chart_known and (sc.chart_hidden or sc.allergies_hidden):
        m = put(facts, sc, st, rows, m, at.FETCH, at.CHART, -1, 0.0)
    return m


@compiled
def fix_moves(facts, sc, st, rows, w, count):
    """Ways to resolve the findings that weigh something, and to learn what is missing; holding where that answers one.

    Args:
        count: rows of the workspace's `found`, which are the state's findings as `list_findings` gives them.

    Returns:
        The number of rows in use.
    """
    m = reveal_moves(facts, sc, st, rows, 0)
    found = w.found
    involved = np.int64(0)
    for i in range(count):
        row = found[i]
        if row.weight < facts.parameters[LEAST] or row.category == at.WITHDRAWAL:
            continue
        if row.category == at.OMISSION:
            if in_split(facts, sc, st, row.a, -1) and slot_of(st, row.a) < 0:
                if why_illegal(facts, sc, st, at.ADD, row.a, row.b, 0.0) != at.ALLERGY:
                    m = put(facts, sc, st, rows, m, at.ADD, row.a, row.b, 0.0)
            continue
        involved |= row.slots
        if row.measurement >= 0 and (st.monitored >> np.int64(row.measurement)) & 1 == 0:
            m = put(facts, sc, st, rows, m, at.ORDER, row.measurement, -1, 0.0)
    for k in range(st.n):
        if not st.alive[k]:
            continue
        low = st.floor[k] > 0 and not st.tapering[k]
        if (involved >> np.int64(k)) & 1 == 1 or low or st.tapering[k]:
            if sc.sub == at.PRECISION or sc.sub == at.ALTERNATIVE:
                m = drug_moves(facts, sc, st, k, rows, m, MOST_SWAPS, w.words)
            else:
                for i in range(moves_on(facts, sc, st, k, w)):
                    if w.moves[k, i].kind != at.HOLD:
                        m = put_row(rows, m, w.moves[k, i])
            if (w.passing[0] >> np.int64(k)) & 1:
                m = hold_move(facts, sc, st, k, rows, m)
            if is_held(st, k):
                continue
            if sc.sub == at.PRECISION or low:
                m = dose_moves(facts, sc, st, k, rows, m)
            else:
                for hepatic in range(2):
                    place, limit = organ_limit(facts, sc, st.drug[k], hepatic == 1)
                    if place >= 0 and 0 < limit < st.dose[k]:
                        m = put_on(facts, sc, st, rows, m, k, at.REDUCE, limit)
                ceiling = facts.drug[st.drug[k]].dose_max
                if 0 < ceiling < st.dose[k]:
                    m = put_on(facts, sc, st, rows, m, k, at.REDUCE, ceiling)
            if sc.sub == at.ALTERNATIVE:
                m = swap_moves(facts, sc, st, k, rows, m, at.RECOMMEND, 3, w.words, True)
    return m


@compiled
def illegal_moves(facts, sc, st, rows, stream):
    """Options that break a rule the observation lets an agent see, a few of every kind of action.

    Returns:
        The number of rows in use.
    """
    m = 0
    common = facts.common
    for _ in range(3):
        drug = common[below(stream, common.shape[0])]
        if slot_of(st, drug) < 0:
            m = write(rows, m, at.STOP, drug, -1, 0.0, at.NOT_TAKEN)
    for k in range(st.n):
        if not st.alive[k] or not st.product_known[k] or st.group[k] > 0:
            continue
        drug, row = st.drug[k], facts.drug[st.drug[k]]
        if is_held(st, k):
            m = write(rows, m, at.HOLD, drug, -1, 0.0, at.DRUG_HELD)
        elif row.profiled and st.dose[k] > 0 and row.dose_max > 0:
            above = np.round(max(row.dose_max, st.dose[k]) * 2, 4)
            m = write(rows, m, at.INCREASE, drug, -1, above, at.ABOVE_MAXIMUM)
            m = write(rows, m, at.REDUCE, drug, -1, np.round(st.dose[k] * 2, 4), at.NOT_A_REDUCTION)
        other = below(stream, st.n)
        if other != k and st.alive[other] and st.product_known[other] and st.group[other] == 0:
            kind = at.RECOMMEND if sc.sub == at.ALTERNATIVE else at.SUBSTITUTE
            m = write(rows, m, kind, drug, st.drug[other], 0.0, at.ALREADY_TAKEN)
        span = row.swap
        for place in range(span[0], span[1]):
            new = facts.swap[place].replacement
            if why_illegal(facts, sc, st, at.SUBSTITUTE, drug, new, 0.0) == at.ALLERGY:
                kind = at.RECOMMEND if sc.sub == at.ALTERNATIVE else at.SUBSTITUTE
                m = write(rows, m, kind, drug, new, 0.0, at.ALLERGY)
    return m


@compiled
def check_moves(facts, st, rows, m):
    """Measurements that drugs of the regimen call for and nobody ordered."""
    for k in range(st.n):
        # A check would name what is in a product that nobody has taken apart.
        if st.alive[k] and st.product_known[k]:
            place = facts.drug[st.drug[k]].monitor
            if place >= 0 and (st.monitored >> np.int64(place)) & 1 == 0:
                held = False
                for i in range(m):
                    held = held or (rows[i].kind == at.ORDER and rows[i].a == place)
                if not held:
                    m = write(rows, m, at.ORDER, place, -1, 0.0, at.FINE)
    return m
