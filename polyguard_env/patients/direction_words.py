"""Words of dose directions: a line is cut into tokens by `direction_words.csv` and a few patterns of numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from polyguard_env.knowledge.tabular import read_fragments

SIGNS = str.maketrans({
    "½": "1/2", "¼": "1/4", "¾": "3/4", "×": "x", "µ": "u", "μ": "u", "–": "-", "—": "-", "−": "-", "’": "'",
    "\u00a0": " ", "\t": " ",
})  # fmt: skip
NUMBER_WORDS = {"half": "0.5", "one-half": "0.5", "a half": "0.5", "one half": "0.5", "one quarter": "0.25",
                "a quarter": "0.25", "quarter": "0.25", "one and a half": "1.5", "one and one-half": "1.5",
                "two and a half": "2.5", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6",
                "seven": "7", "eight": "8", "nine": "9", "ten": "10", "twelve": "12"}  # fmt: skip
ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4"}
WEEKDAY = r"(?:mon|tues?|wed(?:nes)?|thur?s?|fri|sat(?:ur)?|sun)(?:days?)?"
NUM = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:[.,]\d+)?|\.\d+)"
WORDED = "|".join(sorted(NUMBER_WORDS, key=len, reverse=True))
# A number of pieces: 2, 1.5, 1/2, 1 1/2, 1 and 1/2, one, half.
PIECES = rf"(?:(?:\d+ ?(?:and |& |\+ )?)?[123]/[234](?![\d/])|{NUM}|\b(?:{WORDED})\b)"
UNIT = (
    r"(?:(?:mg|mcg|ug|ng|g|gm|milligram(?:me)?|microgram(?:me)?|nanogram(?:me)?|gram(?:me)?|units?|unt|iu|u|"
    r"international units?|million units?|mega units?|miu|mmol|millimole|meq|milliequivalent|ml|cc|millilit(?:er|re)|"
    r"lit(?:er|re)|l)s?(?![a-z0-9])|%)"
)
# What an amount is in or per: a time, a body weight, a volume or a piece.
PER = (
    rf"\s*(?:/|\bper\b)\s*(?P<per>(?:{NUM}\s*)?(?:kg|ml|millilit(?:er|re)s?|l|hours?|hrs?|h|24 ?h(?:ours?|r)?|days?|d|"
    r"weeks?|wk|actuat(?:ion)?s?|act|puffs?|inhalations?|inh|sprays?|drops?|doses?|tablets?|tabs?|capsules?|caps?|"
    r"patch|vial|pen|syringe|sachet)(?![a-z0-9])(?:/(?:d|day)\b)?)"
)
GROUP = rf"{NUM}(?:\s*(?:-|to|or|/)\s*{NUM})*\s*{UNIT}"
AMOUNT = re.compile(
    rf"(?P<values>{GROUP}(?:\s*(?:-|to|or|/|\+)\s*(?!{NUM}\s*(?:ml|l|cc)s?\b){GROUP})*)(?:{PER})?", re.IGNORECASE
)
EACH = re.compile(rf"(?P<number>{NUM})\s*(?P<unit>{UNIT})?")
COUNT = re.compile(
    rf"(?P<low>{PIECES}|\b(?:iv|i{{1,3}})\b|\ban?\b)(?:\s*(?:-|to|or)\s*(?P<high>{PIECES}))?(?:\s+an?\b)?\s*(?P<of>x|of)?\s*"
)
TIMES_DOSE = re.compile(rf"(?P<low>{PIECES})\s*x\s*(?=[\d.])")
DOSE_TIMES = re.compile(
    rf"x\s*(?P<low>{PIECES})(?![\w/])(?!\s*(?:days?|d|weeks?|wks?|months?|hours?|h|daily|a day|per|/|times)\b)"
)
SPAN = r"(?P<unit>hourly|hours?|hrs?|h|°|days?|d|weeks?|wks?|w|months?|mo|mins?|minutes?|years?)"
RANGE = rf"(?P<first>{NUM}|\b(?:{WORDED})\b)(?:\s*(?:-|to|or|/)\s*(?P<last>{NUM}|\b(?:{WORDED})\b))?"
EVERY = re.compile(rf"(?:\bq|\bevery|\beach)\s*\.?\s*{RANGE}[\s-]*{SPAN}(?![a-z])")
HOURLY = re.compile(rf"{RANGE}[\s-]*(?P<unit>hourly)\b")
TIMES = re.compile(
    rf"(?:(?P<upto>up to|max(?:imum)?|at most|no more than)\s*)?(?:(?P<first>\d+|\b(?:{WORDED})\b)"
    rf"(?:\s*(?:-|to|or)\s*(?P<last>\d+|\b(?:{WORDED})\b))?\s*(?:x|times?)|"
    r"(?P<word>\b(?:once|twice|thrice)\b)(?:\s*(?:-|to|or)\s*(?P<words>(?:twice|thrice|three times)\b))?|"
    r"x\s*(?P<after>\d+))\s*"
    r"(?P<per>(?:/|a |per |each |every |in (?:a |any )?|in )\s*(?:(?P<number>\d+|two|three|four)\s*)?"
    r"(?P<unit>24 ?h(?:ours?|rs?)?|days?|d\b|weeks?|wk|months?|years?)|(?P<daily>daily|weekly|monthly|nightly))\b"
)
MOST = re.compile(
    r"(?:\b(?:up to )?(?:a )?max(?:imum)?(?: of| dose)?(?: is)?:?|not to exceed|not more than|no more than|"
    r"do not exceed|don't exceed|must not exceed|\bnte\b|up to|do not take more than|don't take more than)\s*"
    r"(?:a (?:total|maximum) of )?"
    rf"(?P<number>{NUM}|\b(?:{WORDED})\b)\s*(?P<word>{UNIT}|[a-z]+)?\s*(?:total )?"
    r"(?:per|a|in(?: any| a)?|/|each|every|within(?: any)?)?\s*"
    r"(?P<per>24 ?(?:h|hrs?|hours?)(?: period)?|day|d\b|daily)"
)
SCHEME = re.compile(r"(?<![\w.-])(?P<parts>(?:\d|1/2|0[.,]5|1[.,]5)(?:-(?:\d|1/2|0[.,]5|1[.,]5)){2,3})(?![\w-])")
DURATION = re.compile(
    r"(?:\bfor|\bx|\btimes)\s*(?:the next\s*)?(?:\d+(?:-\d+)?|one|two|three|four|five|six|seven|ten)\s*(?:more\s*)?"
    r"(?:days?|d|weeks?|wks?|months?|years?)\b|(?<![\d/])\d{1,2}/(?:7|52|12)(?![\d/]|\.\d)|#\s*\d+|\bstart(?:ed|ing)?\b[^,;]*$"
)
CONCENTRATION = re.compile(r"\bu-?(?:100|200|300|500)\b|\b(?:12|24|72)[\s-]*(?:hr|hour|h)\b(?!\s*(?:period|on|off))")
CLOCK = re.compile(
    r"(?:\bat\s*)?(?<![\d.])(?:1[0-2]|0?[1-9])(?::[0-5]\d)?\s*(?P<half>am|pm)\b|\bat\s*(?:[01]?\d|2[0-3]):[0-5]\d(?:\s*h)?\b"
)
WEEKDAYS = re.compile(rf"(?:\b(?:on|every|each)\s*)?\b{WEEKDAY}\b(?:[\s,/&-]*(?:and\s*)?\b{WEEKDAY}\b)*")
REASON = re.compile(
    r"\b(?:for|indication:?|to (?:treat|prevent|help|lower|reduce|relieve|control))\s+(?!\d|the next)[a-z][^,;.()\d]*?"
    r"(?=[,;.()\d]|\s-\s|\bprn\b|\bas (?:needed|required|directed)\b|\bmax|\bup to\b|\btake\b|\bstopped\b|$)"
)
# Strengths of a product without unit ("5/325", "800-160"), or a range of pieces without a form ("1-2 qds").
STRENGTHS = re.compile(rf"(?P<low>{NUM})(?P<sign>[-/])(?P<high>{NUM})(?P<more>(?:[-/]{NUM})*)(?![\w/%-])")
MOST_PIECES = 12.0
BARE = re.compile(rf"{PIECES}(?![\w/%.])")
WORD = re.compile(r"[^\s,;:()\[\]]+")
# Hours of a span of time, by its singular.
HOURS = {"h": 1.0, "hr": 1.0, "hour": 1.0, "hourly": 1.0, "°": 1.0, "d": 24.0, "day": 24.0, "w": 168.0, "wk": 168.0,
         "week": 168.0, "mo": 730.5, "month": 730.5, "min": 1 / 60, "minute": 1 / 60, "year": 8766.0}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a line.

    Attributes:
        kind: "amount", "count", "number", a kind of `direction_words.csv`, "most", "scheme", "weekdays", "duration",
            "reason" or "word".
        text: as written, in lower case. start, end: place in the line.
        value: of a word, its value in the table; of a frequency, intakes per day at most.
        numbers: of an amount, a count or a scheme. units: of an amount, one for each number.
        per: what an amount is in or per ("5 ml", "h", "kg"). joined: how an amount's numbers are joined.
    """

    kind: str
    text: str
    start: int
    end: int
    value: str = ""
    numbers: tuple[float, ...] = ()
    units: tuple[str, ...] = ()
    per: str = ""
    joined: str = ""


