"""Entries of a medication list with their directions, as regimen items: "furosemide 40 mg 1 tab BID" is 80 mg a day.

The words are read by `directions.py`, units by `doses.py`. Without a doubt or not at all: where the daily dose cannot
be told, it is unknown and the item's note says why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from math import log

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.checks import figures
from polyguard_env.patients.direction_words import NUM, number, plain
from polyguard_env.patients.directions import Directions, directions
from polyguard_env.patients.doses import Told, milligrams, read_dose
from polyguard_env.patients.entries import entry_items, forms_of, route_of
from polyguard_env.patients.intakes import Intake
from polyguard_env.patients.model import RegimenItem
from polyguard_env.patients.named import combination_meant, named_drugs, product_strengths

# Another order of a product's strengths must be this many times less likely to be passed over.
ORDER_FACTOR = 4.0
LINES = re.compile(r"[\n\r;]+")
COMMAS = re.compile(r",(?!\d)|(?<!\d),")
# The brand, not the words "one a day".
ONE_A_DAY = re.compile(r"(?:One|1)[ -]A[ -]Day\b")
TABLETS = frozenset({"", "tablet", "pill", "capsule"})
BARE_STRENGTHS = re.compile(rf"(?<![\w./-]){NUM}(?:\s*[/-]\s*{NUM})+(?![\w/-])")
ONE_AMOUNT = re.compile(rf"{NUM}\s*(?:mg|mcg|ug|g|units?|mmol|meq)\b", re.IGNORECASE)
OF_PRODUCT = frozenset({"topical", "vaginal", "otic", "ophthalmic"})
TINY = 1e-9


def entries_of(text: str) -> list[str]:
    """The entries of a list in one text: separated by line ends, semicolons or commas.

    A comma inside a number ("1,000 mg") separates nothing, and neither does one before words that are directions alone
    ("20 units, at bedtime"). After a line end or a semicolon such words are an entry, which names no drug.
    """
    found: list[str] = []
    for line in LINES.split(text):
        first = True
        for piece in COMMAS.split(line):
            entry = piece.strip()
            if entry and not first and not (directions(entry).names or ONE_A_DAY.match(entry)):
                found[-1] = f"{found[-1]}, {entry}"
            elif entry:
                found.append(entry)
                first = False
    return found


def directed_items(
    entry: str, place: int, knowledge: KnowledgeBase, field: str, weight: float | None = None, indication: str = "",
    days: int = 365, drugs: Sequence[str] = (), told: str = "",
    product: bool | None = None,
) -> list[RegimenItem]:  # fmt: skip
    """The items of one entry, with the daily doses its directions give.

    Args:
        entry: name and perhaps directions. told: directions apart from the name.
        place: place of the entry in its list, from 0. field: what an error calls it.
        weight: kg, for doses per kg.
        drugs: drugs of the entry where they are known already. product: whether they are sold as one product.

    Raises:
        PolyGuardError: an unknown name, or a dose or frequency that is impossible.
    """
    drugs = tuple(drugs) or named_drugs(entry, knowledge, field)
    line = f"{entry} {told}".strip()
    by_name = _by_name(line, drugs, knowledge) if len(drugs) > 1 else {}
    read = directions(ONE_AMOUNT.sub(" ", line) if by_name else line, len(drugs))
    product_name, strengths = product_strengths(line, drugs)
    if strengths and not read.strengths and not by_name:
        # "PM" of a name is no time of day, and "#3" no number of pieces.
        read = directions(f"{product_name.split()[0]} {plain(line)[len(product_name) :]}", len(drugs))
        told_amount = any(intake.numbers for intake in read.intakes)
        in_tablets = read.intakes and not told_amount and read.form in TABLETS
        by_name = {drug: (mg, "mg") for drug, mg in strengths.items()} if in_tablets else {}
    if read.impossible:
        raise PolyGuardError(f"{field}.directions", line, f"{read.unclear}: check how often it is taken")
    one = knowledge.names.is_product(drugs) if product is None else product
    doses = {
        drug: Told(*_dose(line, read, drug, drugs, by_name, one or len(drugs) == 1, knowledge, field, weight))
        for drug in drugs
    }
    items = entry_items(entry, {drug: dose.dose for drug, dose in doses.items()}, place, one, indication, days)
    other = combination_meant(read.strengths, drugs[0], knowledge) if len(drugs) == 1 else ""
    said = [f"{line[:80]}: {note}" for note in (*([other] if other else []), *read.notes)]
    found = []
    for at, item in enumerate(items):
        told_of_dose = [doses[item.drug_id].note] if doses[item.drug_id].note else []
        note = "; ".join(dict.fromkeys([*told_of_dose, *(said if at == 0 else [])]))
        found.append(replace(item, note=note, interval=_interval(read)))
    return found


def _interval(read: Directions) -> float:
    """Days between two doses; 0 when it is not told."""
    times = [intake.per_day for intake in read.intakes if intake.per_day]
    return round(1.0 / sum(times), 4) if times and not read.unclear else 0.0


def _dose(
    line: str, read: Directions, drug: str, drugs: Sequence[str], by_name: Mapping[str, tuple[float, str]],
    one: bool, knowledge: KnowledgeBase, field: str, weight: float | None,
) -> tuple[float | None, str]:  # fmt: skip
    """Daily dose in the drug's unit, or None and why; a known dose may have a note as well."""
    short = f"{line[:80]}: daily dose of {drug.replace('_', ' ')} not known"
    if read.unclear:
        return None, f"{short}: {read.unclear}"
    if read.intakes and not one:
        return None, f"{short}: the entry names several drugs that are no one product; write each by itself"
    if not read.intakes:
        return None, f"{short}: how often it is taken is not said" if by_name else ""
    untimed = [intake for intake in read.intakes if intake.per_day is None]
    if untimed and read.most is None:
        strength = ONE_AMOUNT.search(line)
        what = f"{strength[0]} is a strength" if strength else "a number of pieces is told"
        when = "as needed, and how often is not said" if read.as_needed else "how often it is taken is not said"
        return (None, f"{short}: {what}; {when}") if strength or read.as_needed or untimed[0].pieces else (None, "")
    profile = knowledge.drugs[drug].profile
    if profile is None:
        return None, f"{short}: it has no profile whose unit a dose could be given in"
    if away := _other_route(line, read, profile.routes):
        return (
            None,
            f"{short}: given {away}, it has no comparable dose ({', '.join(profile.routes)} ones are known)",
        )
    total, notes = 0.0, []
    for intake in read.intakes:
        dose, note = _of_intake(intake, line, drug, drugs, by_name, knowledge, field, weight)
        if dose is None:
            return None, f"{short}: {note}"
        total += dose if intake.per_day is not None else 0.0
    if read.most is not None:
        most, note = _most(read, line, drug, drugs, by_name, knowledge, field, weight)
        if most is None:
            return None, f"{short}: {note}"
        if untimed or most < total:
            total = most
            notes.append(f"{line[:80]}: counts at the most told for a day, {figures(most)} {profile.dose_unit}")
    if read.as_needed:
        notes.append(f"{line[:80]}: as needed, counts at its most, {figures(total)} {profile.dose_unit} a day")
    return total, "; ".join(notes)


