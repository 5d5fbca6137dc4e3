"""Withholding a drug for a time: whose trouble passes meanwhile, what is left of the rest, and what a pause harms.

A drug that is held is still part of the regimen: it comes back. What is wrong with it passes where the reason does
(`knowledge/tables/rules/hold*.csv`): the drug it clashes with is taken for a short course, or an acute illness speaks
against it. All else, and the treatment it gives, is lifted only for the share of time that a pause takes. In
LONGITUDINAL_DEPRESCRIBING, whose steps are as long as a course, nothing passes: a pause there is never the answer.
"""

from __future__ import annotations

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine.bits import lowest
from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.parameters import PLACE

HELD_SHARE = PLACE["held_share"]


@compiled
def hold_rule(facts, drug, role, what):
    """Place of a drug's first rule of a role that is about an indication or a condition, or about any; else -1."""
    span = facts.drug[drug].hold
    for place in range(span[0], span[1]):
        rule = facts.hold[place]
        if rule.role == role and (rule.what < 0 or rule.what == what):
            return place
    return -1


@compiled
def passes(sc):
    """True where an episode is over before what a pause waits for is."""
    return sc.sub != at.LONGITUDINAL


@compiled
def note_reasons(facts, sc, st, k, course):
    """Note whether a slot's drug is taken for a short course, or may be paused while another's lasts.

    Args:
        course: 1 where a course is under way whatever the days say, 0 where none is, -1 to go by the days taken.
    """
    bit = np.int64(1) << np.int64(k)
    st.course &= ~bit
    st.pausable &= ~bit
    if not passes(sc):
        return
    place = hold_rule(facts, st.drug[k], at.COURSE, st.indication[k])
    if place >= 0 and (course == 1 or (course < 0 and st.days[k] <= facts.hold[place].days)):
        st.course |= bit
    elif hold_rule(facts, st.drug[k], at.PAUSABLE, st.indication[k]) >= 0:
        st.pausable |= bit


@compiled
def forget_reasons(st, k):
    """Note that a slot's drug is gone."""
    bit = np.int64(1) << np.int64(k)
    st.course &= ~bit
    st.pausable &= ~bit
    st.holding &= ~bit
    st.held[k] = 0


@compiled
def pause_harm(facts, st, k):
    """Severity of the harm that any pause of a slot's drug brings, 0 for none."""
    place = hold_rule(facts, st.drug[k], at.HARMFUL, st.indication[k])
    return np.int64(facts.hold[place].severity) if place >= 0 else np.int64(0)


@compiled
def is_held(st, k):
    """True for a drug that is withheld for now."""
    return (st.holding >> np.int64(k)) & 1 == 1


@compiled
def ended_together(st, slots):
    """Of the drugs of `slots`, bits of those a pause of which ends what they do to each other.

    A short course, for one that is held is as good as stopped, and what may be paused while another of them is one.
    """
    courses = slots & st.course
    return courses | (slots & st.pausable if courses else np.int64(0))


@compiled
def ended_by(facts, sc, st, row):
    """Bits of the drugs a pause of which ends a finding: what it is about lasts no longer than that."""
    if sums_drugs(row):
        return np.int64(0)
    bits = ended_together(st, row.slots)
    if passes(sc) and row.category == at.DRUG_DISEASE and row.what == at.CONDITION:
        # Such a finding is about one drug.
        if hold_rule(facts, st.drug[lowest(row.slots)], at.SICK_DAY, row.b) >= 0:
            bits |= row.slots
    return bits


@compiled
def sums_drugs(row):
    """True for what several drugs add up to, a burden or a combination of three or more.

    The others may do it without the one that is held, so a pause lifts none of it.
    """
    return (row.category == at.BURDEN or row.what == at.HYPEREDGE) and row.slots & (row.slots - 1) != 0


@compiled
def holding_factor(facts, sc, st, row):
    """What is left of a finding one of whose drugs is held, 0-1."""
    held = row.slots & st.holding
    if held == 0 or sums_drugs(row):
        return 1.0
    return 0.0 if held & ended_by(facts, sc, st, row) else 1.0 - facts.parameters[HELD_SHARE]


@compiled
def pair_factor(facts, st, slots):
    """As `holding_factor`, of what two drugs do to each other; one of them is held."""
    return 0.0 if slots & st.holding & ended_together(st, slots) else 1.0 - facts.parameters[HELD_SHARE]


@compiled
def note_passing(facts, sc, st, w, count):
    """Note in the workspace's `passing` the slots a pause of which answers a finding, and those with no other trouble.

    The second are bits of both drugs of a pair: neither has a finding that would last. Minor findings do not count. A
    finding that a pause has answered already counts as before: its drug need not be given up either.

    Args:
        count: rows of the workspace's `found`, which are the state's findings as `list_findings` gives them.
    """
    answered = about = lasting = np.int64(0)
    for i in range(count):
        row = w.found[i]
        if row.severity < at.MODERATE or row.category == at.WITHDRAWAL or row.category == at.OMISSION:
            continue
        helping = ended_by(facts, sc, st, row) & ~st.course
        answered |= helping & ~st.holding
        if helping:
            about |= row.slots
        else:
            lasting |= row.slots
    w.passing[0], w.passing[1] = answered, about & ~lasting
