"""What each optional source is: title, publisher, year, licence and citation (`catalogue.csv`)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from polyguard_env.errors import PolyGuardError

TABLE = Path(__file__).with_name("catalogue.csv")


@dataclass(frozen=True, slots=True)
class Source:
    """One optional source.

    Attributes:
        source: key, quoted as provenance by every row that comes from it.
        year: year of the publication or release the reader was written for.
    """

    source: str
    title: str
    publisher: str
    year: int
    licence: str
    citation: str
    url: str


@cache
def catalogue() -> dict[str, Source]:
    """Source key to its description, in the order of the table."""
    with TABLE.open(encoding="utf-8", newline="") as handle:
        return {row["source"]: Source(**row | {"year": int(row["year"])}) for row in csv.DictReader(handle)}  # type: ignore[arg-type]


def described(source: str) -> Source:
    """The description of a source.

    Raises:
        PolyGuardError: an unknown key.
    """
    if source not in catalogue():
        raise PolyGuardError("source", source, f"use one of {', '.join(catalogue())}")
    return catalogue()[source]
