"""The error every bad input raises: it names the field, the value and the fix."""

from __future__ import annotations

MOST_SHOWN = 200


def shown(value: object) -> str:
    """A value as an error shows it: its `repr`, the middle of a long one left out."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        # A whole number of over 4,300 digits, or a list nested too deeply.
        return f"<{type(value).__name__} too large to show>"
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN // 2]} ... {text[-20:]} ({len(text)} characters)"


class PolyGuardError(ValueError):
    """Bad input or a missing prerequisite.

    Args:
        field: what was wrong (a column, an argument, a file).
        value: the offending value; the message shows it, a long one in part (`shown`).
        fix: what to do about it, in one sentence.
    """

    def __init__(self, field: str, value: object, fix: str) -> None:
        self.field = field
        self.value = value
        self.fix = fix
        super().__init__(f"{field}: {shown(value)}: {fix}")

    def __reduce__(self) -> tuple[type[PolyGuardError], tuple[str, object, str]]:
        return type(self), (self.field, self.value, self.fix)
