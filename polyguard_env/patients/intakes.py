"""Intakes of a line of directions: which amount, how many pieces and how often, out of its tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from polyguard_env.patients.checks import figures
from polyguard_env.patients.direction_words import NUM, Token

# More intakes a day than this are a slip: one every half hour, day and night.
MOST_INTAKES = 48.0
TIMING = ("frequency", "moment", "meals", "weekdays", "scheme")
# Pieces whose content is the amount told with their volume: "2.5 mg/3 mL, 1 vial".
HOLDERS = ("vial", "pen", "injection", "sachet", "dose")
DAY = re.compile(r"(?:24 ?h(?:ours?|r)?|days?|d)$")
# Words of meals that tell the number of times themselves: "tid with meals".
SAID_TIMES = re.compile(r"\b(?:tid|tds|bid|bd|qid|\d|once|twice|two|three|four)\b")
RATE = re.compile(rf"(?:{NUM}\s*)?(?:hours?|hrs?|h)$")


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


@dataclass
class Part:
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


class Unclear(ValueError):
    """The line can be read in two ways, or not at all."""


def parts_of(body: Sequence[Token]) -> tuple[list[Part], Token | None]:
    """Tokens by intake, and the strength of one piece or mL."""
    parts, strength = [Part()], None
    for at, token in enumerate(body):
        after = body[at + 1] if at + 1 < len(body) else None
        part = parts[-1]
        if token.kind == "amount" and _is_strength(token):
            if strength is not None and strength.text != token.text:
                raise Unclear("two strengths are told")
            strength = token
            continue
        if token.kind in ("amount", "count"):
            if part.has_dose and part.timing:
                part = Part()
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


def _is_strength(amount: Token) -> bool:
    """True for what one piece or mL holds: per something other than a time or a kg, or in percent."""
    timed = DAY.match(amount.per) or RATE.match(amount.per) or amount.per.partition("/")[0] == "kg"
    return amount.units[-1] == "%" or bool(amount.per and not timed)


def intake_of(
    part: Part, strength: Token | None, ingredients: int, as_needed_times: float | None, told_form: str,
    first: Intake | None, sites: float, notes: list[str],
) -> Intake:  # fmt: skip
    """One intake.

    Args:
        part: its tokens. strength: of one piece or mL, told anywhere in the line.
        ingredients: number of ingredients of the drug.
        as_needed_times: the most intakes of a day told with "as needed", or None. told_form: form told in the line.
        first: the first intake of the line, whose strength holds for the later ones.
        sites: eyes, ears or nostrils treated each time. notes: gets what is worth saying.

    Raises:
        Unclear: the parts contradict each other.
    """
    per_day = _per_day(part, notes)
    schemes = [token for token in part.timing if token.kind == "scheme"]
    per_day = as_needed_times if per_day is None else per_day
    counts = [token for token in part.counts if token.numbers]
    if schemes:
        if counts:
            raise Unclear("the number of pieces is told twice")
        pieces: float | None = sum(schemes[0].numbers)
        form = told_form
    else:
        if len({token.numbers for token in counts}) > 1:
            raise Unclear("two numbers of pieces are told")
        pieces = max(counts[0].numbers) if counts else None
        form = next((token.value for token in counts if token.value), "")
        if counts and counts[0].numbers[0] != counts[0].numbers[1]:
            notes.append(f"{counts[0].text.strip()} counts at its most, {figures(max(counts[0].numbers))}")
    form = form or (told_form if pieces is not None else "")
    if pieces is not None:
        pieces *= sites
    amounts = list({(t.numbers, t.units, t.per): t for t in part.amounts}.values())
    if ingredients > 1 and len(amounts) > 1:
        raise Unclear("the dose of each ingredient is not told in one place")
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
    held = strength.text if strength is not None and unit in ("ml", "cc") else ""
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
        raise Unclear(f"{strength.text} is a strength; how much of it is taken is not told")
    if first is not None and first.numbers and first.pieces is not None:
        return Intake(first.numbers, first.unit, first.strength, pieces, form, per_day)
    if first is not None and first.numbers:
        raise Unclear("amounts and pieces are mixed")
    return Intake((), "", strength.text if strength else "", pieces, form, per_day)


def _one_amount(amounts: list[Token], pieces: float | None, part: Part) -> tuple[Token, float | None]:
    """The amount of an intake (no pieces) or of one of its pieces."""
    if part.total is not None:
        others = [token for token in amounts if token.text != part.total.text]
        if others and pieces is not None and not any(_holds(one, pieces, part.total) for one in others):
            raise Unclear(f"{part.total.text} in total is not {figures(pieces)} x {others[0].text}")
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
    raise Unclear(f"{' and '.join(token.text for token in amounts[:3])} are told for one intake")


def _holds(one: Token, pieces: float, whole: Token) -> bool:
    same = one.units[-1] == whole.units[-1] and len(one.numbers) == len(whole.numbers) == 1
    return same and abs(one.numbers[0] * pieces - whole.numbers[0]) < 0.001 * whole.numbers[0]


def _numbers(amount: Token, ingredients: int, notes: list[str]) -> tuple[float, ...]:
    """Amounts of an intake: one for each ingredient, or the most of a range."""
    if ingredients > 1:
        if len(amount.numbers) not in (1, ingredients) or len(set(amount.units)) > 1:
            raise Unclear(f"{amount.text} does not fit {ingredients} ingredients")
        return amount.numbers
    if len(amount.numbers) == 1:
        return amount.numbers
    if amount.joined == "/" or len(amount.numbers) > 2 or len(set(amount.units)) > 1:
        raise Unclear(f"{amount.text} is not one amount")
    low, high = amount.numbers
    if low >= high:
        raise Unclear(f"{amount.text} is no range")
    notes.append(f"{amount.text} counts at its most, {figures(high)} {amount.units[-1]}")
    return (high,)


def _per_day(part: Part, notes: list[str]) -> float | None:
    """Intakes a day at most.

    Raises:
        Unclear: the times contradict each other.
    """
    often = {round(_ratio(token.value), 6): token for token in part.timing if token.kind == "frequency"}
    meals = max((float(token.value) for token in part.timing if token.kind == "meals"), default=0.0)
    moments = {token.value for token in part.timing if token.kind == "moment"}
    days = max((float(token.value) for token in part.timing if token.kind == "weekdays"), default=0.0)
    if len(often) > 1:
        raise Unclear(f"{' and '.join(token.text for token in often.values())} contradict each other")
    if any(token.kind == "scheme" for token in part.timing):
        return 1.0
    if not often:
        if meals:
            per_day = meals + (1.0 if meals == 3.0 and "night" in moments else 0.0)
            said = next(token.text for token in part.timing if token.kind == "meals")
            if not SAID_TIMES.search(said):
                notes.append(f"with meals is read as {per_day:g} times a day")
        elif moments or days:
            per_day = float(len(moments) or 1)
        else:
            return None
        return per_day * days / 7.0 if days else per_day
    (per_day, token), *_ = often.items()
    per_day = _ratio(token.value)
    if token.joined:
        notes.append(f"{token.text.strip()} counts at its most, {per_day:.3g} times a day")
    if part.divided >= 0:
        if per_day > 1.0 and part.divided > 0 and part.timing[0] is token:
            raise Unclear("it is not told whether the amount is divided or taken each time")
        return 1.0
    # "Twice daily with meals" names no further time; "three times daily before meals and at bedtime" does.
    with_bedtime = 4.0 if per_day == 3.0 and (meals == 4.0 or (meals == 3.0 and "night" in moments)) else 0.0
    told = max(float(len(moments)), with_bedtime)
    if 1.0 <= per_day < told:
        notes.append(f"{token.text.strip()} and the times told differ; counted at their most, {told:g} times a day")
        per_day = told
    if days and per_day < 1.0 and days > 1 and abs(per_day - days / 7.0) > 0.01:
        raise Unclear(f"{token.text.strip()} and the weekdays contradict each other")
    return per_day * days / 7.0 if days and per_day >= 1.0 else per_day


def _ratio(text: str) -> float:
    top, _, bottom = text.partition("/")
    return float(top) / float(bottom or 1)
