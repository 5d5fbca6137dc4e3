"""From a language model's raw answer to an action: one strict reading, the same for server and training.

An answer is either one JSON object with an action's fields, or a candidate's text or id and nothing else.
Whatever is neither becomes an action that names no candidate, with the problem's name: the step is
priced as malformed, and nothing a model writes can raise an error in the environment.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from polyguard_env.environment.messages import Candidate, PolyGuardAction

LONGEST_ANSWER = 16_384
LONGEST_TEXT = 512
DEEPEST = 2
# White space of JSON; a reader that drops more would let hidden characters pass.
SPACE = " \t\r\n"
NAMELESS = PolyGuardAction()


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer says.

    Attributes:
        action: the action it names; `NAMELESS` when it cannot be read.
        problem: "" for a readable answer, else why it is not: "empty", "not_utf8", "too_long", "malformed_json",
            "duplicate_key", "number_not_finite", "nested_too_deep", "not_an_object" or "bad_field:<name>".
    """

    action: PolyGuardAction
    problem: str = ""

    @property
    def readable(self) -> bool:
        return not self.problem


class _Refused(ValueError):
    """Why strict JSON is not accepted; the message is the problem's name."""


def parse_answer(raw: str | bytes) -> Answer:
    """Read a raw answer.

    Text that begins with "{" or "[" has to be one strict JSON object: no key twice, no NaN or Infinity, no
    boolean or string in place of a number, at most `DEEPEST` levels, no unknown field. Anything else is taken
    as a candidate's text, word for word. At most `LONGEST_ANSWER` characters.
    """
    if isinstance(raw, bytes):
        if len(raw) > 4 * LONGEST_ANSWER:
            return Answer(NAMELESS, "too_long")
        try:
            raw = raw.decode("utf-8")
        except UnicodeDecodeError:
            return Answer(NAMELESS, "not_utf8")
    if len(raw) > LONGEST_ANSWER:
        return Answer(NAMELESS, "too_long")
    if not raw.isascii():
        try:
            raw.encode("utf-8")
        except UnicodeEncodeError:
            return Answer(NAMELESS, "not_utf8")
    text = raw.strip(SPACE)
    if not text:
        return Answer(NAMELESS, "empty")
    if text[0] not in "{[":
        return Answer(PolyGuardAction(text=text)) if len(text) <= LONGEST_TEXT else Answer(NAMELESS, "too_long")
    try:
        _strict(text)
        return Answer(PolyGuardAction.model_validate_json(text, strict=True))
    except _Refused as refused:
        return Answer(NAMELESS, str(refused))
    except ValidationError as error:
        places = [str(part) for part in error.errors()[0]["loc"]]
        return Answer(NAMELESS, f"bad_field:{places[0]}" if places else "malformed_json")


def chosen(raw: str | bytes, candidates: Iterable[Candidate]) -> PolyGuardAction:
    """The action a raw answer takes among a step's candidates; text that is one's id names that one."""
    action = parse_answer(raw).action
    if action.text and not action.candidate_id and any(action.text == entry.candidate_id for entry in candidates):
        return PolyGuardAction(candidate_id=action.text)
    return action


def _strict(text: str) -> None:
    """Refuse what a lenient parser would let pass."""
    if depth(text) > DEEPEST:
        raise _Refused("nested_too_deep")
    try:
        found = json.loads(text, object_pairs_hook=_no_key_twice, parse_constant=_not_finite, parse_float=_finite)
    except _Refused:
        raise
    except (ValueError, RecursionError) as error:
        raise _Refused("malformed_json") from error
    if not isinstance(found, dict):
        raise _Refused("not_an_object")


def depth(text: str) -> int:
    """Deepest level of braces and brackets outside strings, counted without recursion."""
    level = deepest = 0
    quoted = escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif quoted:
            escaped, quoted = character == "\\", character != '"'
        elif character == '"':
            quoted = True
        elif character in "{[":
            level += 1
            deepest = max(deepest, level)
        elif character in "}]":
            level -= 1
    return deepest


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused("duplicate_key")
    return found


def _not_finite(name: str) -> Any:
    raise _Refused("number_not_finite")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise _Refused("number_not_finite")
    return value
