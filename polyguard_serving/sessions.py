"""Episodes over plain HTTP: held by episode id, bounded in number, dropped when idle."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from polyguard_env.errors import PolyGuardError
from polyguard_serving.environment import PolyGuardEnvironment
from polyguard_serving.options import ResetOptions
from polyguard_serving.types import ServedObservation


@dataclass(slots=True)
class Held:
    environment: PolyGuardEnvironment
    used: float


class EpisodeStore:
    """Running HTTP episodes.

    Args:
        capacity: most episodes held; starting one more drops the least recently used.
        idle_seconds: an episode unused for this long is dropped.
        clock: monotonic seconds.
    """

    def __init__(self, capacity: int = 1024, idle_seconds: float = 900.0, clock: Callable[[], float] = time.monotonic):
        self.capacity, self.idle_seconds, self.clock = capacity, idle_seconds, clock
        self._held: OrderedDict[str, Held] = OrderedDict()

    def start(self, options: ResetOptions) -> ServedObservation:
        """Start an episode and hold it by its id, replacing an episode of the same id.

        Without an `episode_id` it gets a fresh one, so that callers who ask for the same scenario don't meet.

        Raises:
            PolyGuardError: a bad option; nothing is held then.
        """
        environment = PolyGuardEnvironment()
        values = options.model_dump()
        observation = environment.reset(**values | {"episode_id": options.episode_id or uuid4().hex})
        self._drop_idle()
        self._held.pop(observation.episode_id, None)
        while len(self._held) >= self.capacity:
            self._held.popitem(last=False)
        self._held[observation.episode_id] = Held(environment, self.clock())
        return observation

    def get(self, episode_id: str | None) -> PolyGuardEnvironment:
        """The environment of an episode; without an id, of the only one running.

        Raises:
            PolyGuardError: no such episode (it may have ended or idled out).
        """
        self._drop_idle()
        if episode_id is None and len(self._held) == 1:
            episode_id = next(iter(self._held))
        if episode_id is None or episode_id not in self._held:
            raise PolyGuardError("episode_id", episode_id, "POST /reset first and pass the episode_id it returns")
        held = self._held[episode_id]
        held.used = self.clock()
        self._held.move_to_end(episode_id)
        return held.environment

    def __len__(self) -> int:
        return len(self._held)

    def _drop_idle(self) -> None:
        limit = self.clock() - self.idle_seconds
        while self._held and next(iter(self._held.values())).used < limit:
            self._held.popitem(last=False)
