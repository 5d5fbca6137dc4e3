"""What callers may ask for: the arguments of reset, step and state, alike over HTTP, websocket and MCP."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
)
from pydantic_core import CoreSchema, core_schema

from polyguard_env.environment.answers import LONGEST_ANSWER
from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS
from polyguard_env.environment.splits import SPLITS
from polyguard_env.errors import PolyGuardError
from polyguard_serving.types import ServedAction
from polyguard_serving.wire import Detail

Model = TypeVar("Model", bound=BaseModel)
LONGEST_ID = 200
LONGEST_SCENARIO_ID = 64
# Errors quote the offending value, never a whole document.
LONGEST_SHOWN = 300
MOST_ITEMS = 1024
# Of a type in a problem's path: "constrained-str", "function-before[…]", a class.
TYPE_NAME = re.compile(r"^constrained-|\[|^[A-Z][a-z]+[A-Z]|^(int|str|float|bool)$")
LEAST_SECONDS, MOST_SECONDS = 0.25, 3600.0
SCENARIO_PATTERN = f"^({'|'.join(SPLITS)})-({'|'.join(SUB_ENVIRONMENTS)})-({'|'.join(DIFFICULTIES)})-[0-9]{{1,6}}$"
PATIENT_PATTERN = "^p?[0-9]{1,6}$"
# Far above what a step takes: it is for a caller who would rather not wait behind a crowd.
Seconds = Annotated[float, Field(ge=LEAST_SECONDS, le=MOST_SECONDS, strict=True)]


class Options(BaseModel):
    """Base of all arguments: unknown names are refused."""

    model_config = ConfigDict(extra="forbid")


# Ids travel in paths too.
EPISODE_ID = Annotated[
    str, Field(min_length=1, max_length=LONGEST_ID, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:@+~=-]*$", examples=["e1"])
]


def whole_number(value: Any) -> Any:
    """JSON knows one kind of number: 3.0 is as whole as 3. True is no number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class OneOf:
    """Accepts one of some names, and says so in the schema."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(core) | {"enum": list(self.names)}

    def _checked(self, value: str) -> str:
        if value not in self.names:
            raise ValueError(f"use one of {', '.join(self.names)}")
        return value


class Like:
    """Accepts strings of a form, and says so in the schema.

    Args:
        pattern: of the whole string.
        example: of such a string.
    """

    def __init__(self, pattern: str, example: str) -> None:
        self.pattern, self.example, self._compiled = pattern, example, re.compile(pattern)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(core) | {"pattern": self.pattern, "examples": [self.example]}

    def _checked(self, value: str) -> str:
        if self._compiled.fullmatch(value) is None:
            raise ValueError(f"write it as in {self.example}")
        return value


Difficulty = Annotated[str, OneOf(DIFFICULTIES)]
SubEnvironment = Annotated[str, OneOf(SUB_ENVIRONMENTS)]
Split = Annotated[str, OneOf(SPLITS)]
ScenarioId = Annotated[str, Field(max_length=LONGEST_SCENARIO_ID), Like(SCENARIO_PATTERN, "train-DDI-easy-000012")]
PatientId = Annotated[str, Field(max_length=LONGEST_SCENARIO_ID), Like(PATIENT_PATTERN, "p000012")]
# After a number's limits, which must stand next to the type to reach the schema.
WHOLE = BeforeValidator(whole_number)
SEED = Annotated[int, Field(ge=0, lt=2**63, strict=True), WHOLE]


class ResetOptions(Options):
    """Options of a reset; all optional.

    Attributes:
        seed: 0 to 2^63 - 1; seeds candidate order, ids and harm events, and picks the scenario when none is named.
        episode_id: names the episode; chosen by the server when absent.
    """

    seed: SEED | None = None
    episode_id: EPISODE_ID | None = None
    difficulty: Difficulty = "easy"
    sub_environment: SubEnvironment | None = None
    scenario_id: ScenarioId | None = None
    patient_id: PatientId | None = None
    split: Split = "train"
    timeout_s: Seconds | None = None

    def arguments(self) -> dict[str, Any]:
        """As `PolyGuardEnv.reset` takes them."""
        values = dict(self.__dict__)
        del values["timeout_s"]
        return values


class StepOptions(Options):
    """An action for an episode; `episode_id` may be left out while only one is running.

    Attributes:
        timeout_s: seconds the step may take from its arrival; a step that takes longer changes nothing.
        detail: how much of the observation to answer with.
        request_id: OpenEnv's own; ignored.
    """

    action: ServedAction
    episode_id: EPISODE_ID | None = None
    timeout_s: Seconds | None = None
    detail: Detail = Detail.FULL
    request_id: str | None = Field(default=None, max_length=255)


class Checkpoint(BaseModel):
    """An episode as `GET /episodes/{episode_id}/checkpoint` gives it; send it back unchanged."""

    model_config = ConfigDict(extra="allow")

    scenario_id: ScenarioId
    seed: SEED
    episode_id: EPISODE_ID
    knowledge_fingerprint: str = Field(max_length=64)


BatchAction = (
    Annotated[int, Field(ge=0, le=1000, strict=True), WHOLE]
    | Annotated[str, Field(max_length=LONGEST_ANSWER)]
    | ServedAction
)


class RestoreOptions(Options):
    """A checkpoint to continue from; under another `episode_id` it is a fork."""

    checkpoint: Checkpoint
    episode_id: EPISODE_ID | None = None


class ForkOptions(Options):
    """The id of the copy; chosen by the server when absent."""

    episode_id: EPISODE_ID | None = None


class BatchReset(Options):
    """Resets to make in one message; each needs no `episode_id`."""

    items: list[ResetOptions] = Field(min_length=1, max_length=MOST_ITEMS)
    detail: Detail = Detail.COMPACT


class BatchStep(Options):
    """One action for each episode, in order; an episode may come up more than once.

    Attributes:
        episode_ids: the episodes.
        actions: for each its place among the candidates (from 0), a whole action, or an answer as a model writes it: a
            candidate's text or id, or JSON of an action.
    """

    episode_ids: list[EPISODE_ID] = Field(min_length=1, max_length=MOST_ITEMS)
    actions: list[BatchAction] = Field(min_length=1, max_length=MOST_ITEMS)
    detail: Detail = Detail.COMPACT


class StepArguments(ServedAction):
    """A step as one flat object: the action's fields beside the episode's id."""

    episode_id: EPISODE_ID | None = None


class StateOptions(Options):
    """The episode that is meant; it may be left out while only one is running."""

    episode_id: EPISODE_ID | None = None


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
    path = named_path(problem)
    if problem["type"].endswith("_type"):
        # Of what may have several types, the one that was meant tells more than those that were not.
        same = [entry for entry in problems if named_path(entry)[: len(path)] == path]
        deepest = max(same, key=lambda entry: len(entry["loc"]))
        problem = next((entry for entry in same if not entry["type"].endswith("_type")), deepest)
        path = named_path(problem)
    kind = problem["type"]
    if kind == "missing":
        # Pydantic reports the object that lacks the field as the input.
        return PolyGuardError(".".join(path) or "body", None, "add it: it is required")
    if kind == "extra_forbidden":
        fix = "remove it: no such field (see /schema and /docs for the fields)"
    elif not path and kind != "value_error":
        fix = "send a JSON object with the header Content-Type: application/json"
    elif kind == "model_attributes_type":
        fix = "send an object"
    else:
        fix = str(problem["msg"]).removeprefix("Value error, ")
    return PolyGuardError(".".join(path) or "body", problem.get("input"), fix)


def named_path(problem: Mapping[str, Any]) -> list[str]:
    """Where a problem is, without the names of types that pydantic puts between the fields."""
    parts = [str(part) for part in problem["loc"] if part != "body"]
    return [part for place, part in enumerate(parts) if place == 0 or not TYPE_NAME.search(part)]


def described(error: PolyGuardError) -> dict[str, dict[str, str]]:
    """The error as every interface sends it: the field, its value and the fix."""
    return {"error": {"field": shown(error.field), "value": shown(repr(error.value)), "fix": shown(error.fix)}}


def shown(text: str) -> str:
    """A text short enough for an error, without the characters UTF-8 cannot carry."""
    short = text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"
    return short.encode("utf-8", "backslashreplace").decode("utf-8")
