"""What an action does to a state, and the days that pass with it."""

from __future__ import annotations

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine.bits import lowest
from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.holds import forget_reasons, is_held, note_reasons, pause_harm
from polyguard_env.engine.memory import meet
from polyguard_env.engine.parameters import PLACE, ROUNDING
from polyguard_env.engine.risk import (
    WITHDRAWAL,
    assess,
    information_gap,
    mark_stale,
    refresh_conditional,
    refresh_dose,
    refresh_pairs,
    refresh_slot,
    unlink,
)
from polyguard_env.engine.rules import kidney_known, pair_finding, weigh

WITHDRAWAL_DAYS, SAFE_STOP, TAPER_END = PLACE["withdrawal_days"], PLACE["safe_stop"], PLACE["taper_end"]
HOLD_DAYS = PLACE["hold_days"]


@compiled
def slot_of(st, drug):
    """The slot of a drug that is taken, or -1."""
    for k in range(st.n):
        if st.alive[k] and st.drug[k] == drug:
            return k
    return -1


@compiled
def taper_in_force(facts, st, k):
    """The taper rule of a slot: the drug has one, was taken long enough and is still near full dose; else -1.

    A drug that is held has been taken away at once already.
    """
    place = facts.drug[st.drug[k]].taper
    if place < 0 or is_held(st, k):
        return -1
    fraction = st.dose[k] / st.initial[k] if st.initial[k] > 0 else 1.0
    if fraction <= facts.parameters[SAFE_STOP] or st.days[k] < facts.taper[place].min_days:
        return -1
    return place


@compiled
def _withdraw(facts, st, drug, severity):
    for i in range(st.withdrawals):
        if st.w_drug[i] == drug:
            st.w_severity[i] = severity
            st.w_days[i] = np.int64(facts.parameters[WITHDRAWAL_DAYS])
            return
    i = st.withdrawals
    if i < at.WITHDRAWALS:
        st.w_drug[i], st.w_severity[i] = drug, severity
        st.w_days[i] = np.int64(facts.parameters[WITHDRAWAL_DAYS])
        st.withdrawals = i + 1


@compiled
def _remove(sc, st, k):
    st.alive[k] = 0
    st.tapering[k] = 0
    forget_reasons(st, k)
    unlink(st, k)
    mark_stale(sc, st, k)


@compiled
def _start(facts, sc, st, drug, indication, course, w):
    """Take a drug up in a slot; the slot. It goes on with a course that is under way, and begins none."""
    k = st.n
    if k >= at.SLOTS:
        for place in range(at.SLOTS):
            if not st.alive[place]:
                k = place
                break
    else:
        st.n = k + 1
    st.alive[k], st.drug[k], st.indication[k] = 1, drug, indication
    dose = facts.drug[drug].dose_min
    st.dose[k] = st.initial[k] = dose
    st.days[k], st.tapering[k], st.reduced[k], st.group[k] = 0, 0, 0, 0
    st.facts_known[k], st.product_known[k] = 1, 1
    st.held[k] = 0
    note_reasons(facts, sc, st, k, course)
    refresh_slot(facts, sc, st, k, w)
    refresh_pairs(facts, st, k)
    return k


@compiled
def tapered_dose(facts, sc, st, k):
    """Daily dose after one taper step; 0 when the last step is done.

    In LONGITUDINAL_DEPRESCRIBING a step is one step of the schedule. Elsewhere an episode is too short to live
    through it: the whole schedule is ordered at once, and the dose is its end.
    """
    if sc.sub != at.LONGITUDINAL:
        return 0.0 if st.tapering[k] else 0.1 * st.initial[k]
    place = facts.drug[st.drug[k]].taper
    fraction, days = 0.5, np.float64(sc.step_days)
    if place >= 0:
        fraction = facts.taper[place].step_fraction
        if facts.taper[place].step_days > 0:
            days = facts.taper[place].step_days
    cut = fraction * max(1.0, sc.step_days / max(days, 1.0))
    dose = st.dose[k] - cut * st.initial[k]
    return 0.0 if dose <= facts.parameters[TAPER_END] * st.initial[k] else np.round(dose, 4)


@compiled
def _stop(facts, sc, st, k, covered):
    place = taper_in_force(facts, st, k)
    if place >= 0 and not covered:
        _withdraw(facts, st, st.drug[k], facts.taper[place].severity)
    _remove(sc, st, k)


