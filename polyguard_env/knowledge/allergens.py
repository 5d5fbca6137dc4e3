"""What an allergy may name: a drug, a class of drugs, or an allergen that is none.

The first that fits counts, in this order: the id of a class of drugs, a drug (brands and synonyms too; a combination
product gives all its ingredients), a class by name (singular or plural). What `allergens.csv` lists for a word, classes
("sulfa", "beta lactam") or an allergen that is no drug ("latex"), counts as well: "iron" is the drug and the class.
Nothing is matched by likeness.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import cache

from polyguard_env.knowledge.names import normalise
from polyguard_env.knowledge.tabular import read_fragments

INTRODUCTION = re.compile(r"^allerg(?:y|ic) to ", re.IGNORECASE)
Resolve = Callable[[str], tuple[str, ...]]


def singular(name: str) -> str:
    """A normalised name with its last word in the singular."""
    return name if name.endswith("ss") else name.removesuffix("s")


def plain(name: str) -> str:
    """A name as allergies are looked up: normalised, without brackets and "allergy to"."""
    return normalise(INTRODUCTION.sub("", re.sub(r"\([^)]*\)", " ", name).strip()).replace("_", " "))


@cache
def class_ids() -> frozenset[str]:
    return frozenset(row["class_id"] for row in read_fragments("classes"))


@cache
def class_words() -> Mapping[str, tuple[str, ...]]:
    """Normalised singular word to the drug classes it means."""
    rows = [(name, row["class_id"]) for row in read_fragments("classes") for name in (row["name"], row["class_id"])]
    named = {singular(normalise(name.replace("_", " "))): (class_id,) for name, class_id in rows}
    return named | dict(listed_classes())


@cache
def listed_classes() -> Mapping[str, tuple[str, ...]]:
    """Normalised singular word of `allergens.csv` to the drug classes it means."""
    rows = [row for row in read_fragments("allergens") if row["class_id"]]
    return {singular(normalise(row["name"])): tuple(row["class_id"].split(";")) for row in rows}


@cache
def other_allergens() -> Mapping[str, str]:
    """Normalised singular word to the id of an allergen that is no drug."""
    rows = [row for row in read_fragments("allergens") if row["allergen_id"]]
    return {singular(normalise(word)): row["allergen_id"] for row in rows for word in (row["name"], row["allergen_id"])}


def drug_allergy(name: str, resolve: Resolve) -> tuple[str, ...]:
    """Drug ids of an allergy and classes listed for it, else its class; empty when it is none of these.

    Args:
        resolve: a name to its ingredients, exactly or not at all.
    """
    if name in class_ids():
        return (name,)
    word = plain(name)
    found = resolve(word)
    more = listed_classes() if found else class_words()
    return tuple(dict.fromkeys((*found, *more.get(singular(word), ()))))


def allergy_ids(name: str, resolve: Resolve) -> tuple[str, ...]:
    """Drug ids and class ids of an allergy, and the id of an allergen that is no drug; empty when unknown."""
    found = drug_allergy(name, resolve)
    other = other_allergens().get(singular(plain(name))) if name not in class_ids() else None
    return tuple(dict.fromkeys((*found, other))) if other else found


def near_allergens(name: str, most: int = 3) -> list[str]:
    """Classes and other allergens whose names look like `name`, nearest first."""
    return get_close_matches(singular(plain(name)), sorted({*class_words(), *other_allergens()}), most, 0.75)
