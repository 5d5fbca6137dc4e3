"""Patients as sources tell of them, and their translation into `Patient`.

A record holds names and codes as supplied. Translation resolves drug names exactly, maps condition codes by
table, and lists what it could not place; it never guesses.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.allergens import drug_allergy
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.tabular import read_fragments, read_table
from polyguard_env.patients.checks import figures
from polyguard_env.patients.condition_names import condition_rows
from polyguard_env.patients.directed import directed_items
from polyguard_env.patients.entries import entry_items
from polyguard_env.patients.kidney_stages import with_implied
from polyguard_env.patients.model import Patient, RegimenItem, Sex
from polyguard_env.patients.reading import RANGES
from polyguard_env.sources.catalogue import described
from polyguard_env.sources.resolve import Resolver

OLDEST, YOUNGEST = 110, 65
# Round figures (kg, cm) for a person over 65 whose size the source does not give; `assumed` names every use.
TYPICAL_SIZE: dict[str, tuple[float, float]] = {"F": (70.0, 160.0), "M": (84.0, 174.0)}
HERE = Path(__file__).parent


@dataclass(slots=True)
class PatientRecord:
    """A patient as supplied.

    Attributes:
        source: source key. patient_id: id in the source.
        age: years at `date`. sex: "F", "M", or "" where the source gives neither.
        weight: kg, height: cm; None when the source has none.
        conditions: "system|code", system one of snomed, icd10, icd9, nhanes.
        drugs: names as written; days: days on each; rxcuis: RxNorm ids where given, else "".
        directions: of each drug as written ("1 tablet twice daily"), else "".
        measurements: measurement id to value in that table's unit.
        allergies: names as written.
        date: the day the record describes, YYYY-MM-DD, or "".
        assumed: fields that the source hides or tops, and that the reader filled in by its published rule.
    """

    source: str
    patient_id: str
    age: int
    sex: str
    weight: float | None = None
    height: float | None = None
    conditions: list[str] = field(default_factory=list)
    drugs: list[str] = field(default_factory=list)
    days: list[float] = field(default_factory=list)
    rxcuis: list[str] = field(default_factory=list)
    measurements: dict[str, float] = field(default_factory=dict)
    allergies: list[str] = field(default_factory=list)
    date: str = ""
    assumed: list[str] = field(default_factory=list)
    directions: list[str] = field(default_factory=list)

    def take(self, name: str, days: float, rxcui: str = "", directions: str = "") -> None:
        """Add a drug, once per name and directions; the longer time on it counts."""
        for place, held in enumerate(self.drugs):
            if held == name and directions in ("", self.directions[place]):
                self.days[place] = max(self.days[place], days)
                return
        self.drugs.append(name)
        self.days.append(days)
        self.rxcuis.append(rxcui)
        self.directions.append(directions)


COLUMNS = tuple(PatientRecord.__dataclass_fields__)


def records_frame(records: Iterable[PatientRecord]) -> pd.DataFrame:
    """One row per record; measurements as JSON."""
    rows = [asdict(record) | {"measurements": json.dumps(record.measurements, sort_keys=True)} for record in records]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"weight": "float64", "height": "float64"})


def records_of(frame: pd.DataFrame) -> list[PatientRecord]:
    """The records of a frame made by `records_frame`."""
    found = []
    for row in frame.to_dict("records"):
        values: dict[str, Any] = {
            str(name): list(cell) if hasattr(cell, "tolist") else cell for name, cell in row.items()
        }
        values["measurements"] = json.loads(values["measurements"])
        for name in ("weight", "height"):
            values[name] = None if values[name] is None or math.isnan(values[name]) else values[name]
        found.append(PatientRecord(**values))  # type: ignore[arg-type]
    return found


@cache
def condition_codes() -> dict[str, dict[str, str]]:
    """Coding system to code (or prefix) to condition id; ICD-10 also from the condition tables."""
    found: dict[str, dict[str, str]] = {"icd10": {}, "icd9": {}, "snomed": {}, "nhanes": {}}
    for row in condition_rows():
        found["icd10"].setdefault(row["icd10"].replace(".", ""), row["condition_id"])
    for row in read_table("condition_codes.csv", HERE):
        found[row["system"]][row["code"].replace(".", "")] = row["condition_id"]
    return found


def condition_of(coded: str) -> str:
    """The condition id of "system|code", or "": SNOMED exactly, ICD by its longest known prefix."""
    system, _, code = coded.partition("|")
    known = condition_codes().get(system, {})
    plain = code.replace(".", "").upper()
    if system in ("snomed", "nhanes"):
        return known.get(plain, "")
    return next((known[plain[:n]] for n in range(len(plain), 2, -1) if plain[:n] in known), "")


@cache
def observation_codes() -> dict[str, tuple[str, dict[str, float]]]:
    """Code ("loinc|...", "nhanes|...") to measurement id and, by unit, the factor to that table's unit."""
    found: dict[str, tuple[str, dict[str, float]]] = {}
    for row in read_table("observation_codes.csv", HERE):
        key = f"{row['system']}|{row['code']}"
        found.setdefault(key, (row["measurement_id"], {}))[1][row["unit"]] = float(row["factor"])
    return found


@cache
def plausible() -> dict[str, tuple[float, float]]:
    """Measurement id to the lowest and highest value accepted (`polyguard_limits`, 2026); height in cm too."""
    rows = [row for row in read_fragments("measurements") if row["low"]]
    limits = {row["measurement_id"]: (float(row["low"]), float(row["high"])) for row in rows}
    return limits | {"height": RANGES["height"][:2]}