@compiled
def apply(facts, sc, st, kind, a, b, value, w):
    """Change a state by a legal action and let the step's days pass.

    Args:
        kind, a, b, value: the action's kind, its targets and its dose.
    """
    days = 0 if kind == at.FINISH else sc.step_days
    old_withdrawals = st.withdrawals
    changed = -1
    st.last_from = st.last_dose = 0.0
    if kind == at.STOP or kind == at.SUBSTITUTE or kind == at.RECOMMEND or kind == at.TAPER:
        k = slot_of(st, a)
        group = st.group[k]
        indication, course = st.indication[k], (st.course >> np.int64(k)) & 1
        for other in range(st.n):
            if st.alive[other] and (other == k or (group > 0 and st.group[other] == group)):
                if kind == at.TAPER:
                    dose = tapered_dose(facts, sc, st, other)
                    if dose <= 0.0:
                        _remove(sc, st, other)
                    else:
                        st.dose[other], st.tapering[other] = dose, 1
                        refresh_dose(facts, sc, st, other, w)
                else:
                    covered = False
                    if kind != at.STOP:
                        one, new = facts.drug[st.drug[other]].taper_class, facts.drug[b].taper_class
                        covered = one >= 0 and one == new
                    _stop(facts, sc, st, other, covered)
        if kind == at.SUBSTITUTE or kind == at.RECOMMEND:
            changed = _start(facts, sc, st, b, indication, course, w)
        refresh_conditional(facts, sc, st, changed, w)
    elif kind == at.ADD:
        changed = _start(facts, sc, st, a, b, 0, w)
        refresh_conditional(facts, sc, st, changed, w)
    elif kind == at.REDUCE or kind == at.INCREASE:
        k = slot_of(st, a)
        place = taper_in_force(facts, st, k)
        if place >= 0 and st.initial[k] > 0:
            cut = (st.dose[k] - value) / st.initial[k]
            if cut > facts.taper[place].max_fraction + ROUNDING:
                _withdraw(facts, st, a, facts.taper[place].severity)
        st.last_from, st.last_dose = st.dose[k], value
        st.dose[k] = value
        if kind == at.REDUCE:
            st.reduced[k] = 1
        refresh_dose(facts, sc, st, k, w)
    elif kind == at.HOLD:
        _hold(facts, sc, st, slot_of(st, a), w)
    elif kind == at.ORDER or kind == at.FETCH or kind == at.DECOMPOSE:
        learn(sc, st, kind, a)
    elif kind == at.TEST:
        st.tested |= 1 << a
    elif kind == at.FINISH:
        st.finished = 1
    elif kind == at.REVIEW:
        st.reviews += 1
    elif kind == at.KEEP:
        st.keeps += 1
    _age(st, days, old_withdrawals)
    _resume(facts, sc, st, days, w)
    st.day += days
    st.step += 1
    st.last_kind, st.last_a, st.last_b = kind, a, b


@compiled
def _hold(facts, sc, st, k, w):
    """Withhold a drug for a time: at once, so that what needs a taper, or may not be paused, brings harm."""
    place = taper_in_force(facts, st, k)
    severity = max(pause_harm(facts, st, k), np.int64(facts.taper[place].severity) if place >= 0 else np.int64(0))
    if severity > 0:
        _withdraw(facts, st, st.drug[k], severity)
    st.holding |= np.int64(1) << np.int64(k)
    st.held[k] = np.int64(facts.parameters[HOLD_DAYS])
    refresh_slot(facts, sc, st, k, w)


@compiled
def _resume(facts, sc, st, days, w):
    """Held drugs come back after their time, where an episode lives through it; elsewhere it is over before that."""
    if st.holding == 0 or sc.sub != at.LONGITUDINAL:
        return
    for k in range(st.n):
        if is_held(st, k):
            st.held[k] = max(0, st.held[k] - days)
            if st.held[k] == 0:
                st.holding &= ~(np.int64(1) << np.int64(k))
                refresh_slot(facts, sc, st, k, w)


@compiled
def learn(sc, st, kind, a):
    """Let a look-up show what it shows."""
    if kind == at.ORDER:
        bits = np.int64(1) << np.int64(a)
        st.monitored |= bits
        if bits & sc.kidney_hidden:
            bits |= sc.kidney_hidden
        st.known |= bits
    elif kind == at.FETCH:
        if a == at.CHART:
            st.chart_known = 1
        else:
            k = slot_of(st, a)
            if k >= 0:
                st.facts_known[k] = 1
    elif kind == at.DECOMPOSE:
        for k in range(st.n):
            if st.group[k] == a:
                st.product_known[k] = 1


@compiled
def _age(st, days, old):
    """Withdrawals that stood before the action grow older by its days; ended ones go."""
    kept = 0
    for i in range(st.withdrawals):
        left = st.w_days[i] - (days if i < old else 0)
        if left > 0:
            st.w_drug[kept], st.w_severity[kept], st.w_days[kept] = st.w_drug[i], st.w_severity[i], left
            kept += 1
    st.withdrawals = kept


