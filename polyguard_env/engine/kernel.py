"""Episodes over arrays: start, step and price, one at a time or many, through the same compiled functions."""

from __future__ import annotations

from math import exp

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine.block_types import block_at
from polyguard_env.engine.candidates import copy_state, ended, enter, lay_out, price, survey, value_of
from polyguard_env.engine.compiled import compiled, entry
from polyguard_env.engine.draws import key_of, mix, uniform
from polyguard_env.engine.dynamics import apply, idle
from polyguard_env.engine.holds import note_passing, note_reasons
from polyguard_env.engine.memory import copy_record, fetcher
from polyguard_env.engine.moves import fix_moves, moves_on
from polyguard_env.engine.operations import (
    ADVANCE,
    ATTEMPTS,
    BEGIN,
    DRAFT,
    LESSENED,
    OF_LOAD,
    OF_UNKNOWN,
    PREPARE,
    PRICES,
    RESTORE,
    START,
    UNREADABLE,
)
from polyguard_env.engine.parameters import PLACE
from polyguard_env.engine.risk import assess, list_findings, refresh_all
from polyguard_env.engine.verdict import judge, note_debt, risk_in_all
from polyguard_env.environment.drafting.layout import DRAFTING
from polyguard_env.environment.drafting.person import begin_attempt, settle
from polyguard_env.environment.drafting.posing import about_targets, by_construction, pose, settled, write_combinations
from polyguard_env.environment.drafting.record import ask, tell, write_record

WEIGHT, HAZARD = PLACE["weight_minor"] - 1, PLACE["hazard_minor"] - 1
UNTREATED, SEVERE_UNTREATED = PLACE["hazard_untreated"], PLACE["severe_untreated"]
LOAD, UNKNOWN = PLACE["hazard_load"], PLACE["hazard_unknown"]
FOLLOW_UP, LEAST = PLACE["follow_up_days"], PLACE["least_weight"]

# Bytes of a state: all before its table of pairs, and from its candidates on.
PLAIN, OFFERS = at.byte_of("pair"), at.byte_of("candidates")
_fetch_plain, _fetch_offers = fetcher(PLAIN), fetcher(at.STATE.itemsize - OFFERS)

call_at, drafting_at = block_at(at.CALL), block_at(DRAFTING)


@compiled
def fill(facts, sc, st, seed, w):
    """Write the start of a scenario into a state and assess it; its candidates are not laid out."""
    st.seed, st.step, st.day, st.finished, st.n = seed, 0, 0, 0, sc.n
    st.alive[:] = 0
    for k in range(sc.n):
        st.drug[k], st.dose[k], st.initial[k] = sc.drug[k], sc.dose[k], sc.dose[k]
        st.indication[k], st.days[k], st.group[k] = sc.indication[k], sc.days[k], sc.group[k]
        st.tapering[k], st.reduced[k], st.held[k], st.alive[k] = 0, 0, 0, 1
        st.facts_known[k] = 0 if sc.hidden_facts[k] else 1
        st.product_known[k] = 0 if sc.hidden_product[k] else 1
    st.known, st.monitored, st.chart_known, st.tested = sc.measured & ~sc.hidden, 0, 0, 0
    st.withdrawals, st.reviews, st.keeps, st.last_kind, st.last_a, st.last_b = 0, 0, 0, -1, -1, -1
    st.last_from = st.last_dose = st.debt = 0.0
    st.harms = 0
    st.harm, st.severe_harm = 0, 0
    st.hazard = st.severe_hazard = 0.0
    st.total = st.last_reward = 0.0
    st.course = st.pausable = st.holding = 0
    for k in range(sc.n):
        note_reasons(facts, sc, st, k, -1)
    refresh_all(facts, sc, st, w)
    assess(facts, sc, st, w)


@compiled
def begin(facts, sc, st, seed, w, after):
    """Put a state at the start of a scenario and lay out its candidates."""
    fill(facts, sc, st, seed, w)
    w.listed[0] = -1
    enter(facts, sc, st, w, after)


