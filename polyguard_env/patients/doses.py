"""Daily doses as a medication list writes them, in the drug's own unit (`tables/dose_units.csv`).

A unit is a mass, activity (units, IU), amount, volume or count (puffs, drops, tablets, patches, percent), perhaps per
kg of body weight, and per day where nothing else is said: "mg", "mcg/h", "mg/24h", "units/kg/day", "mg/week". Volumes
and counts need the strength of one of them ("10 mg/5 mL", "90 mcg"). What has no defined conversion leaves the dose
unknown, with a note.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.schema import DrugProfile
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.checks import figures, in_range, text
from polyguard_env.patients.direction_words import HOURS

# An input above this many times the highest daily dose known is a slip of unit or decimal point, whoever takes it.
SANITY_TIMES = 100
EXAMPLES = "mg, mcg, g, units, IU, mmol, mEq, mL, mcg/h, mg/24h, units/kg/day, %, puffs, drops, tablets or patches"
DAYS = {word: HOURS[word] / 24.0 for word in ("min", "minute", "h", "hr", "hour", "d", "day", "wk", "week", "month")}
TIME = re.compile(r"^(?P<number>\d{1,3}(?:\.\d+)?)?\s*(?P<unit>[a-z]+)$")
DAILY = re.compile(r"\s*(?:\b(?:daily|per day|a day|each day|every day)|\bper 24 ?h(?:ours?)?)$")
STRENGTH = re.compile(
    r"^(?P<amount>\d+(?:[.,]\d+)?)\s*(?P<unit>[^\d/]+?)\s*(?:/\s*(?P<per>\d+(?:[.,]\d+)?)?\s*(?P<of>[^\d/]+))?$"
)


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of the table and what it is per.

    Attributes:
        meanings: (kind, factor to the base unit of the kind), the meaning of the drug first.
        per_kg: per kg of body weight. days: per this many days.
    """

    word: str
    meanings: tuple[tuple[str, float], ...]
    per_kg: bool
    days: float

    def factor(self, kind: str) -> float | None:
        return dict(reversed(self.meanings)).get(kind)


@dataclass(frozen=True, slots=True)
class Strength:
    """What one piece ("count") or one mL ("volume") holds: `amount` of `unit`."""

    unit: Unit
    amount: float
    per: str


@cache
def unit_table() -> Mapping[str, tuple[dict[str, str], ...]]:
    """Rows of `dose_units.csv` by word."""
    found: dict[str, tuple[dict[str, str], ...]] = {}
    for row in read_fragments("dose_units"):
        found[row["unit"]] = (*found.get(row["unit"], ()), row)
    return found


def read_unit(written: str, drug_id: str) -> Unit | None:
    """A unit as written, for one drug; None when it is none."""
    plain = written.strip().lower().replace("µ", "u").replace("μ", "u")
    plain = DAILY.sub("", plain).replace(" per ", "/").strip()
    word, *rest = [part.strip() for part in plain.split("/")]
    per_kg, days = False, 1.0
    for place, part in enumerate(rest):
        found = TIME.match(part)
        if part == "kg" and place == 0:
            per_kg = True
        elif found and found["unit"].removesuffix("s") in DAYS and place == len(rest) - 1:
            days = float(found["number"] or 1) * DAYS[found["unit"].removesuffix("s")]
        else:
            return None
    if days <= 0:
        return None
    rows = next((unit_table()[name] for name in _singulars(word) if name in unit_table()), ())
    own = [row for row in rows if drug_id in row["drug_ids"].split(";")]
    general = [row for row in rows if not row["drug_ids"]]
    meanings = tuple((row["kind"], float(row["factor"])) for row in (*own, *general))
    return Unit(word, meanings or (("other", 1.0),), per_kg, days) if rows else None


def milligrams(written: str) -> float | None:
    """Milligrams in one of a unit; None when it is none of mass."""
    unit = read_unit(written, "")
    return None if unit is None else unit.factor("mass")


