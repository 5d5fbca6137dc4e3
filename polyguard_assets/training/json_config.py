"""Configurations that travel between processes as JSON objects."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import UnionType
from typing import Any, Self, get_args, get_origin, get_type_hints

from polyguard_env.errors import PolyGuardError


@dataclass(frozen=True)
class JsonConfig:
    """A configuration that travels as a JSON object; unknown fields and wrong types are refused."""

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The configuration with these values.

        Raises:
            PolyGuardError: an unknown or missing field, or a value of the wrong type or range.
        """
        hints = get_type_hints(cls)
        unknown = sorted(set(values) - set(hints))
        if unknown:
            raise PolyGuardError(cls.__name__, unknown[0], f"use one of the fields {sorted(hints)}")
        built = {name: _coerce(f"{cls.__name__}.{name}", hints[name], value) for name, value in values.items()}
        try:
            return cls(**built)
        except TypeError as error:
            required = [f.name for f in fields(cls) if f.name not in built]
            raise PolyGuardError(cls.__name__, str(error), f"give a value to each of {required}") from error

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """The configuration in a JSON file."""
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise PolyGuardError("config", str(path), "give the path of an existing JSON file") from error
        except ValueError as error:
            raise PolyGuardError("config", str(path), f"write valid JSON: {error}") from error
        if not isinstance(values, dict):
            raise PolyGuardError("config", str(path), "write one JSON object")
        return cls.from_dict(values)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return values

    def write(self, path: Path | str) -> Path:
        """Write the JSON an entry point's `--config` reads."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n", encoding="utf-8")
        return target


def in_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise PolyGuardError(name, value, f"use a number from {low} to {high}")


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise PolyGuardError(name, value, f"use one of {', '.join(allowed)}")


def _coerce(name: str, hint: Any, value: Any) -> Any:
    """JSON value to field value; JSON has no tuples and writes 1 for 1.0."""
    if isinstance(hint, type) and issubclass(hint, JsonConfig):
        if not isinstance(value, dict):
            raise PolyGuardError(name, value, "give a JSON object")
        return hint.from_dict(value)
    if get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise PolyGuardError(name, value, "give a list")
        return tuple(value)
    kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if float in kinds and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise PolyGuardError(name, value, f"give a {' or '.join(kind.__name__ for kind in kinds)}")
    return value
