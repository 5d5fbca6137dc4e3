"""Prices an action: thirteen columns from potential differences, legality and conduct."""

from __future__ import annotations

from math import exp

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine.candidates import no_op
from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.dynamics import slot_of, taper_in_force
from polyguard_env.engine.parameters import PLACE, ROUNDING
from polyguard_env.reward.columns import COLUMNS, HIGH, LOW

ACTIONABLE, UNSAFE_GATE, SEVERE_RELIEF = PLACE["actionable"], PLACE["unsafe_gate"], PLACE["severe_relief"]
HARM_SLOPE, BEST_LOGIT, DELTA_SCALE = PLACE["harm_slope"], PLACE["best_logit"], PLACE["delta_scale"]
MAX_KEEPS, NEEDLESS_GATE, CONDUCT_GATE = PLACE["max_keeps"], PLACE["needless_gate"], PLACE["conduct_gate"]
REPAIR_GATE = PLACE["repair_gate"]
(
    FORMAT, ALIGNMENT, LEGALITY, SAFETY, BURDEN, DISEASE, DOSING, ABSTENTION, EFFICIENCY, PROCESS, GROUNDING,
    ANTI_CHEAT, CALIBRATION,
) = range(len(COLUMNS))  # fmt: skip
BACK_AND_FORTH = (1 << at.UNDONE_CHANGE) | (1 << at.ACTION_LOOP)


@compiled
def logistic(x):
    """1 / (1 + exp(-x)) without overflow."""
    return 1.0 / (1.0 + exp(-x)) if x >= 0 else exp(x) / (1.0 + exp(x))


@compiled
def delta_score(p, delta, best):
    """Score in (0, 1) of a potential difference against the best legal action's; strictly increasing in `delta`."""
    return logistic(p[BEST_LOGIT] + (delta - best) / p[DELTA_SCALE])


@compiled
def conduct(facts, sc, st, row):
    """Bits of the named anti-hacking reasons for a legal action."""
    bits = np.int64(0)
    actionable = st.gain > facts.parameters[ACTIONABLE]
    waits = no_op(row.kind) or shows_nothing(row)
    if waits and actionable and st.severe > 0:
        bits |= 1 << at.UNSAFE_NO_OP
        if row.kind != at.FINISH and st.step + 1 >= sc.budget:
            bits |= 1 << at.TIMEOUT
    if shows_nothing(row) and st.last_kind >= 0 and (no_op(st.last_kind) or looks_up(st.last_kind)):
        bits |= 1 << at.NO_OP_RETRY
    if row.kind == at.KEEP and st.keeps >= facts.parameters[MAX_KEEPS]:
        bits |= 1 << at.KEEP_ABUSE
    if row.kind == at.REVIEW and (st.reviews >= 1 or actionable):
        bits |= 1 << at.REVIEW_ABUSE
    same = row.kind == st.last_kind and row.a == st.last_a and row.b == st.last_b
    if same and row.value == st.last_dose and row.kind != at.TAPER:
        bits |= 1 << (at.NO_OP_RETRY if no_op(row.kind) else at.ACTION_LOOP)
    if row.kind == at.ORDER and (st.monitored >> np.int64(row.a)) & 1 == 1:
        bits |= 1 << at.ACTION_LOOP
    if row.kind == at.TEST and (st.tested >> row.a) & 1 == 1:
        bits |= 1 << at.ACTION_LOOP
    if (row.kind == at.STOP or row.kind == at.SUBSTITUTE) and row.a == st.last_b and st.last_b >= 0:
        if st.last_kind == at.SUBSTITUTE or st.last_kind == at.RECOMMEND:
            bits |= 1 << at.UNDONE_CHANGE
    if row.kind == at.STOP and st.last_kind == at.ADD and st.last_a == row.a:
        bits |= 1 << at.UNDONE_CHANGE
    if takes_dose_back(st, row):
        bits |= 1 << at.UNDONE_CHANGE
    if needless(row):
        bits |= 1 << at.NEEDLESS_CHANGE
    return bits


@compiled
def takes_dose_back(st, row):
    """True for a dose change that undoes the last one: the other way, back to the dose before it or past that."""
    if row.a != st.last_a:
        return False
    if row.kind == at.INCREASE:
        return st.last_kind == at.REDUCE and row.value >= st.last_from
    return row.kind == at.REDUCE and st.last_kind == at.INCREASE and row.value <= st.last_from