def plain(line: str) -> str:
    """A line in lower case, with plain signs and without the dots of abbreviations."""
    text = re.sub(r"(?<=\d)(?=[½¼¾])", " ", line).translate(SIGNS).lower()
    return re.sub(r"(?<=[a-z])\.(?=[a-z\s,;)]|$)", "", text).strip()


def number(text: str) -> float:
    """A number as a line writes it: 1,000, 2,5, 1/2, "one and a half".

    Raises:
        ValueError: no number, or one that can be read in two ways ("1.500": a thousand or one and a half).
    """
    word = " ".join(text.split())
    word = NUMBER_WORDS.get(word, ROMAN.get(word, "1" if word in ("a", "an") else word))
    if re.fullmatch(r"[1-9]\d{0,2}\.\d{3}", word):
        raise ValueError(f"{word} may be a thousand or a decimal")
    if re.fullmatch(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?", word):
        return float(word.replace(",", ""))
    fraction = re.fullmatch(r"(?:(\d+) ?(?:and |& |\+ )?)?(\d)/(\d)", word)
    if fraction:
        return float(int(fraction[1] or 0) + Fraction(int(fraction[2]), int(fraction[3])))
    return float(word.replace(",", "."))


@cache
def vocabulary() -> tuple[re.Pattern[str], dict[str, tuple[str, str]]]:
    """A pattern of all words of the table, the longest first, and the kind and value of each."""
    known = {row["words"]: (row["kind"], row["value"]) for row in read_fragments("direction_words")}
    longest = sorted(known, key=len, reverse=True)
    spaced = "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in longest)
    return re.compile(rf"(?:{spaced})(?![a-z0-9'])"), known


def tokens(line: str) -> list[Token]:
    """The tokens of a `plain` line, in order.

    Raises:
        ValueError: a number that can be read in two ways.
    """
    found: list[Token] = []
    place = 0
    while place < len(line):
        if line[place] in " ,;:()[]+&-":
            place += 1
            continue
        token = next(_tokens_at(line, place, found), None) if not _inside_word(line, place) else None
        if token is None:
            match = WORD.match(line, place)
            token = (
                Token("word", match[0], place, match.end()) if match else Token("word", line[place], place, place + 1)
            )
        found.append(token)
        place = max(token.end, place + 1)
    return found


def _inside_word(line: str, place: int) -> bool:
    return place > 0 and line[place - 1].isalpha() and line[place].isalpha()


def _tokens_at(line: str, place: int, before: list[Token]) -> Iterator[Token]:
    """What may stand here, the most telling first."""
    if match := MOST.match(line, place):
        yield Token("most", match[0], place, match.end(), match["word"] or "", (number(match["number"]),))
    if match := SCHEME.match(line, place):
        yield Token("scheme", match[0], place, match.end(), "", tuple(number(p) for p in match["parts"].split("-")))
    for kind, pattern in (("duration", DURATION), ("filler", CONCENTRATION)):
        if match := pattern.match(line, place):
            yield Token(kind, match[0], place, match.end())
    yield from _frequency(line, place)
    if match := CLOCK.match(line, place):
        yield Token("moment", match[0], place, match.end(), match[0])
    if match := TIMES_DOSE.match(line, place):
        yield _count(match, place, match.end(), "", line)
    if match := AMOUNT.match(line, place):
        yield _amount(match, place)
    pattern, known = vocabulary()
    if match := COUNT.match(line, place):
        of = pattern.match(line, match.end())
        kind, value = known[" ".join(of[0].split())] if of else ("", "")
        if of and kind == "form" and not (match["low"] in ("a", "an") and match["of"]):
            yield _count(match, place, of.end(), value, line)
    if match := DOSE_TIMES.match(line, place):
        yield _count(match, place, match.end(), "", line)
    if match := WEEKDAYS.match(line, place):
        days = len(re.findall(rf"\b{WEEKDAY}\b", match[0]))
        if days == 2 and re.search(r"[a-z]\s?-\s?[a-z]", match[0]):
            days = _span(match[0])
        yield Token("weekdays", match[0], place, match.end(), str(days))
    if match := pattern.match(line, place):
        words = " ".join(match[0].split())
        kind, value = known[words]
        reason = REASON.match(line, place)
        if not (reason and kind == "filler"):
            yield Token(kind, words, place, match.end(), value)
    if match := REASON.match(line, place):
        yield Token("reason", match[0], place, match.end())
    if match := STRENGTHS.match(line, place):
        low, high = number(match["low"]), number(match["high"])
        pieces = match["sign"] == "-" and low < high <= MOST_PIECES and not match["more"]
        yield Token("number" if pieces else "word", match[0], place, match.end(), "", (low, high) if pieces else ())
    if match := BARE.match(line, place):
        yield Token("number", match[0], place, match.end(), "", (number(match[0]),))


def _span(text: str) -> int:
    order = ("mo", "tu", "we", "th", "fr", "sa", "su")
    first, last = (order.index(day[:2]) for day in re.findall(rf"\b{WEEKDAY}\b", text))
    return (last - first) % 7 + 1


def _count(match: re.Match[str], place: int, end: int, form: str, line: str) -> Token:
    low = number(match["low"])
    high = number(match["high"]) if "high" in match.re.groupindex and match["high"] else low
    return Token("count", line[place:end], place, end, form, (low, high))


def _frequency(line: str, place: int) -> Iterator[Token]:
    for pattern in (EVERY, HOURLY):
        if match := pattern.match(line, place):
            hours = HOURS.get(match["unit"], HOURS.get(match["unit"].removesuffix("s"), 0.0)) * number(match["first"])
            if hours <= 0:
                raise ValueError(f"{match[0]} is no interval")
            last = match["last"] or ""
            yield Token("frequency", match[0], place, match.end(), repr(24.0 / hours), joined="range" if last else "")
    if match := TIMES.match(line, place):
        words = {"once": "1", "twice": "2", "thrice": "3", "three times": "3"}
        most = match["last"] or match["after"] or match["first"] or match["words"] or match["word"]
        span = {"w": "week", "m": "month", "y": "year"}.get((match["daily"] or match["unit"])[0], "day")
        per_day = number(words.get(most, most)) / (HOURS[span] / 24.0 * number(match["number"] or "1"))
        joined = "range" if match["last"] or match["words"] or match["upto"] else ""
        yield Token("frequency", match[0], place, match.end(), repr(per_day), joined=joined)


def _amount(match: re.Match[str], place: int) -> Token:
    numbers, units = [], []
    for each in EACH.finditer(match["values"]):
        numbers.append(number(each["number"]))
        units.append(each["unit"] or "")
    for at in range(len(units) - 2, -1, -1):
        units[at] = units[at] or units[at + 1]
    between = EACH.sub(" ", match["values"]).split()
    joined = between[0] if between else ""
    return Token("amount", match[0], place, match.end(), "", tuple(numbers), tuple(units), match["per"] or "", joined)
