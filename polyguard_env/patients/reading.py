"""Patients out of JSON: every value checked, units converted, drugs resolved; an error names entry and field."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.allergens import allergy_ids, near_allergens
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.checks import LONGEST_TEXT, figures, in_range, text
from polyguard_env.patients.condition_names import condition_named
from polyguard_env.patients.directed import directed_items
from polyguard_env.patients.doses import Told, doses_of
from polyguard_env.patients.entries import entry_items
from polyguard_env.patients.json_text import read_json
from polyguard_env.patients.kidney_stages import with_implied
from polyguard_env.patients.measurement_names import measurements_named
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.patients.named import named_drugs

# Limits of input of this project (`polyguard_limits`, 2026); frailty as on the Clinical Frailty Scale (Rockwood 2020).
RANGES: Mapping[str, tuple[float, float, str]] = {
    "age": (18, 120, "years"),
    "weight": (25, 300, "kg"),
    "height": (100, 230, "cm"),
    "frailty": (1, 9, "on the Clinical Frailty Scale"),
    "falls": (0, 365, "falls in the last year"),
}
REQUIRED = ("age", "sex", "weight", "height")
WHOLE = frozenset({"age", "frailty", "falls"})
OTHERS = frozenset(
    {"patient_id", "sex", "conditions", "measurements", "allergies", "genotype", "child_pugh", "regimen"}
)
ITEM_FIELDS = frozenset(
    {
        "drug",
        "drug_id",
        "dose",
        "unit",
        "strength",
        "parts",
        "indication",
        "days",
        "entered",
        "product",
        "note",
        "directions",
        "interval",
    }
)
# Entries that say there is no known allergy (usual abbreviations of records).
NO_ALLERGY = frozenset(
    {"nkda", "nka", "none", "none known", "no known allergies", "no known allergy", "no known drug allergies",
     "no known drug allergy", "no allergies", "no drug allergies"}
)  # fmt: skip
MOST_ENTRIES = 500
MOST_BYTES = 8 * 2**20


def read_patient(path: Path, knowledge: KnowledgeBase) -> Patient:
    """A patient from a JSON file; see `patient_from`.

    Raises:
        PolyGuardError: no such file, too large, no JSON, a name given twice in an object, or a bad value.
    """
    if not path.is_file():
        raise PolyGuardError("--patient", str(path), "give the path of a JSON file")
    if path.stat().st_size > MOST_BYTES:
        raise PolyGuardError(path.name, path.stat().st_size, f"give a file of at most {MOST_BYTES // 2**20} MB")
    data = read_json(path.read_bytes(), path.name)
    return patient_from({"patient_id": path.stem, **data}, knowledge)


def patient_from(data: Mapping[str, Any], knowledge: KnowledgeBase) -> Patient:
    """A checked patient.

    Args:
        data: age (years), sex ("F" or "M"), weight (kg), height (cm), and optionally conditions,
            measurements (number in the unit of `measurements.csv`, or {"value", "unit"}), allergies, genotype,
            child_pugh, frailty, falls, and regimen: drug names, or {"drug" or "drug_id", "dose" (a day), "unit",
            "strength" (of one tablet, puff or mL; see `doses`), "indication", "days"}; a combination product may have
            "parts" in place of "dose", with the daily dose of each ingredient.
        knowledge: resolves drug names.

    Raises:
        PolyGuardError: the first bad field, its value and the fix.
    """
    for name in data:
        text("field", name)
        if name not in RANGES and name not in OTHERS:
            raise PolyGuardError(
                name, data[name], f"remove it; a patient has {', '.join(sorted(OTHERS | set(RANGES)))}"
            )
    for name in REQUIRED:
        if name not in data:
            raise PolyGuardError(name, None, "give age, sex, weight and height")
    values: dict[str, Any] = {}
    for name, (low, high, unit) in RANGES.items():
        if name in data:
            number = in_range(name, data[name], low, high, unit)
            values[name] = int(number) if name in WHOLE else number
    if data["sex"] not in ("F", "M"):
        raise PolyGuardError("sex", data["sex"], "use F or M (sex assigned at birth, as the formulas need it)")
    if data.get("child_pugh", "") not in ("", "A", "B", "C"):
        raise PolyGuardError("child_pugh", data["child_pugh"], "use A, B, C or leave it empty")
    items = tuple(
        item
        for place, entry in enumerate(listed(data, "regimen"))
        for item in items_from(entry, place, knowledge, values["weight"])
    )
    products_exist(items, knowledge)
    return Patient(
        patient_id=text("patient_id", str(data.get("patient_id", "patient"))),
        sex=data["sex"],
        conditions=with_implied(
            condition(name, f"conditions[{place}]") for place, name in enumerate(listed(data, "conditions"))
        ),
        measurements={
            name: measurement(name, value)
            for name, value in measurements_named(mapped(data, "measurements")).items()
        },
        allergies=tuple(dict.fromkeys(
            told for place, name in enumerate(listed(data, "allergies"))
            for told in allergy(name, f"allergies[{place}]", knowledge)
        )),
        genotype={gene: phenotype(gene, kind) for gene, kind in mapped(data, "genotype").items()},
        child_pugh=data.get("child_pugh", ""),
        regimen=items,
        **values,
    )  # fmt: skip


def listed(data: Mapping[str, Any], name: str) -> list[Any]:
    """A list field; empty when absent."""
    value = data.get(name, [])
    if not isinstance(value, list | tuple):
        raise PolyGuardError(name, value, "write a list")
    if len(value) > MOST_ENTRIES:
        raise PolyGuardError(name, f"{len(value)} entries", f"write at most {MOST_ENTRIES}")
    return list(value)


def mapped(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object field; empty when absent."""
    value = data.get(name, {})
    if not isinstance(value, dict):
        raise PolyGuardError(name, value, "write an object of names and values")
    if len(value) > MOST_ENTRIES:
        raise PolyGuardError(name, f"{len(value)} entries", f"write at most {MOST_ENTRIES}")
    return {text(name, key): entry for key, entry in value.items()}