@compiled
def looks_up(kind):
    """True for the kinds of action that can only bring knowledge."""
    return kind == at.ORDER or kind == at.FETCH or kind == at.DECOMPOSE


@compiled
def shows_nothing(row):
    """True for a look-up of what is known already, or of what nothing in the regimen hangs on."""
    return looks_up(row.kind) and row.safety <= ROUNDING


@compiled
def changes(kind):
    """True for the kinds of action that change the regimen."""
    return kind < at.ORDER and not no_op(kind)


@compiled
def needless(row):
    """True for a change of the regimen that gains nothing."""
    return changes(row.kind) and row.worth <= ROUNDING


@compiled
def slips(facts, sc, st, row):
    """How many steps of good practice an action leaves out."""
    count = 0
    if row.kind == at.STOP:
        k = slot_of(st, row.a)
        group = st.group[k]
        for other in range(st.n):
            if st.alive[other] and (other == k or (group > 0 and st.group[other] == group)):
                count += taper_in_force(facts, st, other) >= 0
    if row.kind == at.HOLD:
        count += taper_in_force(facts, st, slot_of(st, row.a)) >= 0
    if row.kind == at.ORDER and ((sc.measured & ~sc.hidden) | st.known) >> np.int64(row.a) & 1 == 1:
        count += 1
    if row.kind == at.FETCH:
        if row.a == at.CHART:
            count += st.chart_known or not (sc.chart_hidden or sc.allergies_hidden)
        else:
            k = slot_of(st, row.a)
            count += k < 0 or st.facts_known[k] == 1
    if row.kind == at.DECOMPOSE:
        for k in range(st.n):
            if st.alive[k] and st.group[k] == row.a:
                count += st.product_known[k]
                break
    if sc.sub == at.LONGITUDINAL and (row.kind == at.TAPER or row.kind == at.STOP):
        # One change at a time: a second taper is not begun while another is under way.
        for k in range(st.n):
            if st.alive[k] and st.tapering[k] and st.drug[k] != row.a:
                count += 1
                break
    return count


@compiled
def harm_added(row):
    """The worst a candidate adds: to safety and dosing, to risk as a whole, or to a condition left untreated."""
    return max(0.0, -(row.safety + row.dosing), -(row.safety + row.dosing + row.burden), -row.disease)


@compiled
def relief_of(row):
    """What an action takes off the risk in all: safety, dosing, burden and conditions left untreated."""
    return row.safety + row.dosing + row.burden + row.disease


@compiled
def risk_in_all(st):
    """The risk of a state: safety, dosing, burden and conditions left untreated."""
    return st.safety + st.dosing + st.burden + st.disease


@compiled
def repairs(st, row):
    """True for what may take away harm that the agent has done: a change of a drug it did harm with, or waiting."""
    if not changes(row.kind):
        return no_op(row.kind)
    for i in range(st.harms):
        if st.harmed[i] == row.a or (row.b == st.harmed[i] and switches(row.kind)):
            return True
    return False


@compiled
def switches(kind):
    """True for the kinds of action that put one drug in another's place."""
    return kind == at.SUBSTITUTE or kind == at.RECOMMEND


@compiled
def note_debt(st, choice, before):
    """Note the risk that a step has added, with which drugs, and what it took away of that which is owed.

    Args:
        choice: the candidate that was taken, -1 where the answer was no legal one. before: risk in all before the step.
    """
    row = st.candidate[max(choice, 0)]
    added = max(0.0, -relief_of(row)) if choice >= 0 and changes(row.kind) else 0.0
    mended = max(0.0, before - risk_in_all(st)) if choice < 0 or repairs(st, row) else 0.0
    st.debt = max(0.0, st.debt + added - mended)
    if st.debt <= 0.0:
        st.harms = 0
    elif added > 0.0:
        for drug in (np.int64(row.a), np.int64(row.b) if switches(row.kind) else np.int64(-1)):
            if drug >= 0 and st.harms < at.HARMED:
                st.harmed[st.harms] = drug
                st.harms += 1


