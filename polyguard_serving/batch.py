"""Many episodes in one message: each item does what it would alone, and one that is refused spoils no other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from polyguard_env.environment.messages import PolyGuardObservation
from polyguard_env.errors import PolyGuardError
from polyguard_serving.refusals import Refusal, code_of, problem
from polyguard_serving.tally import Tally
from polyguard_serving.wire import VIEWS, Detail

Call = tuple[str | None, Callable[[], PolyGuardObservation]]
# A batch gives way to other callers after this long.
SLICE_SECONDS = 0.004


async def run_batch(calls: Sequence[Call], detail: Detail, tally: Tally) -> dict[str, Any]:
    """The answers of the calls, in order, as `BatchAnswer`."""
    answer = empty()
    ids, rewards, done, views = (answer[name] for name in ("episode_ids", "rewards", "done", "observations"))
    view = None if detail is Detail.REWARD else VIEWS[detail]
    until = time.perf_counter() + SLICE_SECONDS
    for place, (name, call) in enumerate(calls):
        try:
            seen = call()
        except PolyGuardError as error:
            refuse_item(answer, place, name, error, tally)
            if view is not None:
                views.append(None)
        else:
            ids.append(seen.episode_id)
            rewards.append(seen.reward)
            done.append(seen.done)
            if view is not None:
                views.append(view(seen))
        if time.perf_counter() > until:
            await asyncio.sleep(0)
            until = time.perf_counter() + SLICE_SECONDS
    return answer


def refuse_item(answer: dict[str, Any], place: int, name: str | None, error: PolyGuardError, tally: Tally) -> None:
    """Note in an answer that its next item was refused."""
    tally.add("polyguard_refusals", code_of(error))
    answer["errors"].append({"place": place} | problem(error))
    answer["episode_ids"].append(name)
    answer["rewards"].append(None)
    answer["done"].append(True)


def check_lengths(episodes: int, actions: int) -> None:
    """Refuse lists that disagree.

    Raises:
        Refusal: CONFLICT.
    """
    if episodes != actions:
        raise Refusal("CONFLICT", "actions", actions, f"send {episodes}, one for each episode")


def empty() -> dict[str, Any]:
    """An answer of no items."""
    return {"episode_ids": [], "rewards": [], "done": [], "observations": [], "errors": []}


def merged(parts: Sequence[tuple[Sequence[int], dict[str, Any]]]) -> dict[str, Any]:
    """One answer of parts, each with the places its items had in the whole."""
    count = sum(len(places) for places, _ in parts)
    whole = {name: [None] * count for name in ("episode_ids", "rewards", "done")}
    whole["observations"] = [None] * (count if any(part["observations"] for _, part in parts) else 0)
    errors = []
    for places, part in parts:
        for name, values in whole.items():
            for place, value in zip(places, part[name], strict=False):
                values[place] = value
        errors += [error | {"place": places[error["place"]]} for error in part["errors"]]
    return whole | {"errors": sorted(errors, key=lambda error: error["place"])}
