"""The tools: an episode's calls, and look-ups in the knowledge."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, Field

from polyguard_serving import clinic
from polyguard_serving.episodes import Episodes
from polyguard_serving.offload import Offload
from polyguard_serving.options import WHOLE, NoOptions, Options, ResetOptions, StateOptions, StepArguments, StepOptions
from polyguard_serving.types import ServedAction

DrugName = Annotated[str, Field(min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool.

    Attributes:
        about: what it does.
        arguments: what it takes.
        reads: True when it changes nothing.
    """

    about: str
    arguments: type[BaseModel]
    call: Callable[[Any], Awaitable[dict[str, Any]]]
    reads: bool = True


class Question(Options):
    """A question in plain words; any drug name or brand works."""

    question: str = Field(min_length=1, max_length=1000)
    most: Annotated[int, Field(ge=1, le=20, strict=True), WHOLE] = 5


class Regimen(Options):
    """Drugs by name, or a patient (age, sex, weight, height, conditions, measurements, regimen)."""

    drugs: list[DrugName] = Field(default_factory=list, max_length=40)
    patient: dict[str, Any] | None = None


class DrugPair(Options):
    """Two drugs or more, by name or brand."""

    drugs: list[DrugName] = Field(min_length=1, max_length=40)


def tools(episodes: Episodes, lookups: Offload) -> dict[str, Tool]:
    """The tools, by name."""

    async def ask(operation: str, options: Options) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(await episodes.call(operation, options))
        return found

    async def reset(options: ResetOptions) -> dict[str, Any]:
        return _seen(await ask("reset", options))

    async def step(given: StepArguments) -> dict[str, Any]:
        action = ServedAction(**given.model_dump(exclude={"episode_id"}))
        return _seen(await ask("step", StepOptions(action=action, episode_id=given.episode_id)))

    async def list_tasks(options: NoOptions) -> dict[str, Any]:
        return {"tasks": episodes.host.store.make().list_tasks()}

    return {
        "reset": Tool(
            "Start an episode; pass the episode_id it returns to the others.", ResetOptions, reset, reads=False
        ),
        "step": Tool("Take one action, named by candidate_id or text.", StepArguments, step, reads=False),
        "candidates": Tool(
            "The actions an episode offers now, with its text.",
            StateOptions,
            lambda options: ask("candidates", options),
        ),
        "state": Tool("The public state of an episode.", StateOptions, lambda options: ask("state", options)),
        "list_tasks": Tool("The tasks on offer.", NoOptions, list_tasks),
        "evidence_search": Tool(
            "Passages with sources that answer a question about drugs.",
            Question,
            lambda given: lookups.run(clinic.search_evidence, given.question, given.most),
        ),
        "regimen_review": Tool(
            "Findings of a regimen: interactions, dosing, burden, omissions, monitoring.",
            Regimen,
            lambda given: lookups.run(clinic.review, given.drugs, given.patient),
        ),
        "interaction_check": Tool(
            "Graded interactions among two drugs or more.",
            DrugPair,
            lambda given: lookups.run(clinic.check_interactions, given.drugs),
        ),
    }


def _seen(answer: dict[str, Any]) -> dict[str, Any]:
    """An observation with its reward and end in it."""
    observation: dict[str, Any] = answer["observation"]
    return observation | {"reward": answer["reward"], "done": answer["done"]}
