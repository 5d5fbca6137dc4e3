"""HTTP episodes over all workers: each episode has one owner, found from its id, and every call goes there.

One owner means one thread that touches an episode: no locks, no copies, no lost update, whichever worker the
caller happened to reach.
"""

from __future__ import annotations

import asyncio
import inspect
from hashlib import blake2b
from typing import Any
from uuid import uuid4

import orjson

from polyguard_env.errors import PolyGuardError
from polyguard_serving.batch import check_lengths, merged
from polyguard_serving.host import Host
from polyguard_serving.options import (
    BatchReset,
    BatchStep,
    Checkpoint,
    ForkOptions,
    Options,
    ResetOptions,
    RestoreOptions,
    StateOptions,
    StepOptions,
)
from polyguard_serving.peers import Peers

OPERATIONS: dict[str, type[Options]] = {
    "reset": ResetOptions,
    "step": StepOptions,
    "state": StateOptions,
    "candidates": StateOptions,
    "checkpoint": StateOptions,
    "restore": RestoreOptions,
    "close": StateOptions,
    "sole": Options,
    "free": Options,
    "batch_reset": BatchReset,
    "batch_step": BatchStep,
}


class Episodes:
    """Calls on HTTP episodes, answered here or by the worker that owns them.

    Args:
        host: this worker's episodes.
        peers: the other workers; None when this is the only one.
    """

    def __init__(self, host: Host, peers: Peers | None = None) -> None:
        self.host, self.peers = host, peers

    async def call(self, operation: str, options: Options, received: float | None = None) -> bytes:
        """The answer of an operation, as JSON.

        Args:
            received: when the request arrived, monotonic seconds.

        Raises:
            PolyGuardError: the operation refuses.
            Refusal: BUSY: the owner is being restarted.
        """
        if operation in ("batch_reset", "batch_step"):
            return orjson.dumps(await self._batch(operation, options))
        if self.peers is None:
            return orjson.dumps(await self.local(operation, options, received))
        if operation in ("reset", "restore"):
            await self._room(1)
        options = await self._named(operation, options)
        owner = self._owner(_name(options))
        if owner == self.peers.me:
            return orjson.dumps(await self.local(operation, options, received))
        return await self.peers.ask(owner, operation, options.model_dump_json(exclude_unset=True).encode())

    async def fork(self, episode_id: str, options: ForkOptions) -> bytes:
        """A copy of an episode under another id."""
        saved = orjson.loads(await self.call("checkpoint", StateOptions(episode_id=episode_id)))["checkpoint"]
        name = options.episode_id or self._fresh()
        return await self.call("restore", RestoreOptions(checkpoint=Checkpoint(**saved), episode_id=name))

    async def local(self, operation: str, options: Options, received: float | None = None) -> dict[str, Any]:
        """The answer of an operation on this worker's episodes."""
        call = getattr(self.host, operation)
        answer = call(options, received) if operation in ("reset", "step") else call(options)
        if inspect.isawaitable(answer):
            answer = await answer
        return answer  # type: ignore[no-any-return]

    async def answer(self, operation: str, body: bytes) -> bytes:
        """The answer to another worker's call."""
        options = OPERATIONS[operation].model_validate_json(body)
        return orjson.dumps(await self.local(operation, options))

    def _owner(self, name: str | None) -> int:
        if self.peers is None or name is None:
            return self.peers.me if self.peers else 0
        return int.from_bytes(blake2b(name.encode(), digest_size=4).digest(), "big") % self.peers.count

    def _fresh(self) -> str:
        """An id of this worker's own."""
        while True:
            name = uuid4().hex
            if self.peers is None or self._owner(name) == self.peers.me:
                return name

    async def _named(self, operation: str, options: Options) -> Options:
        """The options with the id of the episode that is meant."""
        assert self.peers is not None
        if isinstance(options, ResetOptions) and options.episode_id is None:
            return options.model_copy(update={"episode_id": self._fresh()})
        if isinstance(options, StateOptions | StepOptions) and options.episode_id is None:
            found = await asyncio.gather(
                *(self.peers.ask(other, "sole", b"{}") for other in self.peers.others),
            )
            all_found = [self.host.sole(options), *(orjson.loads(each) for each in found)]
            if sum(each["count"] for each in all_found) == 1:
                name = next(each["episode_id"] for each in all_found if each["episode_id"])
                return options.model_copy(update={"episode_id": name})
            if any(each["count"] for each in all_found):
                fix = "several episodes run: pass the episode_id that POST /reset returned"
                raise PolyGuardError("episode_id", None, fix)
        return options

    async def _batch(self, operation: str, batch: Options) -> dict[str, Any]:
        if isinstance(batch, BatchStep):
            check_lengths(len(batch.episode_ids), len(batch.actions))
        if self.peers is None:
            return await self.local(operation, batch)
        places: dict[int, list[int]] = {}
        parts: dict[int, Options] = {}
        if isinstance(batch, BatchReset):
            await self._room(len(batch.items))
            items = [
                item if item.episode_id else item.model_copy(update={"episode_id": uuid4().hex}) for item in batch.items
            ]
            for place, item in enumerate(items):
                places.setdefault(self._owner(item.episode_id), []).append(place)
            parts = {
                owner: batch.model_copy(update={"items": [items[place] for place in chosen]})
                for owner, chosen in places.items()
            }
        else:
            assert isinstance(batch, BatchStep)
            for place, name in enumerate(batch.episode_ids):
                places.setdefault(self._owner(name), []).append(place)
            parts = {
                owner: batch.model_copy(
                    update={
                        "episode_ids": [batch.episode_ids[place] for place in chosen],
                        "actions": [batch.actions[place] for place in chosen],
                    }
                )
                for owner, chosen in places.items()
            }
        answers = await asyncio.gather(*(self._part(owner, operation, part) for owner, part in parts.items()))
        return merged(list(zip(places.values(), answers, strict=True)))

    async def _room(self, count: int) -> None:
        """Have all workers drop what is idle or ended when there are no slots for so many more episodes."""
        assert self.peers is not None
        slots = self.host.store.slots
        if slots.taken() + count > slots.most:
            self.host.store.free()
            await self.peers.gather("free")

    async def _part(self, owner: int, operation: str, part: Options) -> dict[str, Any]:
        assert self.peers is not None
        if owner == self.peers.me:
            return await self.local(operation, part)
        body = part.model_dump_json(exclude_unset=True).encode()
        answer: dict[str, Any] = orjson.loads(await self.peers.ask(owner, operation, body))
        return answer


def _name(options: Options) -> str | None:
    if isinstance(options, RestoreOptions):
        return options.episode_id or options.checkpoint.episode_id
    name = getattr(options, "episode_id", None)
    return name if isinstance(name, str) else None