@compiled
def worth_posing(x):
    """True when findings and the best change to the regimen are those of a problem, or of a control.

    Learning what is hidden does not count: it pays where there is a problem and where there is none. Of a control every
    move on every drug is tried, else those that answer a finding.
    """
    call, facts = x.call, x.facts
    w, after, sc, st = call.work[0], call.scratch[0], call.scenarios[0], call.states[0]
    fill(facts, sc, st, 0, w)
    count = list_findings(facts, sc, st, w)
    if not about_targets(x, w.found, count):
        return False
    if by_construction(sc):
        write_combinations(x)
        return True
    rows = w.fixes
    w.counts[:] = -1
    note_passing(facts, sc, st, w, count)
    for i in range(fix_moves(facts, sc, st, rows, w, count)):
        if rows[i].kind < at.ORDER:
            value_of(facts, sc, st, w, after, rows[i])
            if settled(x, rows[i].worth):
                return not sc.control
    if not sc.control:
        return False
    for k in range(st.n):
        moves = w.moves[k]
        for i in range(moves_on(facts, sc, st, k, w)):
            value_of(facts, sc, st, w, after, moves[i])
            if settled(x, moves[i].worth):
                return False
    return True


@compiled
def draft(x):
    """Draw until a scenario worth posing comes out; what its id alone settles stays the same in every draw."""
    ask(x)
    for attempt in range(ATTEMPTS):
        begin_attempt(x, attempt)
        if pose(x) and settle(x):
            write_record(x)
            if worth_posing(x):
                tell(x, attempt + 1)
                return
    tell(x, 0)


@compiled
def restore(facts, sc, st, w, after):
    """Fill the caches and candidates of a state whose plain fields were just written."""
    st.pausable = st.holding = 0
    for k in range(st.n):
        if st.alive[k]:
            note_reasons(facts, sc, st, k, (st.course >> np.int64(k)) & 1)
            if st.held[k] > 0:
                st.holding |= np.int64(1) << np.int64(k)
    refresh_all(facts, sc, st, w)
    assess(facts, sc, st, w)
    w.listed[0] = -1
    enter(facts, sc, st, w, after)


@compiled
def advance(facts, sc, st, choice, reasons, confidence, cited, hits, columns, w):
    """Take one action in a state; the candidates of where it leads are not laid out.

    Args:
        columns: filled, shape (13,). The workspace's `events` hold this step's harm: day, finding row, severe.

    Returns:
        (reward, reason bits, legal, number of events).
    """
    reward, bits, legal = judge(facts, sc, st, choice, reasons, confidence, cited, hits, columns)
    before, risk = st.day, risk_in_all(st)
    if legal:
        row = st.candidate[choice]
        apply(facts, sc, st, row.kind, row.a, row.b, row.value, w)
    else:
        idle(facts, sc, st, w)
    assess(facts, sc, st, w)
    note_debt(st, choice if legal else np.int64(-1), risk)
    st.total += reward
    st.last_reward = reward
    happened = harm(facts, sc, st, before, ended(sc, st), w)
    return reward, bits, legal, happened


