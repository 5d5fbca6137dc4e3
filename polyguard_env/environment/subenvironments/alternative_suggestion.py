"""ALTERNATIVE_SUGGESTION: one drug does not suit this person; which of its substitutes does?

The substitution table gives several; conditions, allergies, organs and the other drugs rule some of them out.
"""

from __future__ import annotations

import numpy as np

from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.draws import below, chance, shuffle
from polyguard_env.engine.rules import edge_between, organ_limit, touches
from polyguard_env.environment.drafting import layout as lay
from polyguard_env.environment.drafting.adding import add, add_quiet, fill, least
from polyguard_env.environment.drafting.drawing import apart, draw, keep, one_of
from polyguard_env.environment.drafting.person import background, free_condition, harms, pin, set_kidneys, wrong_doses
from polyguard_env.environment.drafting.record import allergy_words
from polyguard_env.environment.subenvironments.problems import blame
from polyguard_env.environment.subenvironments.shape import between

DRUGS = lay.by_level({"easy": (2, 2), "medium": (3, 3), "hard": (4, 5)})
HIDE_ALLERGIES = lay.by_level({"easy": 0.0, "medium": 0.0, "hard": 0.3})
REASONS = (lay.DISEASE, lay.KIDNEYS, lay.INTERACTION)
DRAWS = 10


@compiled
def pose(x):
    """A drug made unsuitable by a condition, the kidneys or another drug, with fitting and unfitting substitutes."""
    d = x.draft[0]
    count = between(d.fixed, DRUGS[d.level])
    d.hide_allergies = chance(d.fixed) < HIDE_ALLERGIES[d.level]
    reason = REASONS[below(d.fixed, len(REASONS))]
    by_allergy = chance(d.fixed) < 0.5
    if reason == lay.KIDNEYS:
        set_kidneys(x, True)
    old = _unsuitable(x, reason)
    if old < 0 or not fill(x, count, lay.SUSPECT + d.split, lay.SEVERAL + d.row):
        return False
    _choices(x, old)
    fitting = 0
    for i in range(d.choices):
        row = x.facts.swap[d.choice[i]]
        if _fits(x, old, row.replacement, row.wrong_if):
            d.choice[fitting], d.choice[i] = d.choice[i], d.choice[fitting]
            fitting += 1
    left = fitting
    if fitting == d.choices:
        if not _rule_out(x, fitting, by_allergy):
            return False
        left = 0
        for i in range(fitting):
            row = x.facts.swap[d.choice[i]]
            left += _fits(x, old, row.replacement, row.wrong_if)
    if not d.control:
        d.problem = reason
        blame(x, old)
    return left > 0


@compiled
def _unsuitable(x, reason):
    """Add a drug with several substitutes that does not suit; one that suits in a control. Its slot, or -1."""
    d = x.draft[0]
    if d.control:
        return d.n - 1 if add_quiet(x, lay.SUSPECT + d.split, lay.SEVERAL + d.row) else -1
    for _ in range(DRAWS):
        apart(x)
        keep(x, lay.SEVERAL + d.row, True)
        place = draw(x, lay.USE)
        if place < 0:
            return -1
        if reason == lay.DISEASE:
            condition = free_condition(x, place, -2)
            if condition >= 0 and add(x, place, np.nan, True, -1):
                pin(x, condition)
                return d.n - 1
        elif reason == lay.KIDNEYS:
            row = x.pooled[place]
            if _avoided(x, row.drug, row.dose_usual):
                return d.n - 1 if add(x, place, row.dose_usual, True, -1) else -1
        else:
            partner = _partner(x, place)
            if partner >= 0 and add(x, place, np.nan, True, -1):
                return d.n - 2 if add(x, partner, np.nan, True, -1) else -1
    return -1


@compiled
def _avoided(x, drug, dose):
    """True when kidneys or liver speak against a drug at any dose, as severely as the problem must."""
    renal, hepatic, _above = wrong_doses(x, drug, dose)
    sc = x.call.scenarios[0]
    for of_liver in range(2):
        if (hepatic if of_liver else renal) >= least(x):
            _, limit = organ_limit(x.facts, sc, drug, of_liver == 1)
            if limit == 0.0:
                return True
    return False


