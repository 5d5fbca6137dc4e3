"""What callers may ask for: the arguments of reset, step and state, alike over HTTP, websocket and MCP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS
from polyguard_env.environment.splits import SPLITS
from polyguard_env.errors import PolyGuardError
from polyguard_serving.types import ServedAction

Model = TypeVar("Model", bound=BaseModel)
LONGEST_ID = 200
LONGEST_SCENARIO_ID = 64
# Errors quote the offending value, never a whole document.
LONGEST_SHOWN = 300


class Options(BaseModel):
    """Base of all arguments: unknown names are refused."""

    model_config = ConfigDict(extra="forbid")


class ResetOptions(Options):
    """Options of a reset; all optional.

    Attributes:
        seed: 0 to 2^63 - 1; seeds candidate order, ids and harm events, and picks the scenario when none is named.
        episode_id: names the episode; chosen by the server when absent.
    """

    seed: int | None = Field(default=None, ge=0, lt=2**63, strict=True)
    episode_id: str | None = Field(default=None, min_length=1, max_length=LONGEST_ID)
    difficulty: str = Field(default="easy", json_schema_extra={"enum": list(DIFFICULTIES)})
    sub_environment: str | None = Field(default=None, examples=list(SUB_ENVIRONMENTS))
    scenario_id: str | None = Field(
        default=None, max_length=LONGEST_SCENARIO_ID, description="for example train-DDI-easy-000012"
    )
    patient_id: str | None = Field(default=None, max_length=LONGEST_SCENARIO_ID)
    split: str = Field(default="train", json_schema_extra={"enum": list(SPLITS)})


class StepOptions(Options):
    """An action for an episode; `episode_id` may be left out while only one is running."""

    action: ServedAction
    episode_id: str | None = Field(default=None, max_length=LONGEST_ID)
    timeout_s: float | None = Field(default=None, gt=0)


class StepArguments(ServedAction):
    """A step as one flat object: the action's fields beside the episode's id."""

    episode_id: str | None = Field(default=None, max_length=LONGEST_ID)


class StateOptions(Options):
    """The episode whose state is wanted."""

    episode_id: str | None = Field(default=None, max_length=LONGEST_ID)


class NoOptions(Options):
    """Takes nothing."""


def read(model: type[Model], values: Mapping[str, Any]) -> Model:
    """The values as the model.

    Raises:
        PolyGuardError: the first value that does not fit, with its fix.
    """
    try:
        return model(**values)
    except ValidationError as error:
        raise bad_field(error.errors()) from error


def bad_field(problems: Sequence[Mapping[str, Any]]) -> PolyGuardError:
    """The first of a validation's problems as the one error the caller sees."""
    problem = problems[0]
    path = [str(part) for part in problem["loc"] if part != "body"]
    kind = problem["type"]
    if kind == "missing":
        # Pydantic reports the object that lacks the field as the input.
        return PolyGuardError(".".join(path) or "body", None, "add it: it is required")
    if kind == "extra_forbidden":
        fix = "remove it: no such field (see /schema and /docs for the fields)"
    elif not path or kind in ("json_invalid", "model_attributes_type"):
        path = [part for part in path if not part.isdecimal()]
        fix = "send a JSON object with the header Content-Type: application/json"
    else:
        fix = str(problem["msg"]).removeprefix("Value error, ")
    return PolyGuardError(".".join(path) or "body", problem.get("input"), fix)


def described(error: PolyGuardError) -> dict[str, dict[str, str]]:
    """The error as every interface sends it: the field, its value and the fix."""
    return {"error": {"field": shown(error.field), "value": shown(repr(error.value)), "fix": shown(error.fix)}}


def shown(text: str) -> str:
    """A text short enough for an error, without the characters UTF-8 cannot carry."""
    short = text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"
    return short.encode("utf-8", "backslashreplace").decode("utf-8")
