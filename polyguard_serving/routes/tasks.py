"""The task API: ours by task id, and OpenEnv's by split and place."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import Field

from polyguard_env.environment.splits import SPLITS
from polyguard_serving.answers import Answer, Task, refusals
from polyguard_serving.environment_words import NAME
from polyguard_serving.options import WHOLE, Options, Split
from polyguard_serving.refusals import Refusal
from polyguard_serving.service import Service

KIND_OF_SPLIT = {"train": "train", "validation": "validation", "holdout": "test"}
Index = Annotated[int, Field(ge=0, le=100_000, strict=True), WHOLE]
NOT_FOUND = refusals("NOT_FOUND")


class OfSplit(Options):
    """A split."""

    split: Split


class OfPlace(OfSplit):
    """A task's place in a split."""

    index: Index


class OfRange(OfSplit):
    """Places from start on, without stop."""

    start: Index | None = None
    stop: Index | None = None


class SplitAnswer(Answer):
    """A split, with the kind OpenEnv knows it as."""

    name: str
    type: str


class TasksOf(Answer):
    """Tasks of a split."""

    tasks: list[Task]
    env_name: str


class TaskRange(Answer):
    """Some tasks of a split."""

    tasks: list[Task]


class TaskCount(Answer):
    """How many tasks a split has."""

    num_tasks: int


class OneTask(Answer):
    """A task."""

    task: Task


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["Task API"])

    def of_split(split: str) -> list[dict[str, Any]]:
        return [task for task in service.tasks() if task["split"] == split]

    @routes.get("/tasks", responses=refusals())
    async def tasks() -> list[Task]:
        """One task per split, sub-environment and difficulty."""
        return [Task(**task) for task in service.tasks()]

    @routes.get("/tasks/{task_id}", responses=NOT_FOUND)
    async def task(task_id: Annotated[str, Path(max_length=64)]) -> Task:
        """One task."""
        return Task(**service.env().get_task(task_id))

    @routes.get("/list_environments", responses=refusals())
    async def list_environments() -> list[str]:
        """The name of the one environment that is served."""
        return [NAME]

    @routes.get(f"/{NAME}/splits", responses=refusals())
    async def list_splits() -> list[SplitAnswer]:
        """The splits."""
        return [SplitAnswer(name=split, type=KIND_OF_SPLIT[split]) for split in SPLITS]

    @routes.post(f"/{NAME}/tasks", responses=refusals())
    async def list_tasks(asked: OfSplit) -> TasksOf:
        """The tasks of a split."""
        return TasksOf(tasks=[Task(**task) for task in of_split(asked.split)], env_name=NAME)

    @routes.post(f"/{NAME}/num_tasks", responses=refusals())
    async def num_tasks(asked: OfSplit) -> TaskCount:
        """How many tasks a split has."""
        return TaskCount(num_tasks=len(of_split(asked.split)))

    @routes.post(f"/{NAME}/task", responses=NOT_FOUND)
    async def get_task(asked: OfPlace) -> OneTask:
        """The task at a place."""
        found = of_split(asked.split)
        if asked.index >= len(found):
            raise Refusal("NOT_FOUND", "index", asked.index, f"use a place from 0 to {len(found) - 1}")
        return OneTask(task=Task(**found[asked.index]))

    @routes.post(f"/{NAME}/task_range", responses=refusals())
    async def get_task_range(asked: OfRange) -> TaskRange:
        """The tasks of a range of places."""
        return TaskRange(tasks=[Task(**task) for task in of_split(asked.split)[asked.start : asked.stop]])

    return routes
