"""What an allergy may name: a drug, a class of drugs, or an allergen that is none.

The first that fits counts, in this order: the id of a class of drugs, a drug (brands and synonyms too; a combination
product gives all its ingredients), a class by name (singular or plural, or a word of `allergens.csv` such as "sulfa"),
an allergen of `allergens.csv` that is no drug ("latex"). Nothing is matched by likeness.
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
def class_words() -> Mapping[str, str]:
    """Normalised singular word to the drug class it means."""
    rows = [(name, row["class_id"]) for row in read_fragments("classes") for name in (row["name"], row["class_id"])]
    rows += [(row["name"], row["class_id"]) for row in read_fragments("allergens") if row["class_id"]]
    return {singular(normalise(name.replace("_", " "))): class_id for name, class_id in rows}


@cache
def other_allergens() -> Mapping[str, str]:
    """Normalised singular word to the id of an allergen that is no drug."""
    rows = [row for row in read_fragments("allergens") if row["allergen_id"]]
    return {singular(normalise(word)): row["allergen_id"] for row in rows for word in (row["name"], row["allergen_id"])}


def drug_allergy(name: str, resolve: Resolve) -> tuple[str, ...]:
    """Drug ids of an allergy, else its class id; empty when it is neither.

    Args:
        resolve: a name to its ingredients, exactly or not at all.
    """
    if name in class_ids():
        return (name,)
    word = plain(name)
    if found := resolve(word):
        return found
    class_id = class_words().get(singular(word))
    return (class_id,) if class_id else ()


def allergy_ids(name: str, resolve: Resolve) -> tuple[str, ...]:
    """Drug ids of an allergy, else its class id, else the id of an allergen that is no drug; empty when unknown."""
    other = other_allergens().get(singular(plain(name)))
    return drug_allergy(name, resolve) or ((other,) if other else ())


def near_allergens(name: str, most: int = 3) -> list[str]:
    """Classes and other allergens whose names look like `name`, nearest first."""
    return get_close_matches(singular(plain(name)), sorted({*class_words(), *other_allergens()}), most, 0.75)
