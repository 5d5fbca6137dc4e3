"""A vectorised generator of synthetic older adults: person, conditions, kidneys, labs, regimen.

Cost is linear in patients, batches are independent, and a patient depends on seed and number alone.
Conditions share a latent multimorbidity; kidneys follow age; regimens are prescribed for the
conditions with the habits of `prescribing.csv`, inappropriate ones included.

The constants below and the means and spreads of frailty, cognition, liver and labs are parameters of this project
(2026), no published estimates: habits and untreated share are fitted to the drug counts of `nchs2019`, falls to
`cdcfalls2020` (`published.csv`), to which the check `cohort_is_plausible` holds the cohort.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from polyguard_env.errors import PolyGuardError
from polyguard_env.patients.body import Body, intercepts, make_body, make_conditions
from polyguard_env.patients.counter import normal, uniform
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.patients.tables import phenotypes, slots
from polyguard_env.risk.index import RuleIndex

# Shares of this project, below those that health records document, verified or not (Zhou L, Allergy 2016;71:1305).
ALLERGENS: tuple[tuple[str, float], ...] = (
    ("penicillins", 0.10),
    ("sulfonamides", 0.05),
    ("macrolides", 0.02),
    ("nsaids", 0.02),
)
BETA_BLOCKERS = frozenset({"atenolol", "bisoprolol", "carvedilol", "metoprolol", "propranolol", "sotalol"})
HIGHEST_NUMBER = 2**62
# Of the people that scenarios are about and of the cohort that is published.
PERSON_SEED = 20_260
DOSE_CUTS = (0.30, 0.85)
BLOCK = 256
KEPT_BLOCKS = 64
FALLS_BASE, FALLS_PER_FRAILTY = -1.95, 0.26
UNTREATED_SHARE = 0.068
HABIT_MEAN, HABIT_SPREAD = 1.17, 0.36


@dataclass(frozen=True, slots=True)
class Cohort:
    """Columns of n patients; every array has length n, matrices (n, columns).

    Attributes:
        female: sex. conditions: bool matrix over `condition_ids`.
        drugs: int16 matrix over prescribing slots: index into `drug_ids`, or -1.
        doses: daily dose of each slot's drug, in its dose unit, 0 where none.
        phenotype: int8 matrix over `genes`: index into the gene's phenotypes.
        allergy: bool matrix over `ALLERGENS`.
    """

    numbers: np.ndarray
    age: np.ndarray
    female: np.ndarray
    height: np.ndarray
    weight: np.ndarray
    frailty: np.ndarray
    falls: np.ndarray
    cognition: np.ndarray
    labs: dict[str, np.ndarray]
    child_pugh: np.ndarray
    condition_ids: tuple[str, ...]
    conditions: np.ndarray
    drug_ids: tuple[str, ...]
    drugs: np.ndarray
    doses: np.ndarray
    phenotype: np.ndarray
    allergy: np.ndarray


class PatientGenerator:
    """Generates patients by number.

    Args:
        index: indexed knowledge; drugs it does not profile are left out of the prescribing slots.
        seed: 0 or more; the same seed gives the same patients at any batch size.
    """

    def __init__(self, index: RuleIndex, seed: int = 0) -> None:
        if seed < 0:
            raise PolyGuardError("seed", seed, "give a whole number of 0 or more")
        self.index, self.seed = index, seed
        self.slots = slots()
        self.drug_ids = tuple(sorted({drug for slot in self.slots for drug in slot.drugs}))
        missing = [drug for drug in self.drug_ids if index.profile(drug) is None]
        if missing:
            raise PolyGuardError("prescribing.csv drugs", ", ".join(missing), "add these drugs to the formulary")
        code = {drug: place for place, drug in enumerate(self.drug_ids)}
        self._codes = [np.array([code[drug] for drug in slot.drugs], dtype=np.int16) for slot in self.slots]
        self._blocks: dict[int, Cohort] = {}
        # The last place is that of -1: no drug.
        self._slows_heart = np.array([drug in BETA_BLOCKERS for drug in (*self.drug_ids, "")])
        profiles = [index.drug(drug).profile for drug in self.drug_ids]
        self._dose_min = np.array([p.dose_min for p in profiles if p])
        self._dose_usual = np.array([p.dose_usual for p in profiles if p])
        self._dose_high = np.array([min(p.dose_max, 2 * p.dose_usual) for p in profiles if p])

    def cohort(self, start: int, count: int) -> Cohort:
        """Patients numbered `start` to `start + count - 1`."""
        if start < 0 or count < 1 or start + count > HIGHEST_NUMBER:
            raise PolyGuardError("start, count", (start, count), "start at 0 or more and ask for at least one")
        return self._cohort(np.arange(start, start + count, dtype=np.uint64))

    def _cohort(self, numbers: np.ndarray) -> Cohort:
        seed = self.seed
        body = make_body(seed, numbers)
        age, female, latent = body.age, body.female, body.latent
        conditions = make_conditions(seed, numbers, body, intercepts())
        ids = tuple(conditions)
        matrix = np.stack([conditions[name] for name in ids], axis=1)
        frailty = np.clip(
            np.round(2.7 + (age - 72) / 13 + 0.7 * latent + 1.05 * normal(seed, "frailty", numbers)), 1, 9
        ).astype(np.int8)
        falls = _poisson(uniform(seed, "falls", numbers), np.exp(FALLS_BASE + FALLS_PER_FRAILTY * frailty))
        impaired = np.where(conditions["dementia"], 9.0, 0.0)
        cognition = np.clip(np.round(28.6 - 0.05 * (age - 70) - impaired + 1.3 * normal(seed, "mmse", numbers)), 3, 30)
        drugs, doses = self._regimen(numbers, conditions)
        labs = self._labs(numbers, body, conditions, drugs)
        grade = uniform(seed, "child_pugh", numbers)
        child = np.where(conditions["cirrhosis"], np.where(grade < 0.6, "A", np.where(grade < 0.9, "B", "C")), "")
        genes = phenotypes()
        phenotype = np.stack(
            [
                np.searchsorted(
                    np.cumsum([share for _, share in kinds])[:-1], uniform(seed, f"gene/{gene}", numbers)
                ).astype(np.int8)
                for gene, kinds in genes.items()
            ],
            axis=1,
        )
        allergy = np.stack([uniform(seed, f"allergy/{name}", numbers) < share for name, share in ALLERGENS], axis=1)
        return Cohort(
            numbers, age, female, np.round(body.height, 1), np.round(body.weight, 1), frailty, falls, cognition, labs,
            child, ids, matrix, self.drug_ids, drugs, doses, phenotype, allergy,
        )  # fmt: skip

    def _regimen(self, numbers: np.ndarray, held: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        drugs = np.full((len(numbers), len(self.slots)), -1, dtype=np.int16)
        doses = np.zeros((len(numbers), len(self.slots)), dtype=np.float64)
        seen: dict[int, list[int]] = {}
        habit = HABIT_MEAN + HABIT_SPREAD * normal(self.seed, "prescribing", numbers)
        habit = np.where(uniform(self.seed, "untreated", numbers) < UNTREATED_SHARE, 0.0, habit)
        for place, slot in enumerate(self.slots):
            chance = np.clip(slot.probability * habit, 0.0, 0.98)
            given = uniform(self.seed, f"slot/{slot.slot_id}", numbers) < chance
            if slot.condition:
                given &= held[slot.condition]
            rows = np.flatnonzero(given)
            pick = np.searchsorted(slot.shares[:-1], uniform(self.seed, f"drug/{slot.slot_id}", numbers[rows]))
            chosen = self._codes[place][pick]
            fresh = np.ones(len(rows), dtype=bool)
            for earlier in {s for code in set(self._codes[place].tolist()) for s in seen.get(code, [])}:
                fresh &= drugs[rows, earlier] != chosen
            rows, chosen = rows[fresh], chosen[fresh]
            drugs[rows, place] = chosen
            level = uniform(self.seed, f"dose/{slot.slot_id}", numbers[rows])
            doses[rows, place] = np.where(
                level < DOSE_CUTS[0],
                self._dose_min[chosen],
                np.where(level < DOSE_CUTS[1], self._dose_usual[chosen], self._dose_high[chosen]),
            )
            for code in set(self._codes[place].tolist()):
                seen.setdefault(code, []).append(place)
        return drugs, doses

    def _labs(
        self, numbers: np.ndarray, body: Body, held: dict[str, np.ndarray], drugs: np.ndarray
    ) -> dict[str, np.ndarray]:
        seed = self.seed
        blood = np.where(body.female, 13.7, 14.7)
        pulse = 73.0 - 7.0 * self._slows_heart[drugs].any(axis=1)
        return {
            "creatinine": np.round(body.creatinine, 2),
            "potassium": np.round(
                np.clip(
                    4.25 + 0.008 * np.maximum(0, 60 - body.egfr) + 0.36 * normal(seed, "potassium", numbers), 2.6, 6.8
                ),
                1,
            ),
            "sodium": np.round(np.clip(139.6 + 2.6 * normal(seed, "sodium", numbers), 118, 152)),
            "heart_rate": np.round(
                np.clip(pulse + 7 * held["atrial_fibrillation"] + 9.5 * normal(seed, "heart_rate", numbers), 40, 140)
            ),
            "systolic_bp": np.round(
                np.clip(130 + 6 * held["hypertension"] + 15 * normal(seed, "systolic_bp", numbers), 80, 215)
            ),
            "qtc": np.round(np.clip(424 + 8 * held["hfref"] + 18 * normal(seed, "qtc", numbers), 350, 540)),
            "haemoglobin": np.round(
                np.clip(blood - 2.3 * held["anaemia"] - 0.3 * held["ckd"] + 0.95 * normal(seed, "hb", numbers), 6, 18),
                1,
            ),
        }

    def patient(self, number: int) -> Patient:
        """One patient, regimen included. Neighbours are cheap: blocks of `BLOCK` patients are kept."""
        block = number // BLOCK
        if block not in self._blocks:
            if len(self._blocks) >= KEPT_BLOCKS:
                self._blocks.pop(next(iter(self._blocks)))
            self._blocks[block] = self.cohort(block * BLOCK, BLOCK)
        return self._patient(self._blocks[block], number - block * BLOCK)

    def patients(self, start: int, count: int) -> Iterator[Patient]:
        """Patients as domain objects, one by one."""
        cohort = self.cohort(start, count)
        return (self._patient(cohort, row) for row in range(count))

    def _patient(self, cohort: Cohort, row: int) -> Patient:
        held = tuple(sorted(cohort.condition_ids[int(place)] for place in np.flatnonzero(cohort.conditions[row])))
        regimen = tuple(
            RegimenItem(
                self.drug_ids[cohort.drugs[row, place]],
                float(cohort.doses[row, place]),
                self._indication(self.slots[int(place)].condition, held),
            )
            for place in np.flatnonzero(cohort.drugs[row] >= 0)
        )
        kinds = zip(phenotypes().items(), cohort.phenotype[row].tolist(), strict=True)
        genotype = {gene: names[code][0] for (gene, names), code in kinds}
        return Patient(
            patient_id=f"p{int(cohort.numbers[row]):010d}",
            age=int(cohort.age[row]),
            sex="F" if cohort.female[row] else "M",
            weight=float(cohort.weight[row]),
            height=float(cohort.height[row]),
            conditions=held,
            measurements={name: float(values[row]) for name, values in cohort.labs.items()},
            frailty=int(cohort.frailty[row]),
            falls=int(cohort.falls[row]),
            allergies=tuple(ALLERGENS[int(place)][0] for place in np.flatnonzero(cohort.allergy[row])),
            genotype={gene: name for gene, name in genotype.items() if name != "normal"},
            child_pugh=str(cohort.child_pugh[row]),
            regimen=regimen,
        )

    @staticmethod
    def _indication(condition: str, held: tuple[str, ...]) -> str:
        return condition if condition in held else ""

    def table(self, start: int, count: int) -> pa.Table:
        """Patients as an Arrow table, one row each, lists for conditions, drugs, doses and allergies."""
        cohort = self.cohort(start, count)
        columns: dict[str, pa.Array] = {
            "patient_id": pa.array(np.char.add("p", np.char.zfill(cohort.numbers.astype(str), 10))),
            "age": pa.array(cohort.age.astype(np.int16)),
            "sex": pa.array(np.where(cohort.female, "F", "M")),
            "weight": pa.array(cohort.weight),
            "height": pa.array(cohort.height),
            "frailty": pa.array(cohort.frailty),
            "falls": pa.array(cohort.falls),
            "cognition": pa.array(cohort.cognition.astype(np.int8)),
            "child_pugh": pa.array(cohort.child_pugh),
        }
        columns |= {name: pa.array(values) for name, values in cohort.labs.items()}
        columns["conditions"] = _lists(cohort.conditions, np.array(cohort.condition_ids))
        columns["drugs"] = _lists(cohort.drugs >= 0, np.array(self.drug_ids), cohort.drugs)
        columns["doses"] = pa.ListArray.from_arrays(
            _offsets(cohort.drugs >= 0), pa.array(cohort.doses[cohort.drugs >= 0])
        )
        columns["indications"] = _lists(cohort.drugs >= 0, np.array([slot.condition for slot in self.slots]))
        columns["allergies"] = _lists(cohort.allergy, np.array([name for name, _ in ALLERGENS]))
        for place, (gene, kinds) in enumerate(phenotypes().items()):
            names = pa.array([kind for kind, _ in kinds])
            columns[gene.lower()] = pa.DictionaryArray.from_arrays(pa.array(cohort.phenotype[:, place]), names)
        return pa.table({name: _plain(values) for name, values in columns.items()})

    def frame(self, start: int, count: int) -> pd.DataFrame:
        """`table` as a DataFrame."""
        frame: pd.DataFrame = self.table(start, count).to_pandas()
        return frame


def _poisson(draw: np.ndarray, rate: np.ndarray, most: int = 9) -> np.ndarray:
    """Poisson counts by inversion, capped at `most`."""
    term = np.exp(-rate)
    total, count = term.copy(), np.zeros(len(draw), dtype=np.int8)
    for k in range(1, most + 1):
        count += (draw > total).astype(np.int8)
        term = term * rate / k
        total += term
    return count


def _offsets(mask: np.ndarray) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(mask.sum(axis=1))]).astype(np.int32))


def _lists(mask: np.ndarray, names: np.ndarray, codes: np.ndarray | None = None) -> pa.Array:
    """A list column from a boolean matrix: names by column, or by the code found there."""
    place = codes[mask].astype(np.int32) if codes is not None else np.nonzero(mask)[1].astype(np.int32)
    values = pa.DictionaryArray.from_arrays(pa.array(place), pa.array(names.tolist()))
    return pa.ListArray.from_arrays(_offsets(mask), values.dictionary_decode())


def _plain(values: pa.Array) -> pa.Array:
    return values.dictionary_decode() if isinstance(values, pa.DictionaryArray) else values