def _singulars(word: str) -> tuple[str, ...]:
    return word, word.removesuffix("s"), word.removesuffix("es"), f"{word.removesuffix('ies')}y"


def read_dose(
    item: Mapping[str, Any], drug_id: str, where: str, knowledge: KnowledgeBase, weight: float | None = None
) -> tuple[float | None, str]:
    """The daily dose of an entry in the drug's own unit, else None and why it is unknown.

    Args:
        item: "dose" (a number above 0), "unit" (the drug's own when absent) and "strength" (of one tablet, puff, mL).
        weight: kg, for doses per kg.

    Raises:
        PolyGuardError: no number above 0, a word that is no unit, or more than `SANITY_TIMES` the highest dose known.
    """
    number = in_range(f"{where}.dose", item["dose"], 1e-9, 1e9, "a day")
    profile, told = knowledge.drugs[drug_id].profile, item.get("unit")
    strength = _strength(item.get("strength"), drug_id, f"{where}.strength")
    if told is None:
        return (number if profile is None else _sane(number, number, "", profile, drug_id, where)), ""
    unit = read_unit(text(f"{where}.unit", told, 60), drug_id)
    if unit is None:
        own = f"the daily dose of {drug_id} in {profile.dose_unit}" if profile else "the daily dose"
        raise PolyGuardError(f"{where}.unit", told, f"give {own}, or use {EXAMPLES}")
    if profile is None:
        return number, ""
    return _converted(number, unit, strength, profile, drug_id, where, weight, str(told))


def _converted(
    number: float, unit: Unit, strength: Strength | None, profile: DrugProfile, drug_id: str, where: str,
    weight: float | None, told: str,
) -> tuple[float | None, str]:  # fmt: skip
    own = read_unit(profile.dose_unit, "")
    if own is None:
        raise PolyGuardError(f"dose unit of {drug_id}", profile.dose_unit, "add the unit to dose_units.csv")
    (kind, base), *_ = own.meanings
    unknown = f"dose of {drug_id} ({figures(number)} {told[:40]}) not known in {profile.dose_unit}"
    if unit.per_kg and weight is None:
        return None, f"{unknown}: per kg, and no weight is given"
    a_day = number * (weight or 1.0 if unit.per_kg else 1.0) / unit.days
    factor = unit.factor(kind)
    if factor is None and strength is not None and unit.word not in ("%", "percent"):
        held, pieces = strength.unit.factor(kind), unit.factor(strength.per)
        if held is not None and pieces is not None:
            factor = pieces * strength.amount * held / strength.unit.days
    if factor is None:
        return None, f"{unknown}: give it in {profile.dose_unit} a day, or the strength of one {unit.word} as well"
    return _sane(a_day * factor / base, number, told, profile, drug_id, where), ""


def _strength(given: Any, drug_id: str, field: str) -> Strength | None:
    if given is None:
        return None
    parts = STRENGTH.match(text(field, given, 60).strip())
    fix = 'write what one holds: "25 mcg", "90 mcg/puff", "10 mg/5 mL", "100 units/mL", "12 mcg/h" or "0.5 %"'
    if parts is None:
        raise PolyGuardError(field, given, fix)
    amount, word, of = float(parts["amount"].replace(",", ".")), parts["unit"].strip(), (parts["of"] or "").strip()
    per, rate, kind = float((parts["per"] or "1").replace(",", ".")), of.lower() in DAYS, "count"
    if word in ("%", "percent") and not of:
        # Mass per volume: 1 % is 10 mg/mL.
        word, amount, of = "mg", amount * 10, "ml"
    if of and not rate:
        holder = read_unit(of, drug_id)
        kind = "" if holder is None else next((k for k in ("volume", "count") if holder.factor(k) is not None), "")
        per *= (holder.factor(kind) or 0.0) if holder is not None and kind else 0.0
    unit = read_unit(f"{word}/{parts['per'] or ''}{of}" if rate else word, drug_id)
    if unit is None or not amount > 0 or not per > 0:
        raise PolyGuardError(field, given, fix)
    return Strength(unit, amount if rate else amount / per, kind)


