"""A settled draft as the engine's record of a scenario, equal to what `engine.packing` makes of the scenario."""

from __future__ import annotations

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.draws import shuffle
from polyguard_env.engine.memory import unite
from polyguard_env.engine.rules import touches
from polyguard_env.environment.drafting import layout as lay


@compiled
def ask(x):
    """Read what is asked for into the draft and the record."""
    d, sc, asked = x.draft[0], x.call.scenarios[0], x.asked
    d.seed = sc.key = asked[0]
    d.split = sc.split = asked[1]
    sc.sub = asked[2]
    d.level = sc.difficulty = asked[3]
    d.control = sc.control = asked[4]
    sc.budget, sc.step_days = asked[5], asked[6]


@compiled
def tell(x, attempts):
    """Write what came out for those who put it in words, in the order of `layout.TOLD`; 0 attempts for nothing."""
    d, sc, told, doses = x.draft[0], x.call.scenarios[0], x.told, x.doses
    told[0], told[1], told[2], told[3], told[4], told[5] = attempts, d.n, d.problem, d.person, d.row, d.frailty
    told[6], told[7], told[8], told[9] = d.falls, d.child, x.people[d.person].allergens, d.allergy
    told[10], told[11], told[12], told[13], told[14] = d.gene, d.phenotype, d.targets, d.unknown, d.hidden_purposes
    told[15], told[16], told[17], told[18] = d.hide_kidneys, d.hide_allergies, d.explicit, d.ingredients
    told[19], told[20], told[21] = d.product, d.combinations, d.held
    doses[0] = d.creatinine
    place = len(lay.TOLD)
    for j in range(d.n):
        told[place + j], told[place + d.n + j], told[place + 2 * d.n + j] = sc.drug[j], sc.indication[j], sc.days[j]
        doses[1 + j] = sc.dose[j]
    place += 3 * d.n
    for k in range(d.ingredients):
        told[place] = x.pooled[d.place[k]].drug
        place += 1
    for i in range(d.combinations):
        told[place] = d.combination[i]
        place += 1
    held = x.held[lay.HELD]
    for condition in range(held.shape[0]):
        if held[condition]:
            told[place] = condition
            place += 1


@compiled
def write_record(x):
    """Put the drugs in random order and write the record, combinations aside.

    The draft's bits of places in the regimen are those of the new order from here on.
    """
    d, sc = x.draft[0], x.call.scenarios[0]
    _order(x)
    sc.n, sc.falls, sc.combinations = d.n, d.falls, 0
    sc.drug[:] = 0
    sc.dose[:] = 0.0
    sc.indication[:] = 0
    sc.days[:] = 0
    sc.group[:] = 0
    sc.hidden_facts[:] = 0
    sc.hidden_indication[:] = 0
    sc.hidden_product[:] = 0
    sc.combination[:] = 0
    sc.danger[:] = 0.0
    for j in range(d.n):
        k = d.order[j]
        sc.drug[j] = x.pooled[d.place[k]].drug
        sc.dose[j], sc.indication[j], sc.days[j] = d.dose[k], d.purpose[k], d.days[k]
        sc.group[j] = sc.hidden_product[j] = 1 if k < d.ingredients else 0
        sc.hidden_facts[j] = (d.unknown >> np.int64(j)) & 1
        sc.hidden_indication[j] = (d.hidden_purposes >> np.int64(j)) & 1
    sc.chart_hidden = 1 if d.hidden_purposes else 0
    sc.allergies_hidden = d.hide_allergies
    sc.measured = x.people[d.person].measured
    bit = np.int64(1) << np.int64(x.named[lay.CREATININE])
    sc.hidden = sc.kidney_hidden = bit if d.hide_kidneys else np.int64(0)
    sc.genes = 1 if d.gene >= 0 else 0
    sc.gene[:] = 0
    sc.phenotype[:] = 0
    if d.gene >= 0:
        sc.gene[0], sc.phenotype[0] = d.gene, d.phenotype
    _allergies(x)
    _treated(x)
    _conditions(x)


