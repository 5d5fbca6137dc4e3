"""Codes and record layouts shared by the compiled rules and the Python around them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from polyguard_env.engine.blocks import Block
from polyguard_env.environment.messages import ActionType

# Sizes of the records. A regimen holds SLOTS drugs at most, those added during an episode included.
SLOTS = 28
CANDIDATES = 12
WITHDRAWALS = 8
# Drugs that an agent has done harm with, two by each of the steps of the longest episode.
HARMED = 20
ALLERGIES = 6
GENES = 12
COMBINATIONS = 16
FINDINGS = 320
FIXES = 96
MOVES = 24
# Episodes that one thread steps part by part, each with a workspace of its own.
ABREAST = 16
HYPEREDGES = 63
SIDES = 4
TOKEN_WORDS = 8
CONDITION_WORDS = 4
OMISSION_WORDS = 2

KINDS: tuple[ActionType, ...] = tuple(ActionType)
KIND = {kind: place for place, kind in enumerate(KINDS)}
KEEP = KIND[ActionType.KEEP_REGIMEN]
STOP = KIND[ActionType.STOP_DRUG]
TAPER = KIND[ActionType.TAPER_DRUG]
REDUCE = KIND[ActionType.REDUCE_DOSE]
INCREASE = KIND[ActionType.INCREASE_DOSE]
HOLD = KIND[ActionType.HOLD_DOSE]
SUBSTITUTE = KIND[ActionType.SUBSTITUTE_DRUG]
ADD = KIND[ActionType.ADD_DRUG]
RECOMMEND = KIND[ActionType.RECOMMEND_ALTERNATIVE]
ORDER = KIND[ActionType.ORDER_MONITORING]
FETCH = KIND[ActionType.FETCH_EXTERNAL_EVIDENCE]
DECOMPOSE = KIND[ActionType.DECOMPOSE_NEW_DRUG]
TEST = KIND[ActionType.TEST_COMBINATION]
REVIEW = KIND[ActionType.REQUEST_SPECIALIST_REVIEW]
FINISH = KIND[ActionType.FINISH]

CHART = -2  # target of a FETCH that opens the chart

INTERACTION, DRUG_DISEASE, ORGAN_DOSING, BURDEN, DUPLICATION, OMISSION, MONITORING, WITHDRAWAL = range(8)
MINOR, MODERATE, MAJOR, CONTRAINDICATED = 1, 2, 3, 4
COURSE, PAUSABLE, HARMFUL, SICK_DAY = range(4)
HOLD_ROLES = ("course", "pausable", "harmful", "sick_day")
RENAL, HEPATIC, MAXIMUM, GENE, CONDITION, FALL_RISK, AVOID, ACB, DBI, PAIR, HYPEREDGE = range(11)

# Named reasons, by code: why an option is illegal, or what an answer did wrong.
REASONS: tuple[str, ...] = (
    "",
    "drug_not_taken",
    "dose_above_maximum",
    "not_a_reduction",
    "already_taken",
    "allergy",
    "acted_on_unknown",
    "kidney_function_unknown",
    "allergies_unknown",
    "unsafe_no_op",
    "keep_regimen_abuse",
    "review_abuse",
    "repeated_action_loop",
    "retry_of_no_op",
    "unreadable_answer",
    "candidate_id_mismatch",
    "parser_exploit",
    "timeout",
    "undone_change",
    "needless_change",
    "drug_held",
)
REASON = {name: place for place, name in enumerate(REASONS)}
(
    FINE, NOT_TAKEN, ABOVE_MAXIMUM, NOT_A_REDUCTION, ALREADY_TAKEN, ALLERGY, ACTED_ON_UNKNOWN, KIDNEY_UNKNOWN,
    ALLERGIES_UNKNOWN, UNSAFE_NO_OP, KEEP_ABUSE, REVIEW_ABUSE, ACTION_LOOP, NO_OP_RETRY, UNREADABLE, ID_MISMATCH,
    PARSER_EXPLOIT, TIMEOUT, UNDONE_CHANGE, NEEDLESS_CHANGE, DRUG_HELD,
) = range(len(REASONS))  # fmt: skip

SUB_CODES = (
    "DDI",
    "BANDIT_MINING",
    "REGIMEN_RISK",
    "PRECISION_DOSING",
    "LONGITUDINAL_DEPRESCRIBING",
    "WEB_SEARCH_MISSING_DATA",
    "ALTERNATIVE_SUGGESTION",
    "NEW_DRUG_DECOMPOSITION",
)
SUB = {name: place for place, name in enumerate(SUB_CODES)}
DDI_SUB, BANDIT, REGIMEN, PRECISION, LONGITUDINAL, WEB, ALTERNATIVE, NEW_DRUG = range(8)
SPLIT = {"train": 0, "validation": 1, "holdout": 2}
DIFFICULTY = {"easy": 0, "medium": 1, "hard": 2}

f8, i8, i4, i2, i1 = np.float64, np.int64, np.int32, np.int16, np.int8

# A bit each: `sides` the combinations a drug is a side of; `gives`, `joins` and `bars` the rules on missing drugs of
# which it is what is missing, what has to be there and what rules them out; `needs` the measurements it calls for;
# `against` the conditions that some rule on it is about.
DRUG = np.dtype(
    [
        ("tokens", i8, (TOKEN_WORDS,)), ("sides", i8, (SIDES,)), ("gives", i8, (OMISSION_WORDS,)),
        ("joins", i8, (OMISSION_WORDS,)), ("bars", i8, (OMISSION_WORDS,)), ("needs", i8),
        ("against", i8, (CONDITION_WORDS,)), ("acb", f8), ("dbi_delta", f8),
        ("profiled", i1), ("acb_carrier", i1), ("dbi_carrier", i1), ("conditional", i1), ("kidney", i1), ("organs", i1),
        ("treatment", i4), ("taper", i4), ("taper_class", i4), ("monitor", i4),
        ("dose_min", f8), ("dose_usual", f8), ("dose_max", f8), ("use_weight", f8),
        ("renal", i4, (2,)), ("hepatic", i4, (2,)), ("disease", i4, (2,)), ("gene", i4, (2,)),
        ("burden", i4, (2,)), ("duplicate", i4, (2,)), ("swap", i4, (2,)),
        ("hold", i4, (2,)),
    ],
    align=True,
)  # fmt: skip
EDGE = np.dtype(
    [("severity", i1), ("mechanism", i2), ("reduce", i1), ("monitor", i1), ("measurement", i2), ("split", i1)]
)  # fmt: skip
ORGAN_RULE = np.dtype(
    [("measure", i1), ("action", i1), ("severity", i1), ("threshold", f8), ("floor", f8), ("limit", f8), ("rule", i4)]
)
DISEASE_RULE = np.dtype([("condition", i2), ("severity", i1), ("rule", i4)])
GENE_RULE = np.dtype([("gene", i2), ("phenotype", i2), ("severity", i1), ("rule", i4)])
BURDEN_RULE = np.dtype(
    [("kind", i1), ("severity", i1), ("indication", i2), ("threshold", f8), ("unless", i4), ("rule", i4)]
)
HYPER = np.dtype([("sides", i4), ("category", i1), ("severity", i1), ("reduce", i1), ("rule", i4)])
DUPLICATE = np.dtype([("rule", i4)])
DUPLICATE_RULE = np.dtype([("severity", i1), ("except_from", i4), ("except_to", i4)])
SWAP = np.dtype([("replacement", i4), ("indication", i2), ("wrong_if", i4)])
OMISSION_RULE = np.dtype([("condition", i2), ("drug", i4), ("absent_if", i4), ("severity", i1)])
# `what`: the indication of the drug, for a sick day the condition; -1 for any. `days`: a course lasts at most so long.
HOLD_RULE = np.dtype([("role", i1), ("what", i2), ("severity", i1), ("days", f8)])
TAPER_RULE = np.dtype(
    [("severity", i1), ("step_fraction", f8), ("max_fraction", f8), ("step_days", f8), ("min_days", f8)]
)

SCENARIO = np.dtype(
    [
        ("key", i8), ("sub", i1), ("difficulty", i1), ("split", i1), ("control", i1),
        ("budget", i4), ("step_days", i4), ("falls", f8), ("child_pugh", i1),
        ("crcl", f8), ("egfr", f8), ("genes", i4),
        ("gene", i2, (GENES,)), ("phenotype", i2, (GENES,)),
        ("condition", i8, (CONDITION_WORDS,)), ("tokens", i8, (TOKEN_WORDS,)),
        ("allergies", i4), ("allergy_drug", i4, (ALLERGIES,)), ("allergy_tokens", i8, (TOKEN_WORDS,)),
        ("n", i4), ("drug", i4, (SLOTS,)), ("dose", f8, (SLOTS,)), ("indication", i2, (SLOTS,)),
        ("days", i4, (SLOTS,)), ("group", i1, (SLOTS,)), ("hidden_facts", i1, (SLOTS,)),
        ("hidden_indication", i1, (SLOTS,)), ("hidden_product", i1, (SLOTS,)),
        ("measured", i8), ("hidden", i8), ("kidney_hidden", i8),
        ("chart_hidden", i1), ("allergies_hidden", i1),
        ("treated", i4), ("treated_condition", i2, (SLOTS,)), ("treatments", f8, (SLOTS,)),
        ("omission", i8, (OMISSION_WORDS,)),
        ("combinations", i4), ("combination", i4, (COMBINATIONS,)), ("danger", f8, (COMBINATIONS,)),
    ]
)  # fmt: skip

CANDIDATE_FIELDS = [
    ("kind", i1), ("a", i4), ("b", i4), ("value", f8), ("reason", i1), ("number", i4),
    ("safety", f8), ("dosing", f8), ("burden", f8), ("disease", f8), ("worth", f8), ("priced", i1),
]  # fmt: skip
CANDIDATE = np.dtype(CANDIDATE_FIELDS, align=True)
# What a state caches: `pair` what two slots do to each other, the lower first, as `risk.pair_code` writes it, valid
# where the `links` of the first have the second's bit; `lost` the priority of treatment lost by condition treated at
# the start, to be worked out again where `stale` has its bit; `own_severe` the severe findings of a drug on its own, of
# which `dose_severe` hang on its dose; `gap` what is not known, `load` that of the regimen as a whole.
# `held`: days a drug stays withheld, of those in `holding`; `course` and `pausable`: drugs taken for a short course,
# and those that may be paused while one lasts (bits of slots). `debt`: risk that the agent has added and that has not
# gone again, by changes of the drugs of `harmed`.
STATE = np.dtype(
    [
        ("seed", i8), ("step", i4), ("day", i4), ("finished", i1), ("n", i4),
        ("drug", i4, (SLOTS,)), ("dose", f8, (SLOTS,)), ("initial", f8, (SLOTS,)), ("indication", i2, (SLOTS,)),
        ("days", i4, (SLOTS,)), ("tapering", i1, (SLOTS,)), ("reduced", i1, (SLOTS,)), ("held", i1, (SLOTS,)),
        ("group", i1, (SLOTS,)),
        ("alive", i1, (SLOTS,)), ("facts_known", i1, (SLOTS,)), ("product_known", i1, (SLOTS,)),
        ("course", i8), ("pausable", i8), ("holding", i8),
        ("known", i8), ("monitored", i8), ("chart_known", i1), ("tested", i4),
        ("withdrawals", i4), ("w_drug", i4, (WITHDRAWALS,)), ("w_severity", i1, (WITHDRAWALS,)),
        ("w_days", i4, (WITHDRAWALS,)),
        ("reviews", i4), ("keeps", i4), ("last_kind", i4), ("last_a", i4), ("last_b", i4),
        ("last_from", f8), ("last_dose", f8), ("debt", f8), ("harmed", i4, (HARMED,)), ("harms", i4),
        ("harm", i4), ("severe_harm", i4), ("hazard", f8), ("severe_hazard", f8), ("total", f8),
        ("last_reward", f8),
        ("safety", f8), ("dosing", f8), ("burden", f8), ("disease", f8), ("severe", i4),
        ("gap", f8), ("load", f8), ("stale", i8), ("lost", f8, (SLOTS,)), ("links", i8, (SLOTS,)),
        ("own_safety", f8, (SLOTS,)), ("own_dosing", f8, (SLOTS,)), ("own_burden", f8, (SLOTS,)),
        ("own_severe", i1, (SLOTS,)), ("dose_severe", i1, (SLOTS,)), ("floor", f8, (SLOTS,)),
        ("pair", i4, (SLOTS, SLOTS)),
        ("candidates", i4), ("best", i4), ("gain", f8), ("candidate", CANDIDATE, (CANDIDATES,)),
    ],
    align=True,
)  # fmt: skip


def byte_of(field: str) -> int:
    """Where a field of a state begins."""
    fields = STATE.fields
    assert fields is not None
    return int(fields[field][1])


FINDING = np.dtype(
    [
        ("category", i1), ("severity", i1), ("what", i1), ("reduce", i1), ("monitor", i1),
        ("a", i4), ("b", i4), ("code", i4), ("measurement", i2), ("slots", i8), ("limit", f8), ("weight", f8),
    ]
)  # fmt: skip
# `listed`: rows of `found` when they are the findings of the state that is entered next, else -1; `fixed`: those of
# `fixes`.
WORK = np.dtype(
    [
        ("found", FINDING, (FINDINGS,)), ("before", FINDING, (FINDINGS,)), ("after", FINDING, (FINDINGS,)),
        ("pair", FINDING, (2,)),
        ("fixes", CANDIDATE, (FIXES,)), ("rows", CANDIDATE, (FIXES,)), ("moves", CANDIDATE, (SLOTS, MOVES)),
        ("words", i8, (TOKEN_WORDS,)), ("names", i8, (TOKEN_WORDS,)), ("sides", i8, (SIDES,)),
        ("stream", i8, (1,)), ("order", i8, (64,)), ("able", i8, (64,)), ("totals", f8, (16,)), ("lines", i8, (8,)),
        ("column", i8, (4,)), ("counts", i8, (SLOTS,)), ("kinds", i8, (SLOTS,)),
        ("columns", f8, (13,)), ("prices", f8, (CANDIDATES,)),
        ("events", i8, (64, 3)), ("listed", i8, (1,)), ("fixed", i8, (1,)), ("passing", i8, (2,)),
    ],
    align=True,
)  # fmt: skip


# The tables of a knowledge base: dtype and dimensions of each. Drugs, conditions, measurements and tokens are indices
# into its lists of names.
FACTS = Block(
    "facts",
    {
        "drug": (DRUG, 1), "edge": (EDGE, 1), "hash_key": (i8, 1), "hash_value": (i4, 1), "organ": (ORGAN_RULE, 1),
        "disease": (DISEASE_RULE, 1), "gene": (GENE_RULE, 1), "burden": (BURDEN_RULE, 1), "lacking": (i8, 1),
        "hyper": (HYPER, 1), "duplicate": (DUPLICATE, 1), "duplicate_rule": (DUPLICATE_RULE, 1), "exception": (i4, 2),
        "number": (i4, 1), "foreign": (i8, 2), "near": (i8, 2),
        "swap": (SWAP, 1), "alone": (i8, 1), "omission": (OMISSION_RULE, 1), "taper": (TAPER_RULE, 1),
        "hold": (HOLD_RULE, 1),
        "mask": (i8, 2), "priority": (f8, 1), "common": (i4, 1), "parameters": (f8, 1), "weights": (f8, 1),
    },
)  # fmt: skip
# One call of the compiled rules: its episodes, from the first of `span` to before the second, and where each of their
# arguments and results is.
CALL = Block(
    "call",
    {
        "facts": FACTS, "scenarios": (SCENARIO, 1), "starts": (STATE, 1), "which": (i8, 1), "states": (STATE, 1),
        "work": (WORK, 1), "scratch": (STATE, 1), "span": (i8, 1),
        "seeds": (i8, 1), "choices": (i8, 1), "reasons": (i8, 1), "confidence": (f8, 1), "cited": (i8, 1),
        "hits": (i8, 1), "rewards": (f8, 1), "counts": (i8, 1), "columns": (f8, 2), "done": (i1, 1),
    },
)  # fmt: skip


class Facts(NamedTuple):
    """A knowledge base as arrays; drugs, conditions, measurements and tokens are indices into its lists."""

    drug: np.ndarray
    edge: np.ndarray
    hash_key: np.ndarray
    hash_value: np.ndarray
    organ: np.ndarray
    disease: np.ndarray
    gene: np.ndarray
    burden: np.ndarray
    lacking: np.ndarray
    hyper: np.ndarray
    duplicate: np.ndarray
    duplicate_rule: np.ndarray
    exception: np.ndarray
    number: np.ndarray
    foreign: np.ndarray
    near: np.ndarray
    swap: np.ndarray
    alone: np.ndarray
    omission: np.ndarray
    taper: np.ndarray
    hold: np.ndarray
    mask: np.ndarray
    priority: np.ndarray
    common: np.ndarray
    parameters: np.ndarray
    weights: np.ndarray