@compiled
def _partner(x, place):
    """A drug that must not go with another, preferably one with several substitutes; -1 when there is none."""
    d = x.draft[0]
    for easing in range(2):
        apart(x)
        mask, rank, split = x.mask[lay.PICK], x.rank[place], x.split[place]
        for i in range(mask.shape[0]):
            mask[i] &= rank[i] >= lay.MAJOR and split[i] == d.split
        if easing == 0:
            keep(x, lay.SEVERAL + d.row, True)
        partner = draw(x, lay.USE)
        if partner >= 0:
            return partner
    return -1


@compiled
def _choices(x, old):
    """Note the rows of the substitutes of a slot's drug for what it is given for, each drug once."""
    d, facts = x.draft[0], x.facts
    span = facts.drug[x.pooled[d.place[old]].drug].swap
    d.choices = 0
    for i in range(span[0], span[1]):
        row = facts.swap[i]
        fresh = (row.indication < 0 or row.indication == d.purpose[old]) and d.choices < lay.MOST_CHOICES
        for j in range(d.choices):
            fresh = fresh and facts.swap[d.choice[j]].replacement != row.replacement
        if fresh:
            d.choice[d.choices] = i
            d.choices += 1


@compiled
def _fits(x, old, drug, wrong_if):
    """True when a substitute raises no finding of moderate severity or worse in this person."""
    d, facts, words = x.draft[0], x.facts, x.call.work[0].words
    row = facts.drug[drug]
    allergy_words(x, words)
    if drug == d.allergy or _share(row.tokens, words):
        return False
    for word in range(words.shape[0]):
        words[word] = 0
    held = x.held[lay.HELD]
    for condition in range(held.shape[0]):
        if held[condition]:
            _join(words, x.holding[condition].tokens)
    for k in range(d.n):
        other = np.int64(x.pooled[d.place[k]].drug)
        if other == drug:
            return False
        if k != old:
            _join(words, facts.drug[other].tokens)
            place = edge_between(facts, drug, other)
            if place >= 0:
                edge = facts.edge[place]
                if edge.severity >= lay.MODERATE or (edge.split >= 0 and edge.split != d.split):
                    return False
    if touches(facts, wrong_if, words):
        return False
    for i in range(row.disease[0], row.disease[1]):
        rule = facts.disease[i]
        if rule.severity >= lay.MODERATE and held[rule.condition] and rule.condition != d.purpose[old]:
            return False
    renal, hepatic, above = wrong_doses(x, drug, row.dose_min)
    return max(renal, hepatic, above) < lay.MODERATE


@compiled
def _share(tokens, words):
    for word in range(words.shape[0]):
        if tokens[word] & words[word]:
            return True
    return False


@compiled
def _join(words, tokens):
    for word in range(words.shape[0]):
        words[word] |= tokens[word]


@compiled
def _rule_out(x, fitting, by_allergy):
    """Make one of several fitting substitutes unfitting, by an allergy or a condition, and leave another."""
    d, facts = x.draft[0], x.facts
    shuffle(d.choice, fitting, d.stream)
    if by_allergy:
        d.allergy = facts.swap[d.choice[0]].replacement
        return True
    for i in range(fitting):
        count = 0
        for condition in range(x.held.shape[1]):
            row = x.holding[condition]
            free = row.pooled and not x.held[lay.HELD, condition] and background(x, condition)
            free = free and touches(facts, facts.swap[d.choice[i]].wrong_if, row.tokens)
            for j in range(fitting):
                if free and j != i:
                    free = not touches(facts, facts.swap[d.choice[j]].wrong_if, row.tokens)
            if free and not harms(x, condition, -1):
                d.list[count] = condition
                count += 1
        if count:
            pin(x, one_of(x, count))
            return True
    return False
