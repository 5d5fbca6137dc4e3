"""The error every bad input raises: it names the field, the value and the fix."""

from __future__ import annotations


class PolyGuardError(ValueError):
    """Bad input or a missing prerequisite.

    Args:
        field: what was wrong (a column, an argument, a file).
        value: the offending value, shown verbatim.
        fix: what to do about it, in one sentence.
    """

    def __init__(self, field: str, value: object, fix: str) -> None:
        self.field = field
        self.value = value
        self.fix = fix
        super().__init__(f"{field}: {value!r}: {fix}")

    def __reduce__(self) -> tuple[type[PolyGuardError], tuple[str, object, str]]:
        return type(self), (self.field, self.value, self.fix)
