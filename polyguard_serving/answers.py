"""What the server answers, as models: the API's documentation, and what clients read answers into."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from polyguard_serving.options import Checkpoint
from polyguard_serving.refusals import STATUS
from polyguard_serving.types import ServedObservation

CODES = tuple(STATUS)


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(extra="forbid")


class Problem(Answer):
    """Why a request was refused: the field, its value and the fix."""

    code: str = Field(json_schema_extra={"enum": list(CODES)})
    field: str
    value: str
    fix: str


class ErrorAnswer(Answer):
    """A refusal."""

    error: Problem


class FullAnswer(Answer):
    """A whole observation with its reward, as OpenEnv's clients read it."""

    observation: ServedObservation
    reward: float | None
    done: bool
    metadata: dict[str, Any]
    episode_id: str


class CandidateWord(Answer):
    """A candidate's id and text."""

    candidate_id: str
    text: str


class CompactAnswer(Answer):
    """What a policy needs to choose."""

    episode_id: str
    text: str
    candidates: list[CandidateWord]
    reward: float | None
    done: bool
    steps_left: int


class RewardAnswer(Answer):
    """The reward alone."""

    episode_id: str
    reward: float | None
    done: bool
    steps_left: int


class ItemProblem(Problem):
    """Why one item of a batch was refused.

    Attributes:
        place: of the item, from 0.
    """

    place: int


class BatchAnswer(Answer):
    """The items' answers, in order.

    Attributes:
        rewards: None at a reset and where an item was refused.
        done: True where an item was refused.
        observations: one per item in the detail asked for, None where it was refused; empty for detail "reward".
        errors: the items that were refused.
    """

    episode_ids: list[str | None]
    rewards: list[float | None]
    done: list[bool]
    observations: list[FullAnswer | CompactAnswer | None]
    errors: list[ItemProblem]


class CheckpointAnswer(Answer):
    """An episode's checkpoint."""

    checkpoint: Checkpoint


class ClosedAnswer(Answer):
    """An ended episode."""

    episode_id: str


class EpisodeCount(Answer):
    """Running HTTP episodes, and how many there may be."""

    episodes: int
    most: int


class Health(Answer):
    """The process lives."""

    status: Literal["healthy"]


class Ready(Answer):
    """The server takes episodes, and what it serves."""

    status: Literal["ready"]
    version: str
    knowledge_fingerprint: str
    sessions: int
    episodes: int


class Metadata(Answer):
    """About the environment, as OpenEnv asks it."""

    name: str
    description: str
    readme_content: str | None
    version: str
    author: str | None
    documentation_url: str | None


class Schemas(Answer):
    """JSON schemas of what travels, as OpenEnv asks them."""

    action: dict[str, Any]
    observation: dict[str, Any]
    state: dict[str, Any]
    reset_observation: dict[str, Any]


class Task(BaseModel):
    """A task: one per split, sub-environment and difficulty."""

    model_config = ConfigDict(extra="allow")

    task_id: str
    split: str
    sub_environment: str
    difficulty: str
    description: str
    budget: int
    scenarios: int
    first_scenario_id: str


def refusals(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The refusals a route may answer with, for its documentation; those of the guard are every route's."""
    named = {
        "BAD_REQUEST",
        "INVALID_JSON",
        "FORBIDDEN",
        "UNAUTHORIZED",
        "TOO_LARGE",
        "RATE_LIMITED",
        "VALIDATION_ERROR",
        *codes,
    }
    found: dict[int | str, dict[str, Any]] = {}
    for code in sorted(named, key=CODES.index):
        entry = found.setdefault(STATUS[code], {"model": ErrorAnswer, "description": ""})
        entry["description"] += ("; " if entry["description"] else "") + code
    return found