@compiled
def moved(bits, places, n):
    """Bits of places after the places have moved."""
    found = np.int64(0)
    for k in range(n):
        if (bits >> np.int64(k)) & 1:
            found |= np.int64(1) << np.int64(places[k])
    return found


@compiled
def _order(x):
    d = x.draft[0]
    for k in range(d.n):
        d.order[k] = k
    shuffle(d.order, d.n, d.stream)
    for j in range(d.n):
        d.at[d.order[j]] = j
    d.targets, d.accepted = moved(d.targets, d.at, d.n), moved(d.accepted, d.at, d.n)
    d.unknown, d.hidden_purposes = moved(d.unknown, d.at, d.n), moved(d.hidden_purposes, d.at, d.n)
    for i in range(d.combinations):
        d.combination[i] = moved(d.combination[i], d.at, d.n)


@compiled
def allergy_words(x, words):
    """Fill `words` with the tokens of the person's allergies."""
    d = x.draft[0]
    held = x.people[d.person].allergens
    for word in range(at.TOKEN_WORDS):
        words[word] = 0
    for row in range(x.allergen.shape[0] - x.facts.drug.shape[0]):
        if (held >> np.int64(row)) & 1:
            for word in range(at.TOKEN_WORDS):
                words[word] |= x.allergen[row, word]
    if d.allergy >= 0:
        row = x.allergen.shape[0] - x.facts.drug.shape[0] + d.allergy
        for word in range(at.TOKEN_WORDS):
            words[word] |= x.allergen[row, word]


@compiled
def _allergies(x):
    d, sc = x.draft[0], x.call.scenarios[0]
    allergy_words(x, sc.allergy_tokens)
    sc.allergy_drug[:] = 0
    sc.allergies = 1 if d.allergy >= 0 else 0
    if d.allergy >= 0:
        sc.allergy_drug[0] = d.allergy


@compiled
def _treated(x):
    """Conditions treated, in order, and by how many treatments each."""
    sc, facts = x.call.scenarios[0], x.facts
    sc.treated_condition[:] = 0
    sc.treatments[:] = 0.0
    count, last = 0, -1
    while True:
        lowest = 1 << 20
        for j in range(sc.n):
            if last < sc.indication[j] < lowest:
                lowest = np.int64(sc.indication[j])
        if lowest == 1 << 20:
            break
        sc.treated_condition[count] = lowest
        for j in range(sc.n):
            if sc.indication[j] == lowest:
                fresh = 1.0
                for i in range(j):
                    if sc.indication[i] == lowest:
                        if facts.drug[sc.drug[i]].treatment == facts.drug[sc.drug[j]].treatment:
                            fresh = 0.0
                sc.treatments[count] += fresh
        last = lowest
        count += 1
    sc.treated = count


@compiled
def _conditions(x):
    sc = x.call.scenarios[0]
    sc.condition[:] = 0
    sc.tokens[:] = 0
    sc.omission[:] = 0
    held = x.held[lay.HELD]
    for condition in range(held.shape[0]):
        if held[condition]:
            row = x.holding[condition]
            sc.condition[condition // 63] |= np.int64(1) << np.int64(condition % 63)
            unite(sc.tokens, row.tokens)
    for i in range(x.always.shape[0]):
        _note(x, x.always[i])
    for condition in range(held.shape[0]):
        if held[condition]:
            span = x.holding[condition].omission
            for i in range(span[0], span[1]):
                _note(x, x.omission[i])


@compiled
def _note(x, row):
    """Note a rule on a missing drug, unless the person rules it out for good."""
    sc = x.call.scenarios[0]
    if not touches(x.facts, x.facts.omission[row].absent_if, sc.tokens):
        sc.omission[row // 63] |= np.int64(1) << np.int64(row % 63)