def _of_intake(
    intake: Intake, line: str, drug: str, drugs: Sequence[str], by_name: Mapping[str, tuple[float, str]],
    knowledge: KnowledgeBase, field: str, weight: float | None,
) -> tuple[float | None, str]:  # fmt: skip
    """Daily dose of one intake in the drug's unit, or None and why."""
    pieces = 1.0 if intake.pieces is None else intake.pieces
    per_day = 1.0 if intake.per_day is None else intake.per_day
    amount, unit = None, intake.unit
    if drug in by_name:
        amount, unit = by_name[drug]
    elif len(drugs) > 1:
        own = {each: _bare_unit(each, knowledge) for each in drugs}
        numbers, units = intake.numbers, dict.fromkeys(drugs, unit)
        if len(numbers) < 2:
            numbers, units, unit = _bare(line, len(drugs)), own, own[drug]
        if not numbers:
            return None, "the strength of each ingredient is not told"
        shares, note = _shares(numbers, units, drugs, knowledge)
        if shares is None:
            return None, note
        amount = shares[drugs.index(drug)]
    elif intake.numbers:
        amount = intake.numbers[0]
    item: dict[str, object] = {"dose": pieces * per_day, "unit": intake.form or "piece"}
    if amount is not None:
        item = {"dose": amount * pieces * per_day, "unit": unit}
    elif intake.pieces is None:
        return None, "how much of it is taken is not told"
    elif not intake.form:
        return None, "the strength of one piece is not told"
    if intake.strength:
        item["strength"] = intake.strength
    if not float(str(item["dose"])) > TINY:
        raise PolyGuardError(f"{field}.dose", line, "a dose of 0 is none; remove the entry or write what is taken")
    dose, note = read_dose(item, drug, field, knowledge, weight)
    if dose is None and intake.form and amount is None and not intake.strength:
        note = f"the strength of one {intake.form} is not told"
    return dose, note


