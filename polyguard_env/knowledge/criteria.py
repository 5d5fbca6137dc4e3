"""Published criteria of prescribing in age, and the rules that express each: `criteria_*.csv`.

A criterion names the rules that express it and a person who meets it; `tests/knowledge/test_criteria.py` reviews that
person and looks for the finding. Descriptions are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.tabular import read_fragments

EXPRESSED, PARTLY, MISSING = "expressed", "partly", "missing"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion.

    Attributes:
        criterion: list and number, for example "STOPP-B3".
        section: the list and its section, for example "STOPP-B" or "BEERS-T5".
        description: what it asks, in our words.
        rules: ids of the rules that express it; "interaction:a+b" for an edge of the graph that no curated rule makes,
            "profile:drug:dose" for a highest dose. Empty when none does.
        drugs: drugs of a person who meets it, each with the indication ("" when none) and daily dose (None when any).
        conditions: that person's conditions.
        measures: that person's measurements; "child_pugh" is the class.
        gap: what of it, or why all of it, is not expressed; "" when it is whole.
        source: source key.
        year: year of the source.
    """

    criterion: str
    section: str
    description: str
    rules: tuple[str, ...]
    drugs: tuple[tuple[str, str, float | None], ...]
    conditions: tuple[str, ...]
    measures: dict[str, str]
    gap: str
    source: str
    year: int

    @property
    def status(self) -> str:
        """ "expressed", "partly" or "missing"."""
        if not self.rules:
            return MISSING
        return PARTLY if self.gap else EXPRESSED


@lru_cache(maxsize=1)
def criteria() -> tuple[Criterion, ...]:
    """All criteria, list by list.

    Raises:
        PolyGuardError: a criterion without rules that gives no reason.
    """
    return tuple(_criterion(row) for row in read_fragments("criteria"))


def coverage() -> dict[str, dict[str, int]]:
    """By list ("STOPP", "START", "BEERS", "BOXED"): how many criteria there are of each status."""
    counts: dict[str, dict[str, int]] = {}
    for criterion in criteria():
        held = counts.setdefault(criterion.criterion.partition("-")[0], {EXPRESSED: 0, PARTLY: 0, MISSING: 0})
        held[criterion.status] += 1
    return counts


def _criterion(row: dict[str, str]) -> Criterion:
    if not row["rules"] and not row["gap"]:
        raise PolyGuardError(f"criteria {row['criterion']} gap", "", "say why no rule expresses it")
    measures = (pair.partition("=") for pair in _parts(row["measures"]))
    return Criterion(
        row["criterion"], row["section"], row["description"], _parts(row["rules"]),
        tuple(_drug(part) for part in _parts(row["drugs"])), _parts(row["conditions"]),
        {name: value for name, _, value in measures}, row["gap"], row["source"], int(row["year"]),
    )  # fmt: skip


def _parts(cell: str) -> tuple[str, ...]:
    return tuple(part for part in cell.split(";") if part)


def _drug(text: str) -> tuple[str, str, float | None]:
    """`drug`, `drug@indication` or `drug/dose`."""
    name, _, dose = text.partition("/")
    name, _, indication = name.partition("@")
    return name, indication, float(dose) if dose else None
