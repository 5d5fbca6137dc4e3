"""Names of drugs: normalising them, indexing them, resolving them exactly and suggesting near ones.

Resolution is exact after normalisation. A misspelling is never matched: look-alike names kill.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

SALTS = frozenset(
    [
        "acetate",
        "besilate",
        "besylate",
        "bromide",
        "calcium",
        "chloride",
        "citrate",
        "dihydrate",
        "disodium",
        "fumarate",
        "hemihydrate",
        "hydrobromide",
        "hydrochloride",
        "hcl",
        "maleate",
        "mesilate",
        "mesylate",
        "monohydrate",
        "nitrate",
        "phosphate",
        "potassium",
        "sodium",
        "succinate",
        "sulfate",
        "sulphate",
        "tartrate",
        "tosylate",
        "trihydrate",
        "bitartrate",
        "anhydrous",
        "extended",
        "release",
        "er",
        "xl",
        "xr",
        "sr",
        "cr",
        "dr",
        "tablet",
        "tablets",
        "capsule",
        "capsules",
    ]
)
COMBINATION = re.compile(r"\s*(?:/|\+|,| and | with )\s*")


def normalise(name: str) -> str:
    """Lower case, no accents, single spaces; punctuation other than slash and plus becomes a space."""
    plain = "".join(c for c in unicodedata.normalize("NFD", name.lower()) if unicodedata.category(c) != "Mn")
    return re.sub(r"\s+", " ", re.sub(r"[^a-z0-9/+,.% ]", " ", plain)).strip()


def slug(name: str) -> str:
    """A drug id from an English name: lower case, underscores."""
    return re.sub(r"[^a-z0-9]+", "_", normalise(name)).strip("_")


def without_salt(name: str) -> str:
    """A normalised name without trailing salt and form words (at least one word stays)."""
    words = name.split()
    while len(words) > 1 and words[-1] in SALTS:
        words.pop()
    return " ".join(words)


class NameIndex:
    """Names to drug ids.

    Args:
        names: normalised name to drug id.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = dict(names)
        self._sorted: list[str] | None = None

    def resolve(self, name: str) -> str | None:
        """The drug of a single-ingredient name, or None."""
        plain = normalise(str(name))
        for form in (plain, plain.replace("_", " "), without_salt(plain)):
            if form in self._names:
                return self._names[form]
        return None

    def resolve_all(self, name: str) -> tuple[str, ...]:
        """The ingredients of a name; a combination's parts must all be known, else nothing is returned."""
        single = self.resolve(name)
        if single is not None:
            return (single,)
        parts = [part for part in COMBINATION.split(normalise(str(name))) if part]
        found = [self.resolve(part) for part in parts] if len(parts) > 1 else []
        return tuple(dict.fromkeys(d for d in found if d)) if found and all(found) else ()

    def suggest(self, name: str, most: int = 5) -> list[str]:
        """Known names that look like `name`, nearest first; for a person to choose from."""
        if self._sorted is None:
            self._sorted = sorted(self._names)
        plain = normalise(str(name))
        near = [n for n in self._sorted if n[:1] == plain[:1] and abs(len(n) - len(plain)) <= 3]
        return get_close_matches(plain, near, n=most, cutoff=0.75)

    def __len__(self) -> int:
        return len(self._names)

    def items(self) -> Iterable[tuple[str, str]]:
        """Pairs of normalised name and drug id."""
        return self._names.items()