def _most(
    read: Directions, line: str, drug: str, drugs: Sequence[str], by_name: Mapping[str, tuple[float, str]],
    knowledge: KnowledgeBase, field: str, weight: float | None,
) -> tuple[float | None, str]:  # fmt: skip
    """The most of a day in the drug's unit: told as amount, as pieces or as number of intakes."""
    assert read.most is not None
    first, most = read.intakes[0], read.most
    if most.unit == "times":
        limit = replace(first, per_day=most.number)
    elif ONE_AMOUNT.match(f"1 {most.unit}"):
        limit = Intake((most.number,), most.unit, per_day=1.0)
        if len(drugs) > 1:
            return None, f"{figures(most.number)} {most.unit} a day is not told for each ingredient"
    elif first.numbers and first.pieces is None and not by_name:
        limit = replace(first, pieces=most.number, per_day=1.0)
    else:
        limit = replace(first, pieces=most.number, form=first.form or most.unit, per_day=1.0)
    return _of_intake(limit, line, drug, drugs, by_name, knowledge, field, weight)


def _other_route(line: str, read: Directions, routes: Sequence[str]) -> str:
    """The route of an entry where the doses of the profile are not of that route; "" otherwise."""
    if not routes:
        return ""
    route = route_of(RegimenItem("", entered=line), routes)
    if route in OF_PRODUCT and (route in forms_of(line) or routes[0] != route):
        # Grams of a gel are no grams of the drug in it.
        return route
    if route == "systemic" and (read.form == "patch" or read.route == "transdermal" or "patch" in forms_of(line)):
        route = "transdermal"
    if route == "systemic" and read.route in ("sublingual", "iv", "rectal"):
        return "" if read.route in routes else read.route
    if route == "nebulised" and "inhaled" in routes:
        return "nebulised"
    return "" if route == "systemic" or route in routes else route


def _bare_unit(drug: str, knowledge: KnowledgeBase) -> str:
    """The unit of a strength without one: mcg for a drug dosed in it (inhalers: "250/50"), else mg."""
    profile = knowledge.drugs[drug].profile
    return "mcg" if profile is not None and profile.dose_unit == "mcg" else "mg"


def _bare(line: str, ingredients: int) -> tuple[float, ...]:
    """Strengths of a product without unit ("Norco 5/325", "Advair 250/50"), in the order written."""
    for match in BARE_STRENGTHS.finditer(line):
        numbers = tuple(number(part) for part in re.findall(NUM, match[0]))
        if len(numbers) == ingredients:
            return numbers
    return ()


def _by_name(line: str, drugs: Sequence[str], knowledge: KnowledgeBase) -> dict[str, tuple[float, str]]:
    """Strengths told after each ingredient ("acetaminophen 325 mg / hydrocodone 5 mg"); empty unless all are."""
    found: dict[str, tuple[float, str]] = {}
    place = 0
    for match in ONE_AMOUNT.finditer(line):
        named = knowledge.resolve_all(line[place : match.start()].strip(" /+,-"))
        place = match.end()
        if len(named) == 1 and named[0] in drugs:
            value, unit = re.match(rf"({NUM})\s*(\w+)", match[0]).groups()  # type: ignore[union-attr]
            found[named[0]] = (number(value), unit.lower())
    return found if set(found) == set(drugs) else {}


def _shares(
    numbers: Sequence[float], units: Mapping[str, str], drugs: Sequence[str], knowledge: KnowledgeBase
) -> tuple[tuple[float, ...] | None, str]:
    """Strengths in the order of the ingredients, or None when another order is about as likely."""
    usual: dict[str, float] = {}
    for drug in drugs:
        profile = knowledge.drugs[drug].profile
        if profile is not None and profile.dose_usual > 0:
            scale = (milligrams(profile.dose_unit) or 1.0) / (milligrams(units[drug]) or 1.0)
            usual[drug] = profile.dose_usual / (profile.doses_per_day or 1.0) * scale

    def unlikely(order: Sequence[float]) -> float:
        told_of = zip(drugs, order, strict=True)
        return sum(abs(log(value / usual[drug])) for drug, value in told_of if drug in usual)

    told = tuple(numbers)
    if any(value <= 0 for value in told):
        return None, "a strength of 0 is none"
    best = min(permutations(told), key=unlikely)
    if best != told and unlikely(told) > unlikely(best) + log(ORDER_FACTOR):
        return None, f"which of {'/'.join(figures(value) for value in told)} is which ingredient is not clear"
    return told, ""