def _sane(a_day: float, number: float, told: str, profile: DrugProfile, drug_id: str, where: str) -> float:
    most = SANITY_TIMES * profile.dose_max
    if a_day <= most or most <= 0:
        return a_day
    own = profile.dose_unit
    others = [word for word in ("mcg", "mg") if word != own] if own in ("mg", "g") and not told else []
    fits = [word for word in others if number * (milligrams(word) or 0.0) / (milligrams(own) or 1.0) <= most]
    hint = f'; if it is in {fits[-1]}, write "unit": "{fits[-1]}"' if fits else ""
    fix = (
        f"check number and unit{hint}. {drug_id} is read in {own} a day, and more than {figures(most)} {own} is "
        f"refused as a slip: a limit of input ({SANITY_TIMES} times the highest daily dose known), not a "
        "recommended dose"
    )
    raise PolyGuardError(f"{where}.dose", number, fix)


@dataclass(frozen=True, slots=True)
class Told:
    """A daily dose in the drug's own unit, or None and why it is unknown ("" where none was given)."""

    dose: float | None = None
    note: str = ""


def doses_of(
    item: Mapping[str, Any], drugs: Sequence[str], where: str, knowledge: KnowledgeBase, weight: float | None = None
) -> dict[str, Told]:
    """Daily dose of each ingredient of an entry.

    Raises:
        PolyGuardError: one dose for several ingredients, `parts` that are no ingredients, or a bad dose.
    """
    dose, parts = item.get("dose"), item.get("parts", {})
    if not isinstance(parts, dict):
        raise PolyGuardError(f"{where}.parts", parts, "write an object of ingredients and their daily doses")
    example = ", ".join(f'"{drug}": ...' for drug in drugs)
    if dose is not None and (len(drugs) > 1 or parts):
        fix = f'give the daily dose of each ingredient instead: "parts": {{{example}}}'
        unit = read_unit(item["unit"], "") if isinstance(item.get("unit"), str) else None
        if parts or unit is None or (unit.factor("count") is None and unit.factor("volume") is None):
            raise PolyGuardError(f"{where}.dose", dose, fix)
        number = in_range(f"{where}.dose", dose, 1e-9, 1e9, "a day")
        return {
            drug: Told(None, f"dose of {drug} ({figures(number)} {item['unit'][:40]}) not known: {fix}")
            for drug in drugs
        }
    if dose is not None:
        return {drugs[0]: Told(*read_dose(item, drugs[0], where, knowledge, weight))}
    doses = dict.fromkeys(drugs, Told())
    for name, given in parts.items():
        place = f"{where}.parts.{text(f'{where}.parts', name)}"
        found = knowledge.resolve_all(name)
        if len(found) != 1 or found[0] not in doses:
            raise PolyGuardError(place, given, f"name an ingredient of this entry: {', '.join(drugs)}")
        told = given if isinstance(given, dict) else {"dose": given}
        if "dose" not in told or not set(told) <= {"dose", "unit", "strength"}:
            raise PolyGuardError(place, given, 'write the daily dose, or {"dose": a day, "unit": unit}')
        doses[found[0]] = Told(*read_dose(told, found[0], place, knowledge, weight))
    return doses


def daily_dose(dose: Any, unit: Any, drug_id: str, where: str, knowledge: KnowledgeBase) -> float:
    """A daily dose in the drug's own unit.

    Raises:
        PolyGuardError: as `read_dose`, or the unit cannot be converted.
    """
    found, note = read_dose({"dose": dose, "unit": unit}, drug_id, where, knowledge)
    if found is None:
        raise PolyGuardError(f"{where}.unit", unit, note)
    return found
