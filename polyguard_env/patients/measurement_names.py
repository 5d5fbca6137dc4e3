"""Names of measurements as people write them: those of `measurements.csv` and `measurement_names.csv`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.condition_names import folded


@cache
def _named() -> Mapping[str, str]:
    """Folded name to the measurement's id."""
    found = {folded(row["name"]): row["measurement_id"] for row in read_fragments("measurement_names")}
    for row in read_fragments("measurements"):
        found[folded(row["name"])] = row["measurement_id"]
        found[folded(row["measurement_id"])] = row["measurement_id"]
    return found


def measurements_named(given: Mapping[str, Any]) -> dict[str, Any]:
    """Values by the measurement's id; a name that is none stays, for `measurement` to refuse.

    Raises:
        PolyGuardError: one measurement under two names.
    """
    found: dict[str, Any] = {}
    told: dict[str, str] = {}
    for name, value in given.items():
        measured = _named().get(folded(name), name)
        if measured in found:
            fix = f"it is {measured}, which is given as {told[measured]} as well: give one of them"
            raise PolyGuardError(f"measurements.{name}", value, fix)
        found[measured], told[measured] = value, name
    return found
