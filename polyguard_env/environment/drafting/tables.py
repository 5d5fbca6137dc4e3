"""The pool of drugs as the arrays that compiled generators read."""

from __future__ import annotations

import numpy as np

from polyguard_env.engine.facts import FactTable
from polyguard_env.environment.drafting import layout as lay
from polyguard_env.environment.drafting.people import ALLERGEN_NAMES
from polyguard_env.environment.pool import ILLNESSES, MAJOR, MODERATE, SEXES, DrugPool, sex_fits
from polyguard_env.environment.splits import SPLITS
from polyguard_env.knowledge.schema import SEVERITY_RANK

SEVERE = ("contraindicated", "major")
ANY = ("contraindicated", "major", "moderate")
NARROW_WEIGHT = 4.0
LEAST_SUSPECT = 0.1
LEAST_NEED = 2.0
LEAST_MARGIN = 0.4
LEAST_BURDEN = 2
SHORT_TIME = "limited_life_expectancy"
# Conditions that call for no drug and speak against few: they even out how many conditions a person has.
PADDING = (
    "allergic_rhinitis", "chronic_cough", "dry_eye", "eczema", "erectile_dysfunction", "fibromyalgia", "gerd",
    "insomnia", "irritable_bowel", "macular_degeneration", "menopause_symptoms", "migraine", "nausea", "obesity",
    "overactive_bladder", "prostatitis", "pruritus", "raynaud", "urinary_incontinence", "vertigo",
)  # fmt: skip


def draft_tables(pool: DrugPool, table: FactTable) -> dict[str, np.ndarray]:
    """The arrays of a `DRAFTING` block that follow from the knowledge base alone."""
    places = np.array([table.condition_at[name] for name in pool.conditions])
    unsuits = np.zeros((len(pool.drugs), len(table.conditions)), dtype=np.int8)
    unsuits[:, places] = pool.unsuits
    against, pooled = _pooled(pool, table, places)
    omission, holding = _holding(pool, table)
    weight = _weights(pool)
    return {
        "pooled": pooled,
        "against": np.array(against, dtype=np.int32),
        "holding": holding,
        "omission": np.array(omission, dtype=np.int32),
        "always": _always(table),
        "unsuits": unsuits,
        "wrong": np.ascontiguousarray(unsuits.T >= MODERATE).astype(np.int8),
        "flag": _flags(pool, unsuits, table),
        "weight": weight,
        "cumulative": weight.cumsum(axis=1),
        "load": np.array([pool.acb, pool.dbi, pool.cns], dtype=np.float64),
        "rank": pool.rank,
        "split": pool.split_of,
        "clash": pool.clash.astype(np.int8),
        "alike": pool.alike.astype(np.int8),
        "doubled": pool.doubled.astype(np.int8),
        "padding": np.array([table.condition_at[name] for name in PADDING], dtype=np.int32),
        "named": np.array(
            [
                table.condition_at["cirrhosis"], table.condition_at[SHORT_TIME], table.measurement_at["creatinine"],
                *(table.condition_at[name] for name in ILLNESSES),
            ],
            dtype=np.int32,
        ),
        "product": np.array(
            [[pool.place[drug_id] for drug_id in drug_ids] for _, drug_ids in pool.products], dtype=np.int32
        ).reshape(-1, 2),
        "allergen": np.array([table.token_words([name]) for name in (*ALLERGEN_NAMES, *table.drugs)]),
    } | _pairs(pool, table)  # fmt: skip


def _pooled(pool: DrugPool, table: FactTable, places: np.ndarray) -> tuple[list[int], np.ndarray]:
    rows = np.zeros(len(pool.drugs), dtype=lay.POOLED)
    against: list[int] = []
    allergens = [pool.members(name) for name in ALLERGEN_NAMES]
    for place, (drug_id, profile) in enumerate(zip(pool.drugs, pool.profiles, strict=True)):
        start = len(against)
        against += [table.condition_at[name] for name in pool.against[place]]
        purpose = [places[code] if code >= 0 else -1 for code in pool.purpose[:, place].tolist()]
        held = sum(1 << bit for bit, members in enumerate(allergens) if members[place])
        rows[place] = (
            table.drug_at[drug_id], profile.dose_min, profile.dose_usual, profile.dose_max, purpose,
            pool.course[:, place], pool.moves[place], held, (start, len(against)),
        )  # fmt: skip
    return against, rows


def _holding(pool: DrugPool, table: FactTable) -> tuple[list[int], np.ndarray]:
    rows = np.zeros(len(table.conditions), dtype=lay.HOLDING)
    omission: list[int] = []
    for place, name in enumerate(table.conditions):
        start = len(omission)
        omission += table.omissions_at.get(name, [])
        rows[place] = (
            pool.index.priority(name), pool.uncalled(name), name in pool.condition_place,
            [sex_fits(name, sex) for sex in SEXES], (start, len(omission)), table.token_words([name]),
        )  # fmt: skip
    return omission, rows


