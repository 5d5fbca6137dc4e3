"""The person of a draft: kidneys, liver, genotype, conditions, and whether a dose is wrong for them."""

from __future__ import annotations

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.draws import below, chance, key_of, mix, shuffle
from polyguard_env.engine.rules import organ_limit
from polyguard_env.environment.drafting import layout as lay
from polyguard_env.environment.drafting.drawing import draw, one_of

MILD_SHARE, FALLS_SHARE = 0.1, 0.35
TRIES = 12
DRAFTED = np.int64(0x6472616674)


@compiled
def begin_attempt(x, attempt):
    """Begin an attempt: one of the split's people, and what of the scenario is settled by its id alone."""
    d, sc, mask, held = x.draft[0], x.call.scenarios[0], x.mask, x.held
    # An episode's draws follow from the same key; these must not be among them.
    seed = d.seed ^ DRAFTED
    d.fixed[0], d.stream[0] = mix(seed), key_of(seed, 1, attempt)
    mask[:, :] = 0
    held[:, :] = 0
    d.n = d.held = d.ingredients = d.combinations = 0
    d.targets = d.accepted = d.unknown = d.hidden_purposes = 0
    d.hide_kidneys = d.hide_allergies = d.explicit = d.child = 0
    d.allergy = d.gene = d.phenotype = d.product = -1
    d.problem = lay.CONTROL
    d.courses = 0
    d.load[:] = 0.0
    sc.child_pugh = 0
    d.person = d.split * lay.PEOPLE + below(d.stream, lay.PEOPLE)
    person = x.people[d.person]
    d.row, d.frailty = person.male, person.frailty
    if person.allergens:
        for i in range(mask.shape[1]):
            if x.pooled[i].allergens & person.allergens:
                mask[lay.FOREIGN, i] = 1
    d.mild = chance(d.fixed) < MILD_SHARE
    falls, d.extra = chance(d.fixed) < FALLS_SHARE, below(d.fixed, 3)
    d.falls = 1 + below(d.fixed, 2) if falls else 0
    set_kidneys(x, chance(d.fixed) < 0.5)
    known = 0
    for i in range(person.conditions):
        if known < lay.BACKGROUND and background(x, person.condition[i]):
            hold(x, person.condition[i])
            known += 1


@compiled
def background(x, condition):
    """True for conditions that call for no drug and are not the liver's."""
    return x.holding[condition].uncalled == 1 and condition != x.named[lay.CIRRHOSIS]


@compiled
def set_kidneys(x, low):
    """A creatinine clearance of 15 to 50 mL/min, or of 55 to 100: ranges of this project (2026).

    Cockcroft and Gault 1976 and CKD-EPI 2021, as `risk.calculators` has them.
    """
    d, sc = x.draft[0], x.call.scenarios[0]
    person = x.people[d.person]
    share = chance(d.fixed)
    clearance = 15.0 + 35.0 * share if low else 55.0 + 45.0 * share
    creatinine = (140.0 - person.age) * person.weight / (72.0 * clearance) * (1.0 if person.male else 0.85)
    d.creatinine = round(min(max(creatinine, 0.3), 9.0) * 100.0) / 100.0
    sc.crcl = (140.0 - person.age) * person.weight / (72.0 * d.creatinine)
    kappa, alpha = 0.9, -0.302
    if not person.male:
        sc.crcl *= 0.85
        kappa, alpha = 0.7, -0.241
    ratio = d.creatinine / kappa
    sc.egfr = 142.0 * min(ratio, 1.0) ** alpha * max(ratio, 1.0) ** -1.200 * 0.9938**person.age
    if not person.male:
        sc.egfr *= 1.012


@compiled
def set_liver(x, grade):
    """Give the person a cirrhosis of Child-Pugh class A (1), B or C (3)."""
    pin(x, x.named[lay.CIRRHOSIS])
    x.draft[0].child = x.call.scenarios[0].child_pugh = grade


