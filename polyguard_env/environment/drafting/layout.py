"""Codes and records of drafts, shared by compiled generators and the Python around them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine.blocks import Block

f8, i8, i4, i2, i1 = np.float64, np.int64, np.int32, np.int16, np.int8

MODERATE, MAJOR = at.MODERATE, at.MAJOR
BACKGROUND = 3
MOST_HELD = 48
PEOPLE = 4096
MOST_CHOICES = 16
MOST_INGREDIENTS = 3

# Rows of `flag`; those that differ by sex have one row for women and the next for men.
GIVEN, CALM, STILL, SEVERAL, NEEDED, OUTWEIGHED = 0, 2, 4, 6, 8, 10
KIDNEY, LIVER, TWINS, TAPER, EXPOSED, PREVENTIVE, HEAVY, FALLS, FALLS_MAJOR, GENES, GENES_MAJOR = range(12, 23)
# Of courses and drugs that may be paused one row by sex, of those withheld in acute illness one by illness.
COURSE, PAUSE, SICK_DAY = 23, 25, 27
FLAGS = 29
# Rows of `weight`; suspects by split, marginals by split and whether moderate pairs count too, drugs of pairs of a
# course and of a drug that may be paused by split.
USE, NARROW, SUSPECT, MARGINAL, PAUSING = 0, 1, 2, 5, 11
WEIGHTS = 14
# First row of `pair_key` for such pairs, one by split.
PAUSING_KEY = 54
# Rows of `mask`: what a draft may not or should not add, what may be drawn next, what is left of it.
BLOCKED, FOREIGN, SPOILS, UNSUITED, PICK, OPEN = range(6)
MASKS = 6
# Rows of `load`, and how much of each the quiet drugs of a draft may reach.
ACB, DBI, CNS = range(3)
MOST_LOAD = (3.0, 1.0, 3.0)
# Rows of `held`: conditions of the person, and those that must stay.
HELD, OWN = range(2)
# Entries of `named`: conditions that generators speak of, the measurement that tells of kidneys, acute illnesses.
CIRRHOSIS, SHORT_TIME, CREATININE, ILLNESS = range(4)

# What a draft poses; an interaction by the place of its mechanism, above these.
PROBLEMS = (
    "control", "renal", "under_treatment", "excess_dose", "hepatic", "genotype", "drug_disease", "duplication",
    "sedative_with_falls", "interaction", "deprescribing", "time_to_benefit", "disease", "kidneys",
    "acute_illness", "passing_interaction",
)  # fmt: skip
(
    CONTROL, RENAL, UNDER, EXCESS, HEPATIC, GENOTYPE, DRUG_DISEASE, DUPLICATION, SEDATIVE, INTERACTION, DEPRESCRIBING,
    TIME_TO_BENEFIT, DISEASE, KIDNEYS, ACUTE_ILLNESS, PASSING,
) = range(len(PROBLEMS))  # fmt: skip
MECHANISM = 100

# A drug that scenarios draw from: its place among the engine's drugs, spans of `against`.
POOLED = np.dtype(
    [
        ("drug", i4), ("dose_min", f8), ("dose_usual", f8), ("dose_max", f8), ("purpose", i2, (2,)),
        ("course", i2, (2,)), ("moves", i1), ("allergens", i8), ("against", i4, (2,)),
    ],
    align=True,
)  # fmt: skip
HOLDING = np.dtype(
    [
        ("priority", f8), ("uncalled", i1), ("pooled", i1), ("fits", i1, (2,)), ("omission", i4, (2,)),
        ("tokens", i8, (at.TOKEN_WORDS,)),
    ],
    align=True,
)  # fmt: skip
PAIR = np.dtype([("a", i4), ("b", i4), ("mechanism", i4), ("explicit", i1)], align=True)
PERSON = np.dtype(
    [
        ("age", f8), ("male", i1), ("weight", f8), ("frailty", i4), ("allergens", i8), ("measured", i8),
        ("conditions", i4), ("condition", i2, (MOST_HELD,)),
    ],
    align=True,
)  # fmt: skip
# `courses`: drugs that can be short courses are, else they are taken for long. `targets`, `accepted`, `unknown`,
# `hidden_purposes`: bits of places in the regimen. `allergy`: a drug of the engine, -1 for none; `gene`: -1 for none.
# `product`: place of a real product, -1 for an invented one.
DRAFT = np.dtype(
    [
        ("seed", i8), ("attempts", i4), ("fixed", i8, (1,)), ("stream", i8, (1,)), ("split", i4), ("level", i4),
        ("control", i1), ("mild", i1), ("courses", i1), ("person", i4), ("row", i4), ("falls", i4),
        ("frailty", i4), ("child", i4),
        ("creatinine", f8), ("extra", i4), ("load", f8, (3,)), ("allergy", i4), ("gene", i4), ("phenotype", i4),
        ("n", i4), ("place", i4, (at.SLOTS,)), ("dose", f8, (at.SLOTS,)), ("purpose", i4, (at.SLOTS,)),
        ("days", i4, (at.SLOTS,)), ("order", i8, (at.SLOTS,)), ("at", i8, (at.SLOTS,)),
        ("held", i4), ("targets", i8), ("accepted", i8), ("unknown", i8), ("hidden_purposes", i8),
        ("hide_kidneys", i1), ("hide_allergies", i1), ("problem", i4), ("explicit", i1),
        ("ingredients", i4), ("product", i4), ("combinations", i4), ("combination", i8, (at.COMBINATIONS,)),
        ("danger", i4, (at.COMBINATIONS,)), ("size", i4, (at.COMBINATIONS,)), ("choices", i4),
        ("choice", i4, (MOST_CHOICES,)), ("list", i8, (256,)),
    ],
    align=True,
)  # fmt: skip

# What a draft works on. `pair_key`: spans of `pair_row` by split, severities, kind and whether trained on.
DRAFTING = Block(
    "drafting",
    {
        "call": at.CALL, "facts": at.FACTS, "draft": (DRAFT, 1), "mask": (i1, 2), "held": (i1, 2),
        "pooled": (POOLED, 1), "flag": (i1, 2), "weight": (f8, 2), "cumulative": (f8, 2), "load": (f8, 2),
        "rank": (i1, 2), "split": (i1, 2), "clash": (i1, 2), "alike": (i1, 2), "doubled": (i1, 2), "unsuits": (i1, 2),
        "wrong": (i1, 2), "against": (i4, 1), "holding": (HOLDING, 1), "padding": (i4, 1), "named": (i4, 1),
        "omission": (i4, 1), "always": (i4, 1), "pair": (PAIR, 1), "pair_key": (i4, 2), "pair_row": (i4, 1),
        "pair_sum": (f8, 1), "product": (i4, 2), "allergen": (i8, 2), "people": (PERSON, 1),
        "asked": (i8, 1), "told": (i8, 1), "doses": (f8, 1),
    },
)  # fmt: skip
# What a draft is asked for: `asked`, in this order.
ASKED = ("key", "split", "sub", "level", "control", "budget", "step_days")
# What it tells: `told` begins with these and goes on with drugs, what each is for, and days, in the regimen's order,
# the ingredients of a product, combinations, and the person's conditions. `doses`: the creatinine, then daily doses.
TOLD = (
    "attempts", "n", "problem", "person", "male", "frailty", "falls", "child", "allergens", "allergy", "gene",
    "phenotype", "targets", "unknown", "hidden_purposes", "hide_kidneys", "hide_allergies", "explicit", "ingredients",
    "product", "combinations", "conditions",
)  # fmt: skip

Value = TypeVar("Value")


def by_level(table: Mapping[str, Value]) -> tuple[Value, Value, Value]:
    """What a table says of easy, medium and hard, in this order, as compiled code takes it."""
    return table["easy"], table["medium"], table["hard"]
