"""The moves open in a state: what each drug allows, what would resolve a finding, what breaks a rule."""

from __future__ import annotations

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.draws import below
from polyguard_env.engine.dynamics import fits, slot_of, taper_in_force, why_illegal
from polyguard_env.engine.memory import copy_record, unite
from polyguard_env.engine.parameters import PLACE
from polyguard_env.engine.rules import organ_limit, present, touches

LEAST, RAISE, CUT = PLACE["least_weight"], PLACE["raise"], PLACE["cut"]
MOST_SWAPS = 2
SPLITS = len(at.SPLIT)


@compiled
def put(facts, sc, st, rows, m, kind, a, b, value):
    """Add a move unless it is there already; its reason says whether it is legal.

    Returns:
        The number of rows in use.
    """
    for i in range(m):
        if rows[i].kind == kind and rows[i].a == a and rows[i].b == b and rows[i].value == value:
            return m
    if m >= rows.shape[0]:
        return m
    row = rows[m]
    row.kind, row.a, row.b, row.value, row.number, row.priced = kind, a, b, value, 0, 0
    row.safety = row.dosing = row.burden = row.disease = row.worth = 0.0
    row.reason = why_illegal(facts, sc, st, kind, a, b, value)
    return m + 1


@compiled
def put_row(rows, m, row):
    """Add a copy of a move unless it is there already; the number of rows in use."""
    for i in range(m):
        if rows[i].kind == row.kind and rows[i].a == row.a and rows[i].b == row.b and rows[i].value == row.value:
            return m
    if m >= rows.shape[0]:
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
def swap_moves(facts, sc, st, k, rows, m, kind, most, words):
    """Replacements of the table that fit the indication and the person and break no split.

    Args:
        words: room for the names of what else is there.
    """
    drug = st.drug[k]
    span = facts.drug[drug].swap
    shown = 0
    if span[1] > span[0]:
        present(facts, st, k, words)
        unite(words, sc.tokens)
    for place in range(span[0], span[1]):
        rule = facts.swap[place]
        if shown == most:
            break
        if rule.indication >= 0 and rule.indication != st.indication[k]:
            continue
        if touches(facts, rule.wrong_if, words):
            continue
        if slot_of(st, rule.replacement) >= 0 or not in_split(facts, sc, st, rule.replacement, k):
            continue
        reason = why_illegal(facts, sc, st, kind, drug, rule.replacement, 0.0)
        if reason == at.ALLERGY:
            continue
        m = put(facts, sc, st, rows, m, kind, drug, rule.replacement, 0.0)
        shown += 1
    return m


@compiled
def unfit_swaps(facts, sc, st, k, rows, m, kind):
    """Replacements of the table that this person's conditions, drugs or allergies make wrong."""
    drug = st.drug[k]
    span = facts.drug[drug].swap
    for place in range(span[0], span[1]):
        rule = facts.swap[place]
        if slot_of(st, rule.replacement) >= 0 or not in_split(facts, sc, st, rule.replacement, k):
            continue
        wrong = not fits(facts, sc, st, k, rule.wrong_if)
        wrong = wrong or (rule.indication >= 0 and rule.indication != st.indication[k])
        wrong = wrong or why_illegal(facts, sc, st, kind, drug, rule.replacement, 0.0) == at.ALLERGY
        if wrong:
            m = put(facts, sc, st, rows, m, kind, drug, rule.replacement, 0.0)
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
        m = put(facts, sc, st, rows, m, at.TAPER, drug, -1, 0.0)
    m = put(facts, sc, st, rows, m, at.STOP, drug, -1, 0.0)
    if sc.sub != at.ALTERNATIVE:
        m = swap_moves(facts, sc, st, k, rows, m, at.SUBSTITUTE, most, words)
    if row.profiled and st.dose[k] > 0:
        lower = max(row.dose_min, np.round(st.dose[k] * facts.parameters[CUT], 4))
        if lower < st.dose[k]:
            m = put(facts, sc, st, rows, m, at.REDUCE, drug, -1, lower)
        higher = np.round(st.dose[k] * facts.parameters[RAISE], 4)
        if higher <= row.dose_max:
            m = put(facts, sc, st, rows, m, at.INCREASE, drug, -1, higher)
    return m


@compiled
def dose_moves(facts, sc, st, k, rows, m):
    """Dose changes of one drug: to its limit for these organs, to its usual and lowest dose, by half and half again."""
    drug = st.drug[k]
    row = facts.drug[drug]
    dose = st.dose[k]
    if not row.profiled or dose <= 0 or st.group[k] > 0:
        return m
    for hepatic in range(2):
        place, limit = organ_limit(facts, sc, drug, hepatic == 1)
        if place >= 0 and 0 < limit < dose:
            m = put(facts, sc, st, rows, m, at.REDUCE, drug, -1, limit)
    levels = (row.dose_min, row.dose_usual, row.dose_max, np.round(dose * facts.parameters[CUT], 4))
    for level in levels:
        if 0 < level < dose:
            m = put(facts, sc, st, rows, m, at.REDUCE, drug, -1, level)
        elif level > dose:
            m = put(facts, sc, st, rows, m, at.INCREASE, drug, -1, level)
    higher = np.round(dose * facts.parameters[RAISE], 4)
    return put(facts, sc, st, rows, m, at.INCREASE, drug, -1, higher) if higher <= row.dose_max else m