@compiled
def hold(x, condition):
    """Give the person a condition."""
    if x.held[lay.HELD, condition] == 0:
        x.held[lay.HELD, condition] = 1
        x.draft[0].held += 1
        wrong, mask = x.wrong[condition], x.mask[lay.UNSUITED]
        for i in range(mask.shape[0]):
            mask[i] |= wrong[i]


@compiled
def pin(x, condition):
    """Give the person a condition that stays."""
    x.held[lay.OWN, condition] = 1
    hold(x, condition)


@compiled
def harms(x, condition, skip):
    """True when a condition speaks against a drug taken, the one of slot `skip` aside."""
    d = x.draft[0]
    for k in range(d.n):
        if k != skip and x.wrong[condition, d.place[k]]:
            return True
    return False


@compiled
def free_condition(x, place, skip):
    """A condition strongly against a drug that calls for no treatment and speaks against nothing else present.

    Args:
        skip: slot not looked at; -2 for none of them.

    Returns:
        A condition, or -1.
    """
    d, span = x.draft[0], x.pooled[place].against
    count = 0
    for i in range(span[0], span[1]):
        condition = x.against[i]
        if background(x, condition) and (skip == -2 or not harms(x, condition, skip)):
            d.list[count] = condition
            count += 1
    return one_of(x, count)


@compiled
def pad_condition(x):
    """A condition that speaks strongly against some drug, but against none present."""
    flag, mask = x.flag[lay.EXPOSED], x.mask[lay.PICK]
    for i in range(mask.shape[0]):
        mask[i] = flag[i]
    for _ in range(TRIES):
        place = draw(x, lay.USE)
        condition = free_condition(x, place, -1) if place >= 0 else -1
        if condition >= 0:
            pin(x, condition)
            return


@compiled
def wrong_doses(x, drug, dose):
    """How severely a dose breaks what kidneys, liver and age allow, 0 where it does not.

    Returns:
        (kidneys, liver, geriatric maximum).
    """
    facts, sc = x.facts, x.call.scenarios[0]
    renal = hepatic = above = 0
    place, limit = organ_limit(facts, sc, drug, False)
    if place >= 0 and (limit == 0.0 or dose > limit * 1.001):
        renal = facts.organ[place].severity
    place, limit = organ_limit(facts, sc, drug, True)
    if place >= 0 and (limit == 0.0 or dose > limit * 1.001):
        hepatic = facts.organ[place].severity
    most = facts.drug[drug].dose_max
    if most > 0.0 and dose > most * 1.001:
        above = at.MAJOR if dose > 1.5 * most else at.MODERATE
    return renal, hepatic, above


@compiled
def settle(x):
    """Bring the number of conditions to the number of drugs and up to two more, by harmless ones."""
    d, held = x.draft[0], x.held
    needed = held[lay.OWN]
    for k in range(d.n):
        if d.purpose[k] >= 0:
            needed[d.purpose[k]] = 1
    count = 0
    for condition in range(needed.shape[0]):
        count += needed[condition]
    wanted = max(d.n + d.extra, count)
    for condition in range(needed.shape[0]):
        if d.held > wanted and held[lay.HELD, condition] and not needed[condition]:
            held[lay.HELD, condition] = 0
            d.held -= 1
    if d.held < wanted:
        person = x.people[d.person]
        for i in range(person.conditions):
            if background(x, person.condition[i]):
                _pad(x, person.condition[i], wanted)
        spare = x.padding.shape[0]
        for i in range(spare):
            d.list[i] = x.padding[i]
        shuffle(d.list, spare, d.stream)
        for i in range(spare):
            if x.holding[d.list[i]].fits[d.row]:
                _pad(x, d.list[i], wanted)
    return d.held == wanted


@compiled
def _pad(x, condition, wanted):
    d = x.draft[0]
    if d.held < wanted and x.held[lay.HELD, condition] == 0 and x.holding[condition].uncalled:
        if not harms(x, condition, -1):
            x.held[lay.HELD, condition] = 1
            d.held += 1
