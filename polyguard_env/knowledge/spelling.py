"""Telling a national form of a name from a misspelling of it.

The pinned name lists hold both ("amoxicilina" and "tramadoc"). A misspelling must be suggested, never matched, so a
listed name one edit away from its drug's own name counts only when it is a national form of it (`national.py`) or
differs by one of the exchanges of letters that nomenclatures make (t for th, e for ae and oe).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

LEAST_LETTERS = 6
VOWELS = frozenset("aeiouy")
EXCHANGES = (("th", "t"), ("ae", "e"), ("oe", "e"), ("rrh", "rr"))


def is_misspelling(name: str, own: str, forms: Collection[str] = ()) -> bool:
    """True when `name` is one edit away from `own` and no national form of it.

    Args:
        name: a listed name, normalised.
        own: the drug's own name, normalised.
        forms: national forms of `own` (see `national.py`).
    """
    if name == own or min(len(name), len(own)) < LEAST_LETTERS or " " in name + own:
        return False
    return one_edit_apart(name, own) and folded(name) != folded(own) and name not in forms


def folded(name: str) -> str:
    """A name in one nomenclature's letters, in the singular."""
    for letters, plain in EXCHANGES:
        name = name.replace(letters, plain)
    return name.removesuffix("s")


def vowel_apart(a: str, b: str) -> bool:
    """True when two names differ in one vowel alone: how a name is misheard."""
    differing = [(x, y) for x, y in zip(a, b, strict=False) if x != y]
    return len(a) == len(b) and len(differing) == 1 and VOWELS.issuperset(differing[0])


def one_edit_apart(a: str, b: str) -> bool:
    """True when one letter changed, missing, too many or swapped with its neighbour makes `a` of `b`."""
    if len(a) > len(b):
        a, b = b, a
    if len(b) - len(a) > 1 or a == b:
        return False
    at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    if len(a) < len(b):
        return a[at:] == b[at + 1 :]
    return a[at + 1 :] == b[at + 1 :] or (a[at : at + 2] == b[at : at + 2][::-1] and a[at + 2 :] == b[at + 2 :])


class Lookalikes:
    """Finds the names one edit away from a given one, without comparing all.

    Args:
        names: normalised name to drug id.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._near: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for item in names.items():
            for variant in variants(item[0]):
                self._near[variant].append(item)

    def of_another(self, name: str, drug_id: str) -> str:
        """A name of another drug that is one edit away from `name`, or ""."""
        near = (other for v in variants(name) for other, held in self._near.get(v, ()) if held != drug_id)
        return next((other for other in near if one_edit_apart(name, other)), "")

    def misheard(self, name: str, drug_id: str) -> str:
        """A name of the same drug that differs from `name` in one vowel, or ""."""
        near = (other for v in variants(name) for other, held in self._near.get(v, ()) if held == drug_id)
        return next((other for other in near if vowel_apart(name, other)), "")


def variants(name: str) -> set[str]:
    """A name and what is left of it without one letter: names one edit apart share one."""
    return {name, *(name[:at] + name[at + 1 :] for at in range(len(name)))}