@compiled
def moves_of(facts, sc, st, k, rows, most, words):
    """The moves on one drug that a step may offer; the number of rows in use.

    Args:
        most: replacements at most, where the moves are those of any drug.
    """
    if sc.sub == at.PRECISION:
        m = dose_moves(facts, sc, st, k, rows, 0)
        return drug_moves(facts, sc, st, k, rows, m, MOST_SWAPS, words)
    if sc.sub == at.ALTERNATIVE and st.group[k] == 0:
        m = swap_moves(facts, sc, st, k, rows, 0, at.RECOMMEND, 3, words)
        m = unfit_swaps(facts, sc, st, k, rows, m, at.RECOMMEND)
        if taper_in_force(facts, st, k) >= 0 or (st.tapering[k] and st.dose[k] > 0):
            m = put(facts, sc, st, rows, m, at.TAPER, st.drug[k], -1, 0.0)
        return put(facts, sc, st, rows, m, at.STOP, st.drug[k], -1, 0.0)
    return drug_moves(facts, sc, st, k, rows, 0, most, words)


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
    """Ways to resolve the findings that weigh something, and to learn what is missing.

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
                    m = put_row(rows, m, w.moves[k, i])
            if sc.sub == at.PRECISION or low:
                m = dose_moves(facts, sc, st, k, rows, m)
            else:
                for hepatic in range(2):
                    place, limit = organ_limit(facts, sc, st.drug[k], hepatic == 1)
                    if place >= 0 and 0 < limit < st.dose[k]:
                        m = put(facts, sc, st, rows, m, at.REDUCE, st.drug[k], -1, limit)
                ceiling = facts.drug[st.drug[k]].dose_max
                if 0 < ceiling < st.dose[k]:
                    m = put(facts, sc, st, rows, m, at.REDUCE, st.drug[k], -1, ceiling)
            if sc.sub == at.ALTERNATIVE:
                m = swap_moves(facts, sc, st, k, rows, m, at.RECOMMEND, 3, w.words)
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
            m = _refused(rows, m, at.STOP, drug, -1, 0.0, at.NOT_TAKEN)
    for k in range(st.n):
        if not st.alive[k] or not st.product_known[k] or st.group[k] > 0:
            continue
        drug, row = st.drug[k], facts.drug[st.drug[k]]
        if row.profiled and st.dose[k] > 0 and row.dose_max > 0:
            above = np.round(max(row.dose_max, st.dose[k]) * 2, 4)
            m = _refused(rows, m, at.INCREASE, drug, -1, above, at.ABOVE_MAXIMUM)
            m = _refused(rows, m, at.REDUCE, drug, -1, np.round(st.dose[k] * 2, 4), at.NOT_A_REDUCTION)
        other = below(stream, st.n)
        if other != k and st.alive[other] and st.product_known[other] and st.group[other] == 0:
            kind = at.RECOMMEND if sc.sub == at.ALTERNATIVE else at.SUBSTITUTE
            m = _refused(rows, m, kind, drug, st.drug[other], 0.0, at.ALREADY_TAKEN)
        span = row.swap
        for place in range(span[0], span[1]):
            new = facts.swap[place].replacement
            if why_illegal(facts, sc, st, at.SUBSTITUTE, drug, new, 0.0) == at.ALLERGY:
                kind = at.RECOMMEND if sc.sub == at.ALTERNATIVE else at.SUBSTITUTE
                m = _refused(rows, m, kind, drug, new, 0.0, at.ALLERGY)
    return m


@compiled
def _refused(rows, m, kind, a, b, value, reason):
    if m >= rows.shape[0]:
        return m
    row = rows[m]
    row.kind, row.a, row.b, row.value, row.reason, row.number, row.priced = kind, a, b, value, reason, 0, 0
    row.safety = row.dosing = row.burden = row.disease = row.worth = 0.0
    return m + 1


@compiled
def check_moves(facts, st, rows, m):
    """Measurements that drugs of the regimen call for and nobody ordered."""
    for k in range(st.n):
        if st.alive[k]:
            place = facts.drug[st.drug[k]].monitor
            if place >= 0 and (st.monitored >> np.int64(place)) & 1 == 0:
                held = False
                for i in range(m):
                    held = held or (rows[i].kind == at.ORDER and rows[i].a == place)
                if not held:
                    m = _refused(rows, m, at.ORDER, place, -1, 0.0, at.FINE)
    return m