@lru_cache(maxsize=1)
def measurement_table() -> Mapping[str, dict[str, str]]:
    """Rows of `measurements.csv` by id."""
    return {row["measurement_id"]: row for row in read_fragments("measurements")}


@lru_cache(maxsize=1)
def conversions() -> Mapping[tuple[str, str], tuple[float, float]]:
    """(measurement, unit) to factor and offset into the table's unit."""
    return {
        (row["measurement_id"], row["unit"]): (float(row["factor"]), float(row["offset"]))
        for row in read_fragments("units")
    }


def measurement(name: str, given: Any) -> float:
    """A measurement in the table's unit.

    Args:
        given: a number in that unit, or {"value": number, "unit": unit}.

    Raises:
        PolyGuardError: unknown measurement or unit, or an impossible value; one that would be possible in
            another unit says so.
    """
    field, table = f"measurements.{name}", measurement_table()
    if name not in table or not table[name]["low"]:
        raise PolyGuardError(field, given, f"use one of {', '.join(key for key, row in table.items() if row['low'])}")
    unit, low, high = table[name]["unit"], float(table[name]["low"]), float(table[name]["high"])
    others = {other: how for (of, other), how in conversions().items() if of == name}
    if isinstance(given, dict):
        if set(given) != {"value", "unit"}:
            raise PolyGuardError(field, given, 'write {"value": number, "unit": unit}')
        told = text(f"{field}.unit", given["unit"]).lower().replace("µ", "u").replace("μ", "u")
        spelled = {other.lower(): other for other in (unit, *others)}.get(told)
        if spelled is None:
            raise PolyGuardError(f"{field}.unit", given["unit"], f"use {' or '.join([unit, *others])}")
        factor, offset = others.get(spelled, (1.0, 0.0))
        number = in_range(f"{field}.value", given["value"], -1e9, 1e9, unit) * factor + offset
        return in_range(field, number, low, high, unit)
    if isinstance(given, int | float) and not isinstance(given, bool) and (-1e9 < given < low or high < given < 1e9):
        for other, (factor, offset) in others.items():
            if low <= given * factor + offset <= high:
                fix = (
                    f'impossible in {unit}; if it is in {other}, write {{"value": {figures(given)}, "unit": "{other}"}}'
                )
                raise PolyGuardError(field, given, fix)
    return in_range(field, given, low, high, unit)