@compiled
def harm(facts, sc, st, before, ended, w):
    """Draw the harm events of the days that passed, and of the follow-up when the episode has ended.

    The draw of a finding depends on scenario, seed, day and finding alone, so two policies that leave the same
    finding standing meet the same fate. The follow-up ends on one day for all of them: `follow_up_days` after the last
    step that the budget allows.
    """
    p, events, found = facts.parameters, w.events, w.after
    happened = 0
    if sc.combinations > 0:
        return _combination_harm(p, sc, st, ended, events)
    m = list_findings(facts, sc, st, w)
    w.listed[0] = m
    copy_findings(w.found, found, m)
    for span in range(2):
        if span == 0:
            begin_day, end_day = before, st.day
        else:
            begin_day, end_day = st.day, np.int64(sc.budget) * sc.step_days + np.int64(p[FOLLOW_UP])
        if end_day <= begin_day or (span == 1 and not ended):
            continue
        share = (end_day - begin_day) / p[FOLLOW_UP]
        for i in range(m):
            row = found[i]
            rate = p[HAZARD + row.severity] * min(1.0, row.weight / p[WEIGHT + row.severity]) * share
            severe = row.severity >= at.MAJOR
            st.hazard += rate
            st.severe_hazard += rate if severe else 0.0
            code = (
                ((np.int64(row.category) * 16 + row.what) << np.int64(40))
                ^ ((np.int64(row.a) + 1) << np.int64(20))
                ^ (np.int64(row.b) + 1)
                ^ ((np.int64(row.code) + 1) << np.int64(8))
            )
            if _struck(sc.key, st.seed, begin_day, code, rate):
                happened = _note(st, events, happened, end_day, i, severe)
        for place in range(sc.treated):
            lost = st.lost[place]
            if lost <= 0:
                continue
            rate = p[UNTREATED] * lost * share
            severe = lost >= p[SEVERE_UNTREATED]
            st.hazard += rate
            st.severe_hazard += rate if severe else 0.0
            code = -1 - np.int64(sc.treated_condition[place])
            if _struck(sc.key, st.seed, begin_day, code, rate):
                happened = _note(st, events, happened, end_day, -1 - place, severe)
        for what in (OF_LOAD, OF_UNKNOWN):
            rate = p[LOAD] * st.load if what == OF_LOAD else p[UNKNOWN] * st.gap
            st.hazard += rate * share
            if _struck(sc.key, st.seed, begin_day, np.int64(what), rate * share):
                happened = _note(st, events, happened, end_day, what, False)
    return happened


@compiled
def _combination_harm(p, sc, st, ended, events):
    """Dangerous combinations that nobody found are prescribed after the study: their harm is what the study left.

    The danger of a combination is the weight of its worst interaction, major or contraindicated.
    """
    happened = 0
    if not ended:
        return 0
    for place in range(sc.combinations):
        if sc.danger[place] > 0 and (st.tested >> place) & 1 == 0:
            severity = at.CONTRAINDICATED if sc.danger[place] > p[WEIGHT + at.MAJOR] else at.MAJOR
            rate = p[HAZARD + severity]
            st.hazard += rate
            st.severe_hazard += rate
            if _struck(sc.key, st.seed, 0, np.int64(1_000_000 + place), rate):
                happened = _note(st, events, happened, np.int64(p[FOLLOW_UP]), 1_000_000 + place, True)
    return happened


@compiled
def _struck(key, seed, day, code, rate):
    return uniform(mix(key_of(key ^ np.int64(0x48A2), seed, day) ^ code)) < 1.0 - exp(-rate)


@compiled
def _note(st, events, happened, day, what, severe):
    st.harm += 1
    st.severe_harm += severe
    if happened < events.shape[0]:
        events[happened, 0], events[happened, 1], events[happened, 2] = day, what, severe
        return happened + 1
    return happened


@compiled
def prices(facts, sc, st, w):
    """The reward of each candidate, stated with certainty and citing nothing; in the workspace's `prices`."""
    for i in range(st.candidates):
        w.prices[i], _, _ = judge(facts, sc, st, i, 0, 1.0, 0, 0, w.columns)
    return st.candidates


@compiled
def lessened(facts, sc, st, choice, w, after):
    """Findings of the state and of what a legal candidate leads to, for those who explain.

    Returns:
        The rows in use of the workspace's `before` and `after`.
    """
    m = list_findings(facts, sc, st, w)
    copy_findings(w.found, w.before, m)
    copy_state(after, st)
    row = st.candidate[choice]
    apply(facts, sc, after, row.kind, row.a, row.b, row.value, w)
    n = list_findings(facts, sc, after, w)
    copy_findings(w.found, w.after, n)
    return m, n


@compiled
def copy_findings(source, to, m):
    """Copy the first `m` finding rows."""
    for i in range(m):
        copy_record(to[i], source[i])


@compiled
def start_many(call, facts):
    """Put the episodes of a call at the start of their scenarios, each from a state that was put there before."""
    which, states = call.which, call.states
    for first in range(call.span[0], call.span[1], at.ABREAST):
        last = min(first + at.ABREAST, call.span[1])
        for b in range(first, last):
            copy_state(states[b], call.starts[which[b]])
            states[b].seed = call.seeds[b]
            call.work[b - first].listed[0] = -1
        _enter_all(call, facts, first, last)


