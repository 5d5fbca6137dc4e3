"""The people scenarios are built around: `PEOPLE` generated patients of each split, without their regimens."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from polyguard_env.engine.facts import FactTable
from polyguard_env.environment.drafting import layout as lay
from polyguard_env.environment.drafting.layout import PEOPLE
from polyguard_env.environment.splits import SPLITS
from polyguard_env.errors import PolyGuardError
from polyguard_env.patients.generate import ALLERGENS, PERSON_SEED, Cohort, PatientGenerator
from polyguard_env.risk.index import RuleIndex

ALLERGEN_NAMES = tuple(sorted(name for name, _ in ALLERGENS))


@dataclass(frozen=True, slots=True)
class Person:
    """What a scenario keeps of a generated patient; ids and units as in `Patient`."""

    patient_id: str
    age: int
    weight: float
    height: float
    labs: tuple[float, ...]


class People:
    """The people of every split, generated a split at a time when first asked for.

    Attributes:
        rows: shape (splits times `PEOPLE`,), dtype PERSON.
        labs: names of their measurements.
    """

    def __init__(self, index: RuleIndex, table: FactTable) -> None:
        self._generator, self._table = PatientGenerator(index, PERSON_SEED), table
        self.rows = np.zeros(len(SPLITS) * PEOPLE, dtype=lay.PERSON)
        self.labs: tuple[str, ...] = ()
        self._columns: list[tuple[list[int], list[float], list[float], list[list[float]]] | None] = [None] * len(SPLITS)
        self._lock = threading.Lock()

    def fill(self, split: int) -> None:
        """Generate the people of a split, unless they are there."""
        if self._columns[split] is None:
            with self._lock:
                if self._columns[split] is None:
                    self._generate(split)

    def person(self, number: int) -> Person:
        """A person by place in `rows`; their split must have been filled."""
        split, row = divmod(number, PEOPLE)
        columns = self._columns[split]
        assert columns is not None
        ages, weights, heights, labs = columns
        return Person(f"p{number:010d}", ages[row], weights[row], heights[row], tuple(labs[row]))

    def _generate(self, split: int) -> None:
        cohort = self._generator.cohort(split * PEOPLE, PEOPLE)
        rows = self.rows[split * PEOPLE : (split + 1) * PEOPLE]
        rows["age"], rows["male"], rows["weight"] = cohort.age, ~cohort.female, cohort.weight
        rows["frailty"] = cohort.frailty
        names = [name for name, _ in ALLERGENS]
        for place, name in enumerate(ALLERGEN_NAMES):
            rows["allergens"] |= cohort.allergy[:, names.index(name)].astype(np.int64) << place
        self.labs = tuple(cohort.labs)
        rows["measured"] = sum(
            {1 << self._table.measurement_at[n] for n in self.labs if n in self._table.measurement_at}
        )
        self._conditions(rows, cohort)
        labs = np.stack([cohort.labs[name] for name in self.labs], axis=1).tolist()
        self._columns[split] = (
            cohort.age.astype(int).tolist(), cohort.weight.tolist(), cohort.height.tolist(), labs,
        )  # fmt: skip

    def _conditions(self, rows: np.ndarray, cohort: Cohort) -> None:
        places = np.array([self._table.condition_at[name] for name in cohort.condition_ids])
        order = np.argsort(places)
        held = cohort.conditions[:, order]
        rows["conditions"] = held.sum(axis=1)
        if held.sum(axis=1).max() > lay.MOST_HELD:
            raise PolyGuardError("conditions", int(held.sum(axis=1).max()), f"raise MOST_HELD above {lay.MOST_HELD}")
        person, column = np.nonzero(held)
        rows["condition"][person, (held.cumsum(axis=1) - 1)[person, column]] = places[order][column]
