"""The tables patients are generated from: prevalences, prescribing habits, genotypes."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np

from polyguard_env.errors import PolyGuardError

LABS = ("creatinine", "potassium", "sodium", "heart_rate", "systolic_bp", "qtc", "haemoglobin")


@dataclass(frozen=True, slots=True)
class Prevalence:
    """One condition's model: logit of prevalence at 75, by sex, age slope, load on multimorbidity, parents."""

    condition: str
    female: float
    male: float
    age_slope: float
    load: float
    parents: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """One prescribing habit: who of a condition's patients gets one of these drugs, and which."""

    slot_id: str
    condition: str
    probability: float
    drugs: tuple[str, ...]
    shares: np.ndarray


def _rows(name: str) -> list[dict[str, str]]:
    table = resources.files("polyguard_env.knowledge") / "tables" / name
    with table.open(encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def _pairs(cell: str) -> list[tuple[str, float]]:
    return [(name, float(value)) for name, _, value in (part.partition(":") for part in cell.split(";") if part)]


@lru_cache(maxsize=1)
def prevalences() -> tuple[Prevalence, ...]:
    """Conditions in an order in which every parent comes before its children."""
    waiting = [
        Prevalence(
            row["condition_id"],
            float(row["female"]),
            float(row["male"]),
            float(row["age_slope"]),
            float(row["load"]),
            tuple(_pairs(row["parents"])),
        )
        for row in _rows("prevalence.csv")
    ]
    done: list[Prevalence] = []
    placed = {"ckd"}
    while waiting:
        ready = [entry for entry in waiting if all(parent in placed for parent, _ in entry.parents)]
        if not ready:
            names = ", ".join(entry.condition for entry in waiting)
            raise PolyGuardError("prevalence.csv parents", names, "remove the circle of parents or add the missing row")
        done += ready
        placed |= {entry.condition for entry in ready}
        waiting = [entry for entry in waiting if entry.condition not in placed]
    return tuple(done)


@lru_cache(maxsize=1)
def slots() -> tuple[Slot, ...]:
    """Prescribing habits in table order; an earlier slot wins when two would give the same drug."""
    found = []
    for row in _rows("prescribing.csv"):
        choices = _pairs(row["drugs"])
        shares = np.array([share for _, share in choices])
        if not 0.99 <= shares.sum() <= 1.01:
            raise PolyGuardError(f"prescribing.csv {row['slot_id']} drugs", row["drugs"], "make the shares sum to 1")
        drugs = tuple(name for name, _ in choices)
        found.append(Slot(row["slot_id"], row["condition"], float(row["probability"]), drugs, np.cumsum(shares)))
    return tuple(found)


@lru_cache(maxsize=1)
def phenotypes() -> dict[str, tuple[tuple[str, float], ...]]:
    """Gene to phenotypes with their frequencies, which sum to 1."""
    genes: dict[str, list[tuple[str, float]]] = {}
    for row in _rows("phenotypes.csv"):
        genes.setdefault(row["gene"], []).append((row["phenotype"], float(row["frequency"])))
    return {gene: tuple(entries) for gene, entries in genes.items()}
