"""The active model of several workers: one of them has its process, and the others ask there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Protocol

import orjson
from pydantic import TypeAdapter

from polyguard_serving.peers import Peers
from polyguard_serving.policy.model_process import Scored

# Calls between workers.
SCORE, STATE = "model_score", "model_state"
SCORED = TypeAdapter(Scored)


class Model(Protocol):
    """Whoever answers for the active model."""

    async def score(self, system: str, user: str, candidates: Sequence[str]) -> Scored:
        """The model's word on one decision."""

    async def told(self) -> dict[str, Any]:
        """How its process does."""

    async def close(self) -> None:
        """End the process."""


class PeerModel:
    """The model of another worker.

    Args:
        peers: the way there.
        owner: that worker's number.
    """

    def __init__(self, peers: Peers, owner: int) -> None:
        self.peers, self.owner = peers, owner

    async def score(self, system: str, user: str, candidates: Sequence[str]) -> Scored:
        """The model's word on one decision.

        Raises:
            PolyGuardError: what the other worker refuses with.
        """
        asked = orjson.dumps({"system": system, "user": user, "candidates": list(candidates)})
        return SCORED.validate_json(await self.peers.ask(self.owner, SCORE, asked))

    async def told(self) -> dict[str, Any]:
        """How its process does."""
        found: dict[str, Any] = orjson.loads(await self.peers.ask(self.owner, STATE, b"{}"))
        return found

    async def close(self) -> None:
        """Nothing: the process is the other worker's."""


async def answered(model: Model, operation: str, body: bytes) -> bytes:
    """The answer to another worker's question about this worker's model."""
    if operation == STATE:
        return orjson.dumps(await model.told())
    return orjson.dumps(asdict(await model.score(**orjson.loads(body))))
