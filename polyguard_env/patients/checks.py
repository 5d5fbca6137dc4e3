"""Checks of single values out of JSON: numbers and texts; an error names the field."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from polyguard_env.errors import PolyGuardError

LONGEST_TEXT = 500


def in_range(field: str, value: Any, low: float, high: float, unit: str) -> float:
    """The number, when it is one and possible."""
    within = f"{figures(low)} to {figures(high)} {unit}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PolyGuardError(field, value, f"write a number from {within}")
    # Compared before it is made a float: a whole number of 400 digits has none.
    if not low <= value <= high:
        finite = isinstance(value, int) or math.isfinite(value)
        raise PolyGuardError(field, value, f"impossible; give {within}" if finite else f"write a number from {within}")
    return float(value)


def text(field: str, value: Any, most: int = LONGEST_TEXT) -> str:
    """The text, when it is one of 1 to `most` characters."""
    if not isinstance(value, str) or not value.strip() or len(value) > most:
        raise PolyGuardError(field, value, f"write a text of 1 to {most} characters")
    return value


def figures(value: float, digits: int = 6) -> str:
    """A number for a person, with so many significant digits and never as a power of ten: 17000, 0.125."""
    return f"{Decimal(f'{value:.{digits}g}'):f}"