def condition(name: Any, field: str) -> str:
    """A condition id of an id, name, abbreviation, lay name or ICD-10 code; see `condition_named`.

    Raises:
        PolyGuardError: unknown, or of several meanings; the fix gives near names or the choices.
    """
    return condition_named(text(field, name), field)


@lru_cache(maxsize=1)
def phenotypes() -> Mapping[str, tuple[str, ...]]:
    """Phenotypes of each gene: the common ones, and those that a rule names."""
    found: dict[str, tuple[str, ...]] = {}
    for row in (*read_fragments("phenotypes"), *read_fragments("rules/pharmacogenomics")):
        held = found.get(row["gene"], ("normal",))
        found[row["gene"]] = held if row["phenotype"] in held else (*held, row["phenotype"])
    return found


def phenotype(gene: str, given: Any) -> str:
    """A phenotype of a gene.

    Raises:
        PolyGuardError: the gene or the phenotype is unknown: a rule would pass it over in silence.
    """
    if gene not in phenotypes():
        raise PolyGuardError(f"genotype.{gene}", given, f"use one of the genes {', '.join(phenotypes())}")
    if given not in phenotypes()[gene]:
        raise PolyGuardError(f"genotype.{gene}", given, f"use one of {', '.join(phenotypes()[gene])}")
    return str(given)


def resolve_drug(name: str, knowledge: KnowledgeBase, field: str) -> tuple[str, ...]:
    """Drug ids of a name (several for a combination product).

    Raises:
        PolyGuardError: the name is unknown; the fix lists near names, which are never taken silently.
    """
    found = knowledge.resolve_all(text(field, name))
    if not found:
        near = ", ".join(knowledge.suggest(name)[:3])
        raise PolyGuardError(field, name, f"check the spelling; known names near it: {near or 'none'}")
    return found


def allergy(name: Any, field: str, knowledge: KnowledgeBase) -> tuple[str, ...]:
    """Drug ids, a class id or the id of another allergen (`allergens.csv`) that an entry names; none of "NKDA".

    Raises:
        PolyGuardError: none of these is written so; an allergy that nobody recognises would protect nobody.
    """
    found: tuple[str, ...] = ()
    if isinstance(name, str) and re.sub(r"[^a-z]+", " ", name.lower()).strip() in NO_ALLERGY:
        return ()
    if isinstance(name, str) and name.strip():
        found = allergy_ids(text(field, name), knowledge.resolve_all)
    if not found:
        near = [*near_allergens(str(name)), *knowledge.suggest(str(name))[:3]]
        fix = f"write a drug, a drug class or an allergen of allergens.csv; near it: {', '.join(near) or 'none'}"
        raise PolyGuardError(field, name, f"{fix}; an empty list says there are none")
    return found


def listed_drugs(
    names: Sequence[str], knowledge: KnowledgeBase, field: str, weight: float | None = None
) -> tuple[RegimenItem, ...]:
    """The regimen of a plain list; a name listed twice is taken twice.

    Args:
        names: names, brands or combinations, perhaps with directions ("furosemide 40 mg 1 tab BID"); empty ones are
            passed over. Without directions the dose is unknown.
        field: what an error calls the list.
        weight: kg, for doses per kg.

    Raises:
        PolyGuardError: an unknown name, or an impossible dose.
    """
    return tuple(
        item
        for place, name in enumerate(names)
        if name.strip()
        for item in directed_items(name.strip(), place, knowledge, f"{field}[{place}]", weight)
    )