@compiled
def advance_many(call, facts):
    """Step the episodes of a call that are running; ended ones are left alone with a reward of NaN.

    A few at a time, part by part, so that the code of a part and the states it works on stay in the nearest caches. A
    choice of no candidate that comes without a reason counts as unreadable. The call's `counts` are those of the last
    episode: reason bits, legal, events.
    """
    which, scenarios, states = call.which, call.scenarios, call.states
    choices, reasons, done = call.choices, call.reasons, call.done
    rewards, counts, columns = call.rewards, call.counts, call.columns
    confidence, cited, hits = call.confidence, call.cited, call.hits
    for first in range(call.span[0], call.span[1], at.ABREAST):
        last = min(first + at.ABREAST, call.span[1])
        for b in range(first, last):
            st, sc = states[b], scenarios[which[b]]
            if ended(sc, st):
                rewards[b], done[b] = np.nan, 1
                continue
            choice, noted = choices[b], reasons[b]
            if choice < 0 or choice >= st.candidates:
                choice = -1
                if noted == 0:
                    noted = np.int64(1) << np.int64(at.UNREADABLE)
            w = call.work[b - first]
            rewards[b], counts[0], counts[1], counts[2] = advance(
                facts, sc, st, choice, noted, confidence[b], cited[b], hits[b], columns[b], w
            )
            done[b] = ended(sc, st)
        _enter_all(call, facts, first, last)


@compiled
def _enter_all(call, facts, first, last):
    """As `enter`, of the episodes from one to before another; each has a workspace of its own."""
    which, scenarios, states, work, after = call.which, call.scenarios, call.states, call.work, call.scratch[0]
    for b in range(first, last):
        # What comes next is on its way while this is worked on.
        following = min(b + at.ABREAST, states.shape[0] - 1)
        _fetch_plain(states[following], 0)
        _fetch_offers(states[following], OFFERS)
        survey(facts, scenarios[which[b]], states[b], work[b - first], after)
    for b in range(first, last):
        lay_out(facts, scenarios[which[b]], states[b], work[b - first])
    for b in range(first, last):
        price(facts, scenarios[which[b]], states[b], work[b - first], after)


@compiled
def _unreadable(call, facts, sc, st):
    """The reward of an answer that names no candidate; changes nothing but the columns."""
    b = call.span[0]
    noted = np.int64(1) << np.int64(at.UNREADABLE)
    call.rewards[b], _, _ = judge(facts, sc, st, -1, noted, np.nan, 0, 0, call.columns[b])


@entry
def run(operation, address):
    """The one way into the compiled rules.

    Args:
        operation: what to do: PREPARE, START, BEGIN and ADVANCE the episodes of the call's span; RESTORE, PRICES,
            LESSENED and UNREADABLE for its first one, with its choice where one is needed; or DRAFT a scenario.
        address: of the table of a `CALL` block, of a `DRAFTING` block to draft; results are written where it says.
    """
    if operation == DRAFT:
        draft(drafting_at(address))
        return
    call = call_at(address)
    facts, scenarios, states, counts = call.facts, call.scenarios, call.states, call.counts
    first, w, after = call.span[0], call.work[0], call.scratch[0]
    sc, st = scenarios[call.which[first]], states[first]
    if operation == PREPARE:
        for b in range(first, call.span[1]):
            fill(facts, scenarios[call.which[b]], states[b], 0, w)
    elif operation == START:
        start_many(call, facts)
    elif operation == BEGIN:
        for b in range(first, call.span[1]):
            begin(facts, scenarios[call.which[b]], states[b], call.seeds[b], w, after)
    elif operation == ADVANCE:
        advance_many(call, facts)
    elif operation == RESTORE:
        restore(facts, sc, st, w, after)
    elif operation == PRICES:
        counts[0] = prices(facts, sc, st, w)
    elif operation == LESSENED:
        counts[0], counts[1] = lessened(facts, sc, st, call.choices[first], w, after)
    elif operation == UNREADABLE:
        _unreadable(call, facts, sc, st)