@compiled
def idle(facts, sc, st, w):
    """An answer that changed nothing: the step and its days are gone."""
    _age(st, sc.step_days, st.withdrawals)
    _resume(facts, sc, st, sc.step_days, w)
    st.day += sc.step_days
    st.step += 1
    st.last_kind, st.last_a, st.last_b = -1, -1, -1
    st.last_from = st.last_dose = 0.0


@compiled
def untouched(facts, sc, st, kind, a, w):
    """What an action that leaves the regimen alone takes off safety: days pass, and a look-up shows something."""
    p = facts.parameters
    relief = 0.0
    if kind != at.FINISH:
        for i in range(st.withdrawals):
            if st.w_days[i] <= sc.step_days:
                relief += p[WITHDRAWAL + st.w_severity[i]]
    if not (kind == at.ORDER or kind == at.FETCH or kind == at.DECOMPOSE):
        return relief
    known, monitored, chart = st.known, st.monitored, st.chart_known
    facts_known, products_known = np.int64(0), np.int64(0)
    for k in range(st.n):
        facts_known |= np.int64(st.facts_known[k]) << np.int64(k)
        products_known |= np.int64(st.product_known[k]) << np.int64(k)
    relief += st.gap + (watched(facts, sc, st, a, w) if kind == at.ORDER else 0.0)
    learn(sc, st, kind, a)
    relief -= information_gap(facts, sc, st) + (watched(facts, sc, st, a, w) if kind == at.ORDER else 0.0)
    st.known, st.monitored, st.chart_known = known, monitored, chart
    for k in range(st.n):
        st.facts_known[k] = (facts_known >> np.int64(k)) & 1
        st.product_known[k] = (products_known >> np.int64(k)) & 1
    return relief


@compiled
def watched(facts, sc, st, measurement, w):
    """Weight of the interactions that a measurement watches over."""
    found, total = w.pair, 0.0
    for k in range(st.n):
        rest = st.links[k] & ((np.int64(1) << np.int64(k)) - 1) if st.alive[k] else np.int64(0)
        while rest:
            m = pair_finding(facts, st, lowest(rest), k, found, 0)
            rest &= rest - 1
            if m and found[0].category == at.INTERACTION and found[0].measurement == measurement:
                total += weigh(facts, sc, st, found[0])
    return total


@compiled
def outcome(facts, sc, scratch, kind, a, b, value, w):
    """Apply an action to a copy of a state and assess it."""
    apply(facts, sc, scratch, kind, a, b, value, w)
    assess(facts, sc, scratch, w)


@compiled
def why_illegal(facts, sc, st, kind, a, b, value):
    """0 for a legal action, else the code of the reason against it; every rule is one the agent can see."""
    if kind == at.STOP or kind == at.TAPER or kind == at.REDUCE or kind == at.INCREASE or kind == at.HOLD:
        k = slot_of(st, a)
        return at.NOT_TAKEN if k < 0 else why_not_on(facts, sc, st, k, kind, value)
    if kind == at.SUBSTITUTE or kind == at.RECOMMEND or kind == at.ADD:
        new = a if kind == at.ADD else b
        if kind != at.ADD:
            k = slot_of(st, a)
            if k < 0:
                return at.NOT_TAKEN
            if unknown(st, k):
                return at.ACTED_ON_UNKNOWN
        return at.ALREADY_TAKEN if slot_of(st, new) >= 0 else why_not_begin(facts, sc, st, new)
    return at.FINE


@compiled
def unknown(st, k):
    """True while the facts on a slot's drug, or the product that it is part of, are hidden."""
    return not st.facts_known[k] or not st.product_known[k]


@compiled
def why_not_on(facts, sc, st, k, kind, value):
    """As `why_illegal`, of ending or holding a drug that is taken or changing its dose, given its slot."""
    if unknown(st, k):
        return at.ACTED_ON_UNKNOWN
    if kind != at.STOP and is_held(st, k):
        return at.DRUG_HELD
    if kind == at.REDUCE or kind == at.INCREASE:
        row = facts.drug[st.drug[k]]
        if row.kidney and not kidney_known(sc, st):
            return at.KIDNEY_UNKNOWN
        if kind == at.REDUCE and value >= st.dose[k]:
            return at.NOT_A_REDUCTION
        if kind == at.INCREASE and value > row.dose_max * 1.001:
            return at.ABOVE_MAXIMUM
    return at.FINE


@compiled
def why_not_begin(facts, sc, st, drug):
    """As `why_illegal`, of beginning a drug that is not taken."""
    if sc.allergies_hidden and not st.chart_known:
        return at.ALLERGIES_UNKNOWN
    return at.ALLERGY if allergic(facts, sc, drug) else at.FINE


@compiled
def allergic(facts, sc, drug):
    """True when the patient is allergic to a drug or to a class of it."""
    for i in range(sc.allergies):
        if sc.allergy_drug[i] == drug:
            return True
    return meet(facts.drug[drug].tokens, sc.allergy_tokens)
