"""JSON as a person writes it: read strictly, so that nothing is dropped in silence."""

from __future__ import annotations

import json
from typing import Any

from polyguard_env.errors import PolyGuardError

DEEPEST = 20


class _Repeated(dict[str, Any]):
    """An object some name of which stands in it twice."""

    name = ""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held = dict(pairs)
    if len(held) == len(pairs):
        return held
    seen: set[str] = set()
    repeated = _Repeated(held)
    repeated.name = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
    return repeated


def read_json(content: str | bytes, where: str) -> dict[str, Any]:
    """The one object that a text holds; a byte-order mark before it is passed over.

    Args:
        where: name of the file or field, for errors.

    Raises:
        PolyGuardError: no UTF-8, no JSON, no object, nested more than `DEEPEST` levels, or a name given twice in an
            object, which is named by its path.
    """
    try:
        told = content.decode("utf-8-sig") if isinstance(content, bytes) else content.removeprefix("\ufeff")
        data = json.loads(told, object_pairs_hook=_pairs)
    except UnicodeDecodeError as error:
        raise PolyGuardError(where, error.reason, "save the file as UTF-8 JSON") from error
    except json.JSONDecodeError as error:
        raise PolyGuardError(f"{where} line {error.lineno}", str(error), "write valid JSON") from error
    except RecursionError as error:
        raise PolyGuardError(where, "nested too deeply", f"nest at most {DEEPEST} levels") from error
    except ValueError as error:
        # A whole number of more than 4,300 digits.
        raise PolyGuardError(where, str(error)[:80], "write numbers of fewer digits") from error
    if not isinstance(data, dict):
        raise PolyGuardError(where, type(data).__name__, "write one JSON object: age, sex, weight, height, regimen")
    _check(data, where)
    return dict(data)


def _check(data: Any, where: str) -> None:
    left: list[tuple[Any, str, int]] = [(data, "", 1)]
    while left:
        value, path, depth = left.pop()
        if depth > DEEPEST:
            raise PolyGuardError(f"{where} {path[:80]}", "nested too deeply", f"nest at most {DEEPEST} levels")
        if isinstance(value, _Repeated):
            field = f"{path}.{value.name}".removeprefix(".")
            raise PolyGuardError(field, value[value.name], f"given twice in {where}; leave one of the two")
        if isinstance(value, dict):
            left += [(part, f"{path}.{name}".removeprefix("."), depth + 1) for name, part in value.items()]
        elif isinstance(value, list):
            left += [(part, f"{path}[{place}]", depth + 1) for place, part in enumerate(value)]