@compiled
def gate_of(facts, st, row, best):
    """Share of its bonuses an action keeps, in (0, 1]: less for harm it adds or leaves, needless change and repair.

    What only undoes the agent's own harm is no gain, so that harm followed by its repair pays less than waiting. What
    is done about other drugs is paid in full.
    """
    p = facts.parameters
    relief, possible = relief_of(row), relief_of(best)
    factor = exp(-p[HARM_SLOPE] * max(0.0, harm_added(row) - harm_added(best)))
    if possible >= p[SEVERE_RELIEF]:
        share = min(1.0, max(0.0, relief) / possible)
        factor *= p[UNSAFE_GATE] + (1.0 - p[UNSAFE_GATE]) * share
    if st.debt > ROUNDING and no_op(row.kind):
        # Who leaves it at the harm done is not paid as one who left a patient well.
        factor *= p[REPAIR_GATE] + (1.0 - p[REPAIR_GATE]) * max(0.0, 1.0 - st.debt / p[SEVERE_RELIEF])
    elif st.debt > ROUNDING and relief > ROUNDING and repairs(st, row):
        factor *= p[REPAIR_GATE] + (1.0 - p[REPAIR_GATE]) * max(0.0, relief - st.debt) / relief
    if needless(row):
        factor *= p[NEEDLESS_GATE]
    return factor


@compiled
def judge(facts, sc, st, choice, reasons, confidence, cited, hits, columns):
    """Price one answer.

    A repeat, or a change taken back, that gains nothing is paid for its form alone: what went before it was paid.

    Args:
        choice: place of the candidate named, -1 when the answer named none.
        reasons: bits of the reasons found while reading the answer.
        confidence: stated probability, NaN when none was.
        cited, hits: facts cited, and how many of them exist and support the action.
        columns: filled, shape (13,).

    Returns:
        (reward, reason bits, legal).
    """
    p = facts.parameters
    columns[:] = 0.0
    if choice < 0:
        columns[ANTI_CHEAT] = 1.0 / (1.0 + 3.0 * _count(reasons))
        return combine(facts, columns), reasons, False
    row = st.candidate[choice]
    columns[FORMAT] = columns[ALIGNMENT] = 1.0
    if row.reason:
        columns[ANTI_CHEAT] = 1.0 / (1.0 + 3.0 * (1 + _count(reasons)))
        return combine(facts, columns), reasons | (np.int64(1) << np.int64(row.reason)), False
    best = st.candidate[st.best]
    regret = best.worth - row.worth
    reasons |= conduct(facts, sc, st, row)
    if reasons & BACK_AND_FORTH and row.worth <= ROUNDING:
        return combine(facts, columns), reasons, True
    factor = gate_of(facts, st, row, best)
    if reasons & ~(np.int64(1) << np.int64(at.NEEDLESS_CHANGE)):
        factor *= p[CONDUCT_GATE]
    columns[LEGALITY] = 1.0
    columns[SAFETY] = factor * delta_score(p, row.safety, best.safety)
    columns[BURDEN] = factor * delta_score(p, row.burden, best.burden)
    columns[DISEASE] = factor * delta_score(p, row.disease, best.disease)
    columns[DOSING] = factor * delta_score(p, row.dosing, best.dosing)
    columns[ABSTENTION] = factor * _abstention(p, st, row, regret)
    columns[EFFICIENCY] = factor * delta_score(p, -regret, 0.0)
    columns[PROCESS] = factor * 0.5 ** slips(facts, sc, st, row)
    if explainable(row):
        columns[GROUNDING] = factor * (hits / cited if cited else 0.0)
    else:
        columns[GROUNDING] = factor * (1.0 if cited == 0 else 0.0)
    columns[ANTI_CHEAT] = factor / (1.0 + 3.0 * _count(reasons))
    stated = 0.5 if np.isnan(confidence) else confidence
    columns[CALIBRATION] = factor * (1.0 - (stated - (1.0 if regret <= p[ACTIONABLE] else 0.0)) ** 2)
    return combine(facts, columns), reasons, True


@compiled
def explainable(row):
    """True when an action lessens a finding, so that facts shown to the agent speak for it."""
    if no_op(row.kind) or row.kind >= at.ORDER:
        return False
    return row.safety > ROUNDING or row.dosing > ROUNDING or row.burden > 0.5


@compiled
def combine(facts, columns):
    """Reward in [0.001, 0.999]: an affine map of the weighted mean of the columns."""
    raw = 0.0
    for i in range(columns.shape[0]):
        raw += facts.weights[i] * columns[i]
    return LOW + (HIGH - LOW) * raw


@compiled
def _abstention(p, st, row, regret):
    should_ask = st.gain <= p[ACTIONABLE] and st.severe > 0
    if row.kind == at.REVIEW:
        return delta_score(p, 0.0, 0.0) if should_ask else 0.5 * delta_score(p, -regret, 0.0)
    return delta_score(p, -regret, 0.0)


@compiled
def _count(bits):
    count = 0
    while bits:
        bits &= bits - 1
        count += 1
    return count
