"""Dose directions of a medication list ("40 mg 1 tab BID", "1-2 tabs q4-6h prn"): what is taken a day.

A line is read without knowledge of its drug. What can be read in two ways, changes over time or is told elsewhere
leaves the daily dose unknown, with the reason; a range counts at its most. `directed.py` turns the result into doses of
drugs. The words are in `direction_words.csv`, abbreviations that are often misread in `error_prone.csv`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import pairwise

from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.direction_words import NUM, NUMBER_WORDS, Token, number, plain, tokens
from polyguard_env.patients.intakes import MOST_INTAKES, TIMING, Intake, Unclear, intake_of, parts_of

STARTS = (*TIMING, "amount", "count", "most", "as_needed", "divided", "unclear")
TOLD_ELSEWHERE = "how to take it is told elsewhere"
# What tells how much is taken and when: never a part of the name.
OF_INTAKE = (*TIMING, "count", "most", "as_needed", "divided", "sites", "unclear")
# Names of one letter: "C 500 mg", "B12", "T3".
SHORT_NAME = re.compile(r"[a-z](?:[ -]?\d{1,3})?")
TWO_STRENGTHS = re.compile(rf"{NUM}(?:/{NUM})+")
SAID_TWICE = re.compile(rf"\b(?P<one>{'|'.join(NUMBER_WORDS)}|\d+)\s*\(\s*(?P<other>{'|'.join(NUMBER_WORDS)}|\d+)\s*\)")


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
        uncounted: the line without numbers of pieces and times, in lower case.
        strengths: several strengths told with the name ("100/25"), as written; "".
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
    uncounted: str = ""
    strengths: str = ""


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
        name = re.split(r"\s+(?=[\d.])", text)[0]
        return Directions((name,), unclear=str(error), impossible="no interval" in str(error), uncounted=name)
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
    except Unclear as error:
        unclear = str(error)
    return replace(
        told, intakes=intakes, unclear=unclear, impossible=impossible, notes=tuple(notes),
        uncounted=_uncounted(text, found), strengths=_strengths(found, start),
    )  # fmt: skip


def _names(text: str, found: Sequence[Token], start: int) -> tuple[str, ...]:
    """The text before the directions, and the words that are none of directions."""
    before = text[: found[start].start] if start < len(found) else text
    words = [token.text for token in found if token.kind == "word"]
    first = [token.text for token in found[:start] if token.kind == "word"]
    told = (before.strip(" ,;:-(["), " ".join(first), " ".join(words))
    short = bool(found) and found[0].kind == "word"
    return tuple(dict.fromkeys(
        name for name in told if re.search(r"[a-z]{2}", name) or (short and SHORT_NAME.fullmatch(name))
    ))  # fmt: skip


def _uncounted(text: str, found: Sequence[Token]) -> str:
    """The line without numbers of pieces and times; what it begins with stays ("One A Day 1 tab")."""
    kept, place = [], 0
    for before, token in pairwise(found):
        number_of = token.kind in ("number", "duration") and before.kind != "word"
        timed = token.kind == "moment" and re.search(r"\d", token.text)
        if (token.kind in OF_INTAKE and token.kind != "moment") or number_of or timed:
            kept.append(text[place : token.start])
            place = token.end
    return " ".join(" ".join([*kept, text[place:]]).split())


def _strengths(found: Sequence[Token], start: int) -> str:
    """Several strengths that stand with the name."""
    for token in found[: start + 1]:
        several = token.kind == "amount" and token.joined == "/" and len(token.numbers) > 1
        if several or (token.kind == "word" and TWO_STRENGTHS.fullmatch(token.text)):
            return token.text
    return ""


def _eye(token: Token, found: Sequence[Token]) -> Token:
    """The abbreviation od beside drops is the right eye."""
    drops = any(other.value in ("drop", "ophthalmic") for other in found)
    if token.text == "od" and drops:
        return Token("sites", token.text, token.start, token.end, "1")
    return token


@cache
def _misread() -> tuple[tuple[re.Pattern[str], bool, str], ...]:
    """Abbreviations of the ISMP list (`error_prone.csv`): pattern, whether it is of the line as written, and note."""
    special = {
        "u": r"\d\s*u\b",
        "trailing zero": r"(?<![\d.])\d+\.0+(?!\d)",
        "naked decimal point": r"(?<![\d])\.\d",
    }
    return tuple(
        (
            re.compile(special.get(row["written"], rf"(?<![a-z]){re.escape(row['written'])}(?![a-z])")),
            row["written"] == "µg",
            f"{row['written']} is read as {row['means']} (elsewhere it is sometimes misread as {row['misread_as']}): "
            "write it out",
        )
        for row in read_fragments("error_prone")
    )


def error_prone(line: str, body: str) -> list[str]:
    """Notes on abbreviations of the ISMP list."""
    return [note for pattern, as_written, note in _misread() if pattern.search(line.lower() if as_written else body)]


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
        raise Unclear(hard[0])
    if not body:
        return ()
    _bare_numbers(found, start, body)
    parts, strength = parts_of(body)
    sites = [float(token.value) for token in body if token.kind == "sites"]
    if len(set(sites)) > 1:
        raise Unclear("the sites contradict each other")
    limited = told.as_needed and told.most is not None and told.most.unit == "times"
    times = told.most.number if limited and told.most is not None else None
    intakes: list[Intake] = []
    for part in parts:
        held = intakes[0] if intakes else None
        intakes.append(
            intake_of(part, strength, ingredients, times, told.form, held, sites[0] if sites else 1.0, notes)
        )
    untimed = [intake for intake in intakes if intake.per_day is None]
    if reasons and (untimed or not any(part.has_dose for part in parts)):
        raise Unclear(TOLD_ELSEWHERE)
    if untimed and len(intakes) > 1:
        raise Unclear("how often is told for a part of it only")
    rest = [token.text for token in body if token.kind == "word"]
    digits = [word for word in rest if re.search(r"\d", word)]
    if digits:
        raise Unclear(f"{digits[0][:20]} is not understood")
    if rest and told.names and start:
        notes.append(f"not read: {' '.join(rest)[:60]}")
    return tuple(intakes)


def _bare_numbers(found: Sequence[Token], start: int, body: list[Token]) -> None:
    """Make a number before a frequency one of pieces, where a strength or a verb stands before it.

    Raises:
        Unclear: a number that may be a dose or a number of pieces.
    """
    has_amount = any(token.kind in ("amount", "count") for token in body)
    for at, token in enumerate(body):
        if token.kind != "number":
            continue
        before = body[at - 1].kind if at else ""
        after = next((t.kind for t in body[at + 1 :] if t.kind not in ("filler", "route")), "")
        if before in ("amount", "form", "filler", "route", *TIMING) and after in (
            *TIMING,
            "as_needed",
            "form",
            "amount",
        ):
            body[at] = _as_count(token)
        else:
            raise Unclear(f"{token.text} is not understood")
    if has_amount or not start or body[0].kind not in (*TIMING, "as_needed", "count"):
        return
    last = found[start - 1]
    if last.kind == "number":
        earlier = found[start - 2] if start > 1 else last
        strengths = earlier.kind == "word" and re.fullmatch(r"[\d.,]+(?:[/-][\d.,]+)+", earlier.text) is not None
        verb = (earlier.kind in ("filler", "form") or strengths) and body[0].kind != "count"
        if not verb:
            raise Unclear(f"{last.text} has no unit")
        body.insert(0, _as_count(last))


def _as_count(token: Token) -> Token:
    numbers = (token.numbers[0], token.numbers[-1])
    return Token("count", token.text, token.start, token.end, "", numbers)