def measured(place: str, code: str, value: float, unit: str) -> tuple[str, float] | None:
    """Measurement id and value in our unit; None for an observation that no rule uses.

    Args:
        place: file and line, for the error.

    Raises:
        PolyGuardError: the unit is not one the table converts, or the value is impossible.
    """
    if code not in observation_codes():
        return None
    name, factors = observation_codes()[code]
    if unit not in factors:
        raise PolyGuardError(f"{place}, unit of {name}", unit, f"give it in {' or '.join(factors)}")
    converted = value * factors[unit]
    low, high = plausible()[name]
    if not low <= converted <= high:
        fix = f"impossible: a person has {figures(low)} to {figures(high)}"
        raise PolyGuardError(f"{place}, {name}", f"{figures(value)} {unit}", fix)
    return name, round(converted, 4)


def keep_measurement(record: PatientRecord, name: str, value: float) -> None:
    """Put a measurement where it belongs; a later one replaces an earlier one."""
    if name == "weight":
        record.weight = value
    elif name == "height":
        record.height = value
    else:
        record.measurements[name] = value


@dataclass(slots=True)
class Joined:
    """What came of translating records.

    Attributes:
        patients: people over 65 as the environment knows them.
        frame: one row per patient with provenance.
        excluded: reason to number of records left out.
        unresolved: drug name to times it could not be resolved.
        unmapped: condition code to times it had no condition id.
        allergens: allergen to times it was neither a drug nor a class (a food, a pollen).
    """

    patients: list[Patient]
    frame: pd.DataFrame
    excluded: Counter[str]
    unresolved: Counter[str]
    unmapped: Counter[str]
    allergens: Counter[str]


PATIENT_COLUMNS = (
    "source", "year", "patient_id", "age", "sex", "weight", "height", "conditions", "drugs", "measurements",
    "allergies", "unresolved", "assumed", "patient",
)  # fmt: skip


def to_patients(records: Iterable[PatientRecord], resolver: Resolver) -> Joined:
    """Translate records; the young are left out and counted, unknown names and codes listed."""
    patients, rows = [], []
    excluded: Counter[str] = Counter()
    unresolved: Counter[str] = Counter()
    unmapped: Counter[str] = Counter()
    allergens: Counter[str] = Counter()
    for record in records:
        if not YOUNGEST <= record.age <= OLDEST:
            excluded["under 65" if record.age < YOUNGEST else "over 110"] += 1
            continue
        if record.sex not in TYPICAL_SIZE:
            excluded["sex not given as female or male"] += 1
            continue
        patient, lost, codes, assumed = to_patient(record, resolver)
        unresolved.update(lost)
        unmapped.update(codes)
        allergens.update(name for name in record.allergies if not drug_allergy(name, resolver.resolve_all))
        patients.append(patient)
        rows.append(
            (record.source, described(record.source).year, patient.patient_id, patient.age, patient.sex,
             patient.weight, patient.height, list(patient.conditions), list(dict.fromkeys(patient.drug_ids)),
             json.dumps(patient.measurements, sort_keys=True), list(patient.allergies), lost, assumed,
             json.dumps(patient.to_dict(), sort_keys=True))
        )  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(PATIENT_COLUMNS))
    return Joined(patients, frame, excluded, unresolved, unmapped, allergens)


def to_patient(record: PatientRecord, resolver: Resolver) -> tuple[Patient, list[str], list[str], list[str]]:
    """The patient, the drug names and condition codes that found no place, and the fields assumed."""
    typical_weight, typical_height = TYPICAL_SIZE[record.sex]
    assumed = [*record.assumed]
    assumed += [name for name in ("weight", "height") if getattr(record, name) is None]
    items: list[RegimenItem] = []
    lost = []
    for place, (name, time, rxcui) in enumerate(zip(record.drugs, record.days, record.rxcuis, strict=True)):
        found = resolver.resolve_all(name, rxcui)
        if not found:
            lost.append(name)
        product = resolver.is_product(name, found)
        told = record.directions[place] if record.directions else ""
        items += _items(record, place, found, product, told, max(1, round(time)))
    conditions = [condition_of(code) for code in record.conditions]
    codes = [code for code, known in zip(record.conditions, conditions, strict=True) if not known]
    allergies = [place for name in record.allergies for place in drug_allergy(name, resolver.resolve_all)]
    sex: Sex = "F" if record.sex == "F" else "M"
    patient = Patient(
        patient_id=f"{record.source}:{record.patient_id}",
        age=record.age,
        sex=sex,
        weight=typical_weight if record.weight is None else record.weight,
        height=typical_height if record.height is None else record.height,
        conditions=with_implied(c for c in conditions if c),
        measurements=dict(record.measurements),
        allergies=tuple(dict.fromkeys(allergies)),
        regimen=tuple(items),
    )
    return patient, lost, codes, assumed


def _items(
    record: PatientRecord, place: int, drugs: tuple[str, ...], product: bool, told: str, days: int
) -> list[RegimenItem]:  # fmt: skip
    """Items of one drug, with the doses its directions give; what cannot be right is a dose unknown, with a note."""
    name, knowledge = record.drugs[place], KnowledgeBase.default()
    unread = entry_items(name, dict.fromkeys(drugs), place, product, days=days)
    if not told or not drugs or not set(drugs) <= knowledge.drugs.keys():
        return unread
    where = f"{record.source} {record.patient_id}, drug {place + 1}"
    try:
        return directed_items(
            name, place, knowledge, where, record.weight, days=days, drugs=drugs, told=told, product=product
        )
    except PolyGuardError as error:
        return [replace(item, note=str(error)) for item in unread]


def listed(counts: Mapping[str, int], most: int = 50) -> list[tuple[str, int]]:
    """The commonest entries of a count, commonest first, ties by name."""
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:most]
