"""Dose directions of a medication list ("40 mg 1 tab BID", "1-2 tabs q4-6h prn"): what is taken a day.

A line is read without knowledge of its drug. What can be read in two ways, changes over time or is told elsewhere
leaves the daily dose unknown, with the reason; a range counts at its most. `directed.py` turns the result into doses of
drugs. The words are in `direction_words.csv`, abbreviations that are often misread in `error_prone.csv`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.direction_words import NUM, NUMBER_WORDS, Token, number, plain, tokens

# More intakes a day than this are a slip: one every half hour, day and night.
MOST_INTAKES = 48.0
TIMING = ("frequency", "moment", "meals", "weekdays", "scheme")
STARTS = (*TIMING, "amount", "count", "most", "as_needed", "divided", "unclear")
TOLD_ELSEWHERE = "how to take it is told elsewhere"
# Pieces whose content is the amount told with their volume: "2.5 mg/3 mL, 1 vial".
HOLDERS = ("vial", "pen", "injection", "sachet", "dose")
DAY = re.compile(r"(?:24 ?h(?:ours?|r)?|days?|d)$")
RATE = re.compile(rf"(?:{NUM}\s*)?(?:hours?|hrs?|h)$")
SUM_TOLERANCE = 1.001
SAID_TWICE = re.compile(rf"\b(?P<one>{'|'.join(NUMBER_WORDS)}|\d+)\s*\(\s*(?P<other>{'|'.join(NUMBER_WORDS)}|\d+)\s*\)")


@dataclass(frozen=True, slots=True)
class Intake:
    """One dose and how often it is taken.

    Attributes:
        numbers: amount of one intake, or of one piece of it where `pieces` is given; several for a combination product;
            empty when the line has none.
        unit: unit of the amount ("mg", "mcg/h", "units/kg"); "" without an amount.
        strength: what one piece or mL holds, as written ("250 mg/5 ml"); "".
        pieces: number of pieces of an intake; None where none is told. form: their name ("tablet"); "".
        per_day: intakes a day at most (1/7 for once a week); None when it is not told.
    """

    numbers: tuple[float, ...] = ()
    unit: str = ""
    strength: str = ""
    pieces: float | None = None
    form: str = ""
    per_day: float | None = None


@dataclass(frozen=True, slots=True)
class Most:
    """The most that may be taken in a day: `number` of `unit` ("mg", a form, or "" for pieces or intakes)."""

    number: float
    unit: str


@dataclass(frozen=True, slots=True)
class Directions:
    """What a line says.

    Attributes:
        names: what may be the drug's name, the likeliest first.
        intakes: doses that add up to the day's; empty when the line has no directions.
        as_needed: taken only when needed. most: the limit told for a day, or None.
        route: "oral", "sc", ...; "" when not told. form: "tablet", "puff", ...; "".
        unclear: why the daily dose cannot be told; "".
        impossible: True when the line cannot be right.
        notes: what was read in a way worth saying.
    """

    names: tuple[str, ...]
    intakes: tuple[Intake, ...] = ()
    as_needed: bool = False
    most: Most | None = None
    route: str = ""
    form: str = ""
    unclear: str = ""
    impossible: bool = False
    notes: tuple[str, ...] = ()


@dataclass
class _Part:
    """Tokens of one intake."""

    amounts: list[Token] = field(default_factory=list)
    counts: list[Token] = field(default_factory=list)
    timing: list[Token] = field(default_factory=list)
    total: Token | None = None
    form_between: bool = False
    divided: int = -1

    @property
    def has_dose(self) -> bool:
        return bool(self.amounts or self.counts)


class _Unclear(ValueError):
    """The line can be read in two ways, or not at all."""


@lru_cache(maxsize=4096)
def directions(line: str, ingredients: int = 1) -> Directions:
    """The directions of a line.

    Args:
        line: an entry of a medication list, with the drug's name or without.
        ingredients: number of ingredients of the drug, to tell "5/325 mg" from a range.
    """
    text = plain(re.sub(r"\bON\b", "at night", line) if line.upper() != line else line)
    text = SAID_TWICE.sub(lambda m: m["one"] if number(m["one"]) == number(m["other"]) else m[0], text)
    notes: list[str] = []
    try:
        found = tokens(text)
    except ValueError as error:
        return Directions((text,), unclear=str(error), impossible="no interval" in str(error))
    found = [_eye(token, found) for token in found]
    start = next((at for at, token in enumerate(found) if token.kind in STARTS), len(found))
    names = _names(text, found, start)
    body = found[start:]
    notes += error_prone(line, text[found[start].start :] if body else "")
    told = Directions(
        names,
        as_needed=any(token.kind == "as_needed" for token in found),
        most=next((_most(token) for token in body if token.kind == "most"), None),
        route=next((token.value for token in found if token.kind == "route"), ""),
        form=next((token.value for token in found if token.kind in ("form", "count") and token.value), ""),
    )
    intakes: tuple[Intake, ...] = ()
    unclear, impossible = "", False
    try:
        intakes = _intakes(found, start, ingredients, told, notes)
        if any((intake.per_day or 0.0) > MOST_INTAKES for intake in intakes):
            unclear, impossible = f"more than {MOST_INTAKES:g} times a day", True
    except _Unclear as error:
        unclear = str(error)
    return Directions(
        names, intakes, told.as_needed, told.most, told.route, told.form, unclear, impossible, tuple(notes)
    )


def _names(text: str, found: Sequence[Token], start: int) -> tuple[str, ...]:
    """The text before the directions, and the words that are none of directions."""
    before = text[: found[start].start] if start < len(found) else text
    words = [token.text for token in found if token.kind == "word"]
    first = [token.text for token in found[:start] if token.kind == "word"]
    told = (before.strip(" ,;:-(["), " ".join(first), " ".join(words))
    return tuple(dict.fromkeys(name for name in told if re.search(r"[a-z]{2}", name)))


def _eye(token: Token, found: Sequence[Token]) -> Token:
    """The abbreviation od beside drops is the right eye."""
    drops = any(other.value in ("drop", "ophthalmic") for other in found)
    if token.text == "od" and drops:
        return Token("sites", token.text, token.start, token.end, "1")
    return token


def error_prone(line: str, body: str) -> list[str]:
    """Notes on abbreviations of the ISMP list."""
    found = []
    for row in read_fragments("error_prone"):
        written = row["written"]
        pattern = {
            "u": r"\d\s*u\b",
            "trailing zero": r"(?<![\d.])\d+\.0+(?!\d)",
            "naked decimal point": r"(?<![\d])\.\d",
        }.get(written, rf"(?<![a-z]){re.escape(written)}(?![a-z])")
        if re.search(pattern, line.lower() if written == "µg" else body):
            found.append(
                f"{written} is read as {row['means']}; it is often misread as {row['misread_as']}: write it out"
            )
    return found


def _most(token: Token) -> Most:
    word = token.value
    if word in ("times", "time", "doses", "dose", "x"):
        return Most(token.numbers[0], "times")
    return Most(token.numbers[0], "" if word in ("in", "per", "a", "each", "every", "") else word)


def _intakes(
    found: Sequence[Token], start: int, ingredients: int, told: Directions, notes: list[str]
) -> tuple[Intake, ...]:
    body = list(found[start:])
    reasons = [token.value for token in body if token.kind == "unclear"]
    hard = [reason for reason in reasons if reason != TOLD_ELSEWHERE]
    if hard:
        raise _Unclear(hard[0])
    if not body:
        return ()
    _bare_numbers(found, start, body)
    parts, strength = _parts(body)
    sites = [float(token.value) for token in body if token.kind == "sites"]
    if len(set(sites)) > 1:
        raise _Unclear("the sites contradict each other")
    intakes: list[Intake] = []
    for part in parts:
        held = intakes[0] if intakes else None
        intakes.append(_intake(part, strength, ingredients, told, held, sites[0] if sites else 1.0, notes))
    untimed = [intake for intake in intakes if intake.per_day is None]
    if reasons and (untimed or not any(part.has_dose for part in parts)):
        raise _Unclear(TOLD_ELSEWHERE)
    if untimed and len(intakes) > 1:
        raise _Unclear("how often is told for a part of it only")
    rest = [token.text for token in body if token.kind == "word"]
    digits = [word for word in rest if re.search(r"\d", word)]
    if digits:
        raise _Unclear(f"{digits[0][:20]} is not understood")
    if rest and told.names and start:
        notes.append(f"not read: {' '.join(rest)[:60]}")
    return tuple(intakes)


def _bare_numbers(found: Sequence[Token], start: int, body: list[Token]) -> None:
    """Make a number before a frequency one of pieces, where a strength or a verb stands before it.

    Raises:
        _Unclear: a number that may be a dose or a number of pieces.
    """
    has_amount = any(token.kind in ("amount", "count") for token in body)
    for at, token in enumerate(body):
        if token.kind != "number":
            continue
        before = body[at - 1].kind if at else ""
        after = next((t.kind for t in body[at + 1 :] if t.kind not in ("filler", "route")), "")
        if before in ("amount", "form", "filler", "route") and after in (*TIMING, "as_needed", "form", "amount"):
            body[at] = _as_count(token)
        else:
            raise _Unclear(f"{token.text} is not understood")
    if has_amount or not start or body[0].kind not in (*TIMING, "as_needed", "count"):
        return
    last = found[start - 1]
    if last.kind == "number":
        before = found[start - 2] if start > 1 else last
        strengths = before.kind == "word" and re.fullmatch(r"[\d.,]+(?:[/-][\d.,]+)+", before.text) is not None
        verb = (before.kind in ("filler", "form") or strengths) and body[0].kind != "count"
        if not verb:
            raise _Unclear(f"{last.text} has no unit")
        body.insert(0, _as_count(last))


def _as_count(token: Token) -> Token:
    numbers = (token.numbers[0], token.numbers[-1])
    return Token("count", token.text, token.start, token.end, "", numbers)


def _parts(body: Sequence[Token]) -> tuple[list[_Part], Token | None]:
    """Tokens by intake, and the strength of one piece or mL."""
    parts, strength = [_Part()], None
    for at, token in enumerate(body):
        after = body[at + 1] if at + 1 < len(body) else None
        part = parts[-1]
        if token.kind == "amount" and (
            token.units[-1] == "%"
            or token.per
            and not DAY.match(token.per)
            and not RATE.match(token.per)
            and (token.per.partition("/")[0] != "kg")
        ):
            if strength is not None and strength.text != token.text:
                raise _Unclear("two strengths are told")
            strength = token
            continue
        if token.kind in ("amount", "count"):
            if part.has_dose and part.timing:
                part = _Part()
                parts.append(part)
            if token.kind == "amount" and after is not None and after.kind == "total":
                part.total = token
            (part.amounts if token.kind == "amount" else part.counts).append(token)
        elif token.kind in TIMING:
            part.timing.append(token)
        elif token.kind == "form" and len(part.amounts) == 1:
            part.form_between = True
        elif token.kind == "divided":
            part.divided = len(part.timing)
    # What follows without a time of its own says once more what was said.
    while len(parts) > 1 and not parts[-1].timing:
        last = parts.pop()
        parts[-1].amounts += last.amounts
        parts[-1].counts += last.counts
        parts[-1].total = parts[-1].total or last.total
    return parts, strength


def _intake(
    part: _Part, strength: Token | None, ingredients: int, told: Directions, first: Intake | None, sites: float,
    notes: list[str],
) -> Intake:  # fmt: skip
    per_day = _per_day(part, notes)
    schemes = [token for token in part.timing if token.kind == "scheme"]
    if told.as_needed and per_day is None and told.most is not None and told.most.unit == "times":
        per_day = told.most.number
    counts = [token for token in part.counts if token.numbers]
    if schemes:
        if counts:
            raise _Unclear("the number of pieces is told twice")
        pieces: float | None = sum(schemes[0].numbers)
        form = told.form
    else:
        if len({token.numbers for token in counts}) > 1:
            raise _Unclear("two numbers of pieces are told")
        pieces = max(counts[0].numbers) if counts else None
        form = next((token.value for token in counts if token.value), "")
        if counts and counts[0].numbers[0] != counts[0].numbers[1]:
            notes.append(f"{counts[0].text.strip()} counts at its most, {pieces:g}")
    form = form or (told.form if pieces is not None else "")
    if pieces is not None:
        pieces *= sites
    amounts = list({(t.numbers, t.units, t.per): t for t in part.amounts}.values())
    if ingredients > 1 and len(amounts) > 1:
        raise _Unclear("the dose of each ingredient is not told in one place")
    if not amounts:
        return _of_pieces(pieces, form, strength, first, ingredients, per_day)
    amount, pieces = _one_amount(amounts, pieces, part)
    numbers = _numbers(amount, ingredients, notes)
    unit = amount.units[-1] + (f"/{amount.per}" if amount.per and not DAY.match(amount.per) else "")
    if DAY.match(amount.per):
        per_day = 1.0
        unit = amount.units[-1]
    if RATE.match(amount.per):
        # What a patch releases does not depend on when it is changed.
        return Intake(numbers, unit, "", pieces, form, 1.0)
    volume = unit in ("ml", "cc") and strength is not None
    held = f"{strength.text}" if volume and strength is not None else ""
    return Intake(numbers, unit, held, pieces, form, per_day)


def _of_pieces(
    pieces: float | None, form: str, strength: Token | None, first: Intake | None, ingredients: int,
    per_day: float | None,
) -> Intake:  # fmt: skip
    """An intake told in pieces, of the strength told before it."""
    if strength is not None and pieces is not None:
        of = strength.per.split("/")[0]
        piece = re.sub(rf"^{NUM}\s*", "", of)
        if strength.units[-1] != "%" and (piece not in ("ml", "l") or form in HOLDERS):
            numbers = _numbers(strength, ingredients, [])
            return Intake(numbers, strength.units[-1], "", pieces, form, per_day)
    if strength is not None and pieces is None and per_day is not None:
        raise _Unclear(f"{strength.text} is a strength; how much of it is taken is not told")
    if first is not None and first.numbers and first.pieces is not None:
        return Intake(first.numbers, first.unit, first.strength, pieces, form, per_day)
    if first is not None and first.numbers:
        raise _Unclear("amounts and pieces are mixed")
    return Intake((), "", strength.text if strength else "", pieces, form, per_day)


def _one_amount(amounts: list[Token], pieces: float | None, part: _Part) -> tuple[Token, float | None]:
    """The amount of an intake (no pieces) or of one of its pieces."""
    if part.total is not None:
        others = [token for token in amounts if token.text != part.total.text]
        if others and pieces is not None and not any(_holds(one, pieces, part.total) for one in others):
            raise _Unclear(f"{part.total.text} in total is not {pieces:g} x {others[0].text}")
        return part.total, None
    if len(amounts) == 1:
        return amounts[0], pieces
    if len(amounts) == 2:
        a, b = amounts
        if pieces is not None:
            for whole, one in ((a, b), (b, a)):
                if _holds(one, pieces, whole):
                    return whole, None
        elif part.form_between or part.divided >= 0:
            return b, None
    raise _Unclear(f"{' and '.join(token.text for token in amounts[:3])} are told for one intake")


def _holds(one: Token, pieces: float, whole: Token) -> bool:
    same = one.units[-1] == whole.units[-1] and len(one.numbers) == len(whole.numbers) == 1
    return same and abs(one.numbers[0] * pieces - whole.numbers[0]) < 0.001 * whole.numbers[0]


def _numbers(amount: Token, ingredients: int, notes: list[str]) -> tuple[float, ...]:
    """Amounts of an intake: one for each ingredient, or the most of a range."""
    if ingredients > 1:
        if len(amount.numbers) not in (1, ingredients) or len(set(amount.units)) > 1:
            raise _Unclear(f"{amount.text} does not fit {ingredients} ingredients")
        return amount.numbers
    if len(amount.numbers) == 1:
        return amount.numbers
    if amount.joined == "/" or len(amount.numbers) > 2 or len(set(amount.units)) > 1:
        raise _Unclear(f"{amount.text} is not one amount")
    low, high = amount.numbers
    if low >= high:
        raise _Unclear(f"{amount.text} is no range")
    notes.append(f"{amount.text} counts at its most, {high:g} {amount.units[-1]}")
    return (high,)


def _per_day(part: _Part, notes: list[str]) -> float | None:
    """Intakes a day at most.

    Raises:
        _Unclear: the times contradict each other.
    """
    often = {round(float(_ratio(token.value)), 6): token for token in part.timing if token.kind == "frequency"}
    meals = max((float(token.value) for token in part.timing if token.kind == "meals"), default=0.0)
    moments = {token.value for token in part.timing if token.kind == "moment"}
    days = max((float(token.value) for token in part.timing if token.kind == "weekdays"), default=0.0)
    if len(often) > 1:
        raise _Unclear(f"{' and '.join(token.text for token in often.values())} contradict each other")
    if any(token.kind == "scheme" for token in part.timing):
        return 1.0
    if not often:
        if meals:
            per_day = meals + (1.0 if meals == 3.0 and "night" in moments else 0.0)
            notes.append(f"with meals is read as {per_day:g} times a day")
        elif moments or days:
            per_day = float(len(moments) or 1)
        else:
            return None
        return per_day * days / 7.0 if days else per_day
    (per_day, token), *_ = often.items()
    per_day = float(_ratio(token.value))
    if token.joined:
        notes.append(f"{token.text.strip()} counts at its most, {per_day:.3g} times a day")
    if part.divided >= 0:
        if per_day > 1.0 and part.divided > 0 and part.timing[0] is token:
            raise _Unclear("it is not told whether the amount is divided or taken each time")
        return 1.0
    told = max(float(len(moments)), meals + (1.0 if meals == 3.0 and "night" in moments else 0.0))
    if per_day >= 1.0 and told > per_day and (len(moments) > per_day or meals):
        if not meals or per_day > 1.0:
            notes.append(f"{token.text.strip()} and the times told differ; counted at their most, {told:g} times a day")
            per_day = told
    if days and per_day < 1.0 and days > 1 and abs(per_day - days / 7.0) > 0.01:
        raise _Unclear(f"{token.text.strip()} and the weekdays contradict each other")
    return per_day * days / 7.0 if days and per_day >= 1.0 else per_day


def _ratio(text: str) -> float:
    top, _, bottom = text.partition("/")
    return float(top) / float(bottom or 1)