def items_from(entry: Any, place: int, knowledge: KnowledgeBase, weight: float) -> list[RegimenItem]:
    """Regimen items of one entry, one for each ingredient of a combination product.

    Args:
        weight: kg, for doses per kg.
    """
    where = f"regimen[{place}]"
    if isinstance(entry, str) and entry.strip():
        named = named_drugs(entry, knowledge, f"{where}.drug")
        return directed_items(entry, place, knowledge, where, weight, drugs=named)
    item = {"drug": entry} if isinstance(entry, str) else entry
    if not isinstance(item, dict) or not (item.get("drug") or item.get("drug_id")):
        raise PolyGuardError(where, entry, 'write a drug name or {"drug": name, "dose": a day, "unit": unit}')
    for name in item:
        if name not in ITEM_FIELDS:
            raise PolyGuardError(f"{where}.{name}", item[name], f"remove it; use {', '.join(sorted(ITEM_FIELDS))}")
    field = f"{where}.{'drug' if item.get('drug') else 'drug_id'}"
    name = item.get("drug") or item["drug_id"]
    drugs = named_drugs(text(field, name), knowledge, field)
    days = int(in_range(f"{where}.days", item.get("days", 365), 0, 36500, "days"))
    indication = condition(item["indication"], f"{where}.indication") if item.get("indication") else ""
    if item.get("directions"):
        if item.get("dose") is not None or item.get("parts"):
            raise PolyGuardError(f"{where}.directions", item["directions"], "give either directions or dose, not both")
        told = text(f"{where}.directions", item["directions"])
        return directed_items(name, place, knowledge, where, weight, indication, days, drugs, told)
    if all(not item.get(name) for name in ("parts", "entered", "product")) and item.get("dose") is None:
        return directed_items(name, place, knowledge, where, weight, indication, days, drugs)
    doses = doses_of(item, drugs, where, knowledge, weight)
    known = {drug_id: told.dose for drug_id, told in doses.items()}
    found = entry_items(name, known, place, knowledge.names.is_product(drugs), indication, days)
    interval = in_range(f"{where}.interval", item.get("interval", 0.0), 0.0, 3660.0, "days")
    found = [replace(one, note=_note(item, doses[one.drug_id], where), interval=interval) for one in found]
    if not (item.get("entered") or item.get("product")):
        return found
    # An exported patient holds the ingredients one by one, with the entry that each came from.
    if not isinstance(item.get("entered", ""), str) or len(item.get("entered", "")) > LONGEST_TEXT:
        raise PolyGuardError(
            f"{where}.entered", item["entered"], "write the name it was entered under, or leave it out"
        )
    number = int(in_range(f"{where}.product", item.get("product", 0), 0, 1000, "(the entry's number)"))
    return [replace(one, entered=item.get("entered") or name, product=number or one.product) for one in found]


def products_exist(items: Sequence[RegimenItem], knowledge: KnowledgeBase) -> None:
    """Refuse items said to be of one product that nobody sells: their interactions would go unmentioned.

    Raises:
        PolyGuardError: such a product.
    """
    held: dict[tuple[str, int], set[str]] = {}
    for item in items:
        if item.product:
            held.setdefault((item.entered, item.product), set()).add(item.drug_id)
    for (entered, number), drugs in held.items():
        if len(drugs) > 1 and not knowledge.names.is_product(drugs, part=True):
            fix = f"{', '.join(sorted(drugs))} are not known as one product ({entered}); leave product out"
            raise PolyGuardError("regimen.product", number, fix)


def _note(item: Mapping[str, Any], told: Told, where: str) -> str:
    """Why a dose is unknown and how it was read: told by its unit, or by the patient's export."""
    if told.note or not item.get("note"):
        return told.note
    return text(f"{where}.note", item["note"])
