"""The drugs that an entry of a medication list names, by what is no number of pieces: "Tylenol 3 tabs" is Tylenol.

Names of one letter or of a letter and a number ("C 500 mg", "T3 25 mcg") count only with a unit that tells which is
meant (`short_names.csv`); with another or none the error gives the choices. What one piece of a product named by its
strength holds ("Bactrim DS") is in `product_strengths.csv`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.checks import text
from polyguard_env.patients.direction_words import NUM, UNIT, plain
from polyguard_env.patients.directions import directions

SHORT = re.compile(rf"(?P<name>[a-z](?:-?\d{{1,2}})?)(?:,?\s+(?P<number>{NUM})\s*(?P<unit>{UNIT}))?(?![\w%-])")


def named_drugs(entry: str, knowledge: KnowledgeBase, field: str) -> tuple[str, ...]:
    """The drugs of an entry (several for a combination product): its line without counts, or what precedes directions.

    Raises:
        PolyGuardError: no drug has this name; near names are suggested, never taken. Or a short name whose unit does
            not tell which drug is meant.
    """
    told = text(field, entry).strip()
    read = directions(told)
    names = tuple(dict.fromkeys((read.uncounted, *read.names, told)))
    for name in names:
        if name and (found := knowledge.resolve_all(name)):
            return found
    if meant := _short_name(told, field):
        return knowledge.resolve_all(meant)
    near = list(dict.fromkeys(one for name in names for one in knowledge.suggest(name)))[:3]
    fix = f"check the spelling; known names near it: {', '.join(near) or 'none'}"
    if not read.names and read.intakes:
        fix = f"it names no drug: write directions on the line of their drug, or {fix}"
    raise PolyGuardError(field, entry, fix)


def _short_name(entry: str, field: str) -> str:
    """What a name of one letter stands for with its unit; "" where the entry begins with none.

    Raises:
        PolyGuardError: the unit does not tell which of the choices is meant.
    """
    match = SHORT.match(plain(entry))
    rows = [row for row in read_fragments("short_names") if match and row["name"] == match["name"].replace("-", "")]
    if not match or not rows:
        return ""
    unit = (match["unit"] or "").removesuffix("s")
    for row in rows:
        if unit and unit in row["units"].split(";"):
            return row["means"]
    choices = " or ".join(dict.fromkeys(choice for row in rows for choice in row["choices"].split(";")))
    how = f"with {match['unit']} it" if unit else "it"
    raise PolyGuardError(field, entry, f"{match['name'].upper()} is too short: {how} may be {choices}; write the name")


@cache
def _products() -> tuple[tuple[re.Pattern[str], Mapping[str, float]], ...]:
    """Names of `product_strengths.csv`, the longest first, and mg of each ingredient in one tablet."""
    rows = sorted(read_fragments("product_strengths"), key=lambda row: -len(row["name"]))
    return tuple(
        (
            re.compile(rf"{row['name'].replace(' ', '[ #.-]*')}(?![\w/.-])"),
            {drug: float(mg) for drug, _, mg in (part.partition("=") for part in row["strengths"].split(";"))},
        )
        for row in rows
    )


def product_strengths(line: str, drugs: Collection[str]) -> tuple[str, Mapping[str, float]]:
    """The words of a line that name a product of known strength, and mg of each ingredient in one tablet; else empty.

    Args:
        line: an entry with its directions. drugs: its drugs: the product's, or it is another.
    """
    told = plain(line)
    for pattern, strengths in _products():
        match = pattern.match(told)
        if match and set(strengths) == set(drugs):
            return told[: match.end()], strengths
    return "", {}


def combination_meant(strengths: str, drug: str, knowledge: KnowledgeBase) -> str:
    """A warning that several strengths with the name of one drug may be those of a combination product; else ""."""
    if not strengths or drug.startswith("insulin"):
        # 70/30 of an insulin are the parts of a mixture.
        return ""
    parts = len(strengths.split("/"))
    sold: dict[tuple[str, ...], int] = {}
    for _, drugs in knowledge.names.combinations():
        if drug in drugs and len(drugs) == parts:
            together = tuple(sorted(drugs, key=lambda one: (one != drug, one)))
            sold[together] = sold.get(together, 0) + 1
    if not sold:
        return ""
    likely = sorted(sold, key=lambda one: (-sold[one], one))[:3]
    name = " or ".join(" + ".join(one.replace("_", " ") for one in drugs) for drugs in likely)
    return (
        f"{strengths} are {parts} strengths and {drug.replace('_', ' ')} is one drug: a combination product may be "
        f"meant ({name}), whose other drugs are not reviewed; write all its drugs"
    )