def _always(table: FactTable) -> np.ndarray:
    """Rules on missing drugs that hold whatever the conditions are."""
    return np.array(sorted(row for name in ("", "*") for row in table.omissions_at.get(name, [])), dtype=np.int32)


def _flags(pool: DrugPool, unsuits: np.ndarray, table: FactTable) -> np.ndarray:
    flags = np.zeros((lay.FLAGS, len(pool.drugs)), dtype=np.int8)
    heavy = pool.burdensome >= LEAST_BURDEN
    for row, sex in enumerate(SEXES):
        need = pool.need(sex)
        flags[lay.GIVEN + row], flags[lay.CALM + row] = pool.given[row], pool.calm[row]
        flags[lay.STILL + row], flags[lay.SEVERAL + row] = pool.still[row], pool.several[row]
        flags[lay.COURSE + row], flags[lay.PAUSE + row] = pool.course[row] > 0, pool.pausable[row]
        flags[lay.NEEDED + row], flags[lay.OUTWEIGHED + row] = need >= LEAST_NEED, need - pool.toll >= LEAST_MARGIN
    flags[lay.KIDNEY], flags[lay.LIVER], flags[lay.TWINS] = pool.kidney, pool.liver, pool.twins
    flags[lay.TAPER], flags[lay.EXPOSED] = pool.taper, [bool(names) for names in pool.against]
    flags[lay.PREVENTIVE] = unsuits[:, table.condition_at[SHORT_TIME]] >= MODERATE
    flags[lay.HEAVY] = pool.taper & heavy
    flags[lay.FALLS], flags[lay.FALLS_MAJOR] = heavy & (pool.fall >= MODERATE), heavy & (pool.fall >= MAJOR)
    flags[lay.SICK_DAY : lay.SICK_DAY + len(ILLNESSES)] = pool.sick_day
    for flag, least in ((lay.GENES, MODERATE), (lay.GENES_MAJOR, MAJOR)):
        flags[flag] = [any(SEVERITY_RANK[rule.severity] >= least for rule in rules) for rules in pool.genes]
    return flags


def _weights(pool: DrugPool) -> np.ndarray:
    """Weights of draws; suspects by how many reasons could speak against them: bystanders look like targets."""
    weights = np.zeros((lay.WEIGHTS, len(pool.drugs)))
    weights[lay.USE] = pool.weights
    weights[lay.NARROW] = pool.weights * np.where(pool.narrow, NARROW_WEIGHT, 1.0)
    exposed = np.array([bool(names) for names in pool.against])
    for code, split in enumerate(SPLITS):
        met = ((pool.rank >= MAJOR) & (pool.split_of == code)).any(axis=1)
        reasons = exposed.astype(float) + pool.kidney + met
        weights[lay.SUSPECT + code] = pool.weights * (LEAST_SUSPECT + reasons)
        for moderate, severities in enumerate((SEVERE, ANY)):
            weights[lay.MARGINAL + 2 * code + moderate] = pool.marginal(split, severities)
        weights[lay.PAUSING + code] = pool.pausing_weights(split)[1]
    return weights


def _pairs(pool: DrugPool, table: FactTable) -> dict[str, np.ndarray]:
    """Target pairs, and for every way of asking for one the pairs that answer and their running weights."""
    first: dict[str, int] = {}
    pairs: list[tuple[int, int, int, bool]] = []
    for split in SPLITS:
        first[split] = len(pairs)
        pairs += [
            (
                pool.place[pair.drug_a], pool.place[pair.drug_b],
                table.mechanisms.index(pair.interaction.mechanism), pair.explicit,
            )
            for pair in pool.pairs[split]
        ]  # fmt: skip
    rows: list[np.ndarray] = []
    sums: list[np.ndarray] = []
    keys: list[tuple[int, int]] = []
    at_row = 0
    for split in SPLITS:
        for severities in (SEVERE, ANY):
            for explicit in (None, False, True):
                for unseen in (None, False, True):
                    places, cumulative = pool.by_key(split, severities, explicit, unseen)
                    rows.append(places + first[split])
                    sums.append(cumulative)
                    keys.append((at_row, at_row + len(places)))
                    at_row += len(places)
    assert len(keys) == lay.PAUSING_KEY
    for split in SPLITS:
        places = pool.pausing[split]
        rows.append(places + first[split])
        sums.append(pool.pausing_weights(split)[0])
        keys.append((at_row, at_row + len(places)))
        at_row += len(places)
    return {
        "pair": np.array(pairs, dtype=lay.PAIR),
        "pair_key": np.array(keys, dtype=np.int32),
        "pair_row": np.concatenate(rows).astype(np.int32),
        "pair_sum": np.concatenate(sums).astype(np.float64),
    }
