"""The lines of drugs in a compact text, by how much is said of them, of pieces that are remembered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from polyguard_env.environment.codes import codes_of, partners, stem
from polyguard_env.environment.pieces import Piece, Remembered, joined, measured
from polyguard_env.risk.index import RuleIndex

# Roles shown whatever the level: how a drug may be taken away.
KEPT_CODES = ("taper", "pause", "sickday", "NTI")
NOTHING: Piece = ("", 0)

# Drug id, name, daily dose, unit, indication, tapering, product, facts known, held, course.
DrugKey = tuple[str, str, float, str, str | None, bool, str, bool, bool, bool]


class DrugLines:
    """The lines of the drugs of one knowledge base in one style, remembered.

    Args:
        style: "range" adds the usual doses, "pool" leaves dose and purpose out.
    """

    def __init__(self, style: str, index: RuleIndex) -> None:
        self.style, self._index = style, index
        self.roles = Remembered[str, Roles](lambda drug_id: Roles(drug_id, style, index))
        self.purposes = Remembered(self._purpose)
        self._kept = Remembered[DrugKey, DrugLine](lambda key: DrugLine(key, self))

    def line(self, entry: Mapping[str, Any]) -> DrugLine:
        """The line of an entry of the regimen, as `known_regimen` gives it."""
        return self._kept[
            entry["drug_id"], entry["name"], entry["dose"], entry["unit"], entry["indication"], entry["tapering"],
            entry["product"], entry["known"], entry["held"], entry["course"],
        ]  # fmt: skip

    def _purpose(self, indication: str | None) -> Piece:
        if indication is None:
            return measured(" (?)")
        return measured(f" ({self._index.short(indication)})" if indication else " (none)")


@lru_cache(maxsize=12)
def drug_lines(style: str, index: RuleIndex) -> DrugLines:
    """The lines of a knowledge base in a style, shared."""
    return DrugLines(style, index)


class DrugLine:
    """A drug's line: what stands before its roles, and the roles as they are asked for.

    Attributes:
        stems, partners: its roles and class, and what makes something of them, as bit sets; 0 for a drug not known.
        known: whether its facts are. named: the name and whether it is a course, tapering or held, for lines without
            more.
    """

    __slots__ = (
        "_before",
        "_key",
        "_roles",
        "_shortly",
        "drug_id",
        "known",
        "name",
        "named",
        "partners",
        "product",
        "stems",
    )

    def __init__(self, key: DrugKey, lines: DrugLines) -> None:
        self._key = key
        self.drug_id, self.name, dose, unit, indication, _, self.product, self.known, _, _ = key
        self.named = self.name + _after(key, lines.style, "")[0]
        roles = lines.roles[self.drug_id] if self.known else UNKNOWN
        self.stems, self.partners = roles.stems, roles.partners
        if unit == "product":
            self._before = self._shortly = measured(f"{self.name}: new product, ingredients unknown")
            self._roles: Roles | Fixed = SAID
            return
        self._roles = roles
        text, tokens = _after(key, lines.style, self.product)
        start, of_name = measured(self.name)
        if lines.style == "pool":
            self._before = self._shortly = start + text, of_name + tokens
            return
        (amount, of_amount), (purpose, of_purpose) = DOSES[dose, unit], lines.purposes[indication]
        tokens += of_name + of_amount
        self._before = f"{start}{amount}{purpose}{text}", tokens + of_purpose
        self._shortly = f"{start}{amount}{text}", tokens

    def whole(self, roles: int) -> tuple[Piece, Piece]:
        """Both halves of the line with so many roles at most."""
        return self._before, self._roles.at_most(roles)

    def short(self, roles: int) -> tuple[Piece, Piece]:
        """The same without the purpose."""
        return self._shortly, self._roles.at_most(roles)

    def brief(self, meeting: int, roles: int) -> tuple[Piece, Piece]:
        """The name with so many of the roles that meet others at most; the whole line where the drug is not known."""
        if not self.known:
            return self._before, self._roles.at_most(roles)
        return measured(self.named), self._roles.met(self.stems & meeting, roles)

    def shortest(self, roles: int) -> str:
        """The line without a purpose and without the name of the product, for the longest texts."""
        _, name, dose, unit, _, _, product, _, _, _ = self._key
        if not product or unit == "product":
            return self._shortly[0] + self._roles.at_most(roles)[0]
        return f"{name}{DOSES[dose, unit][0]}{_after(self._key, '', 'product')[0]}{self._roles.at_most(roles)[0]}"


class Roles:
    """The ends of a drug's lines: usual doses in the style "range", and roles.

    Args:
        style: "range" adds the usual doses, "pool" leaves the roles of `KEPT_CODES` out.
    """

    __slots__ = ("_at_most", "_drug_id", "_index", "_met", "_style", "partners", "stems")

    def __init__(self, drug_id: str, style: str, index: RuleIndex) -> None:
        self._drug_id, self._style, self._index = drug_id, style, index
        self._at_most: dict[int, Piece] = {}
        self._met: dict[tuple[int, int], Piece] = {}
        self.stems, self.partners = _stems(drug_id, index)

    def at_most(self, most: int) -> Piece:
        """So many roles at most, those of `KEPT_CODES` apart."""
        found = self._at_most.get(most)
        if found is None:
            found = self._at_most[most] = measured(self._told(most))
        return found

    def met(self, meeting: int, most: int) -> Piece:
        """So many at most of the roles of a set of bits."""
        found = self._met.get((meeting, most))
        if found is None:
            codes = [code for code in codes_of(self._drug_id, self._index) if _bits([stem(code)]) & meeting][:most]
            found = self._met[meeting, most] = measured(f": {' '.join(codes)}") if codes else NOTHING
        return found

    def _told(self, most: int) -> str:
        profile, style = self._index.profile(self._drug_id), self._style
        line = f" range {profile.dose_min:g}-{profile.dose_max:g}" if style == "range" and profile else ""
        codes = codes_of(self._drug_id, self._index)
        shown = [code for code in codes if code not in KEPT_CODES][:most]
        if style != "pool":
            shown += [code for code in codes if code in KEPT_CODES and (code != "NTI" or style == "range")]
        return f"{line}: {' '.join(shown)}" if shown else line


class Fixed:
    """The end of the line of a drug of which no role is known."""

    __slots__ = ("_piece", "partners", "stems")

    def __init__(self, text: str) -> None:
        self._piece = measured(text) if text else NOTHING
        self.stems = self.partners = 0

    def at_most(self, most: int) -> Piece:
        """The same whatever the number."""
        return self._piece

    def met(self, meeting: int, most: int) -> Piece:
        """The same whatever is asked for."""
        return self._piece


UNKNOWN, SAID = Fixed(": facts unknown"), Fixed("")
_BITS: dict[str, int] = {}


def _after(key: DrugKey, style: str, product: str) -> Piece:
    """What stands between a drug's dose or purpose and its roles.

    Args:
        product: what the product that it is an ingredient of is called.
    """
    _, _, _, _, _, tapering, _, _, held, course = key
    if not (product or tapering or held or course):
        return NOTHING
    told = [f" in {product}"] if product else []
    if course and style != "pool":
        told.append(" course")
    if tapering:
        told.append(" tapering")
    if held:
        told.append(" held")
    return joined(told)


def _dose(key: tuple[float, str]) -> Piece:
    dose, unit = key
    return measured(f" {dose:g}{unit}")


DOSES = Remembered(_dose)


def _stems(drug_id: str, index: RuleIndex) -> tuple[int, int]:
    """A drug's roles and class, and the roles and class that would make something of them, as bit sets."""
    codes, classes = codes_of(drug_id, index), [f"class {name}" for name in index.drug(drug_id).classes[:1]]
    own = [stem(code) for code in codes]
    return _bits([*own, *classes]), _bits([*(other for code in codes for other in partners(code)), *classes])


def _bits(stems: Iterable[str]) -> int:
    found = 0
    for name in stems:
        found |= 1 << _BITS.setdefault(name, len(_BITS))
    return found
