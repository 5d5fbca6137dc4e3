"""What can be asked of episodes, whichever way it comes in: HTTP, websocket, MCP or another worker."""

from __future__ import annotations

import time
from typing import Any

from polyguard_env.environment.messages import PolyGuardObservation
from polyguard_serving.batch import Call, run_batch
from polyguard_serving.logs import Log
from polyguard_serving.options import (
    BatchReset,
    BatchStep,
    Options,
    ResetOptions,
    RestoreOptions,
    StateOptions,
    StepOptions,
)
from polyguard_serving.sessions import Brief, EpisodeStore
from polyguard_serving.tally import Tally
from polyguard_serving.types import ServedAction
from polyguard_serving.wire import VIEWS, Detail


class Host:
    """The episodes of one store, with their counting and logging.

    Args:
        way: "http", "ws" or "mcp": a label of the counts.
    """

    def __init__(self, store: EpisodeStore, tally: Tally, log: Log, way: str = "http") -> None:
        self.store, self.tally, self.log, self.way = store, tally, log, way

    def reset(self, options: ResetOptions, received: float | None = None) -> dict[str, Any]:
        """Start an episode."""
        return VIEWS[Detail.FULL](self.started(self.store.start(options, received), options))

    def step(self, options: StepOptions, received: float | None = None) -> dict[str, Any]:
        """Take one action."""
        began = time.perf_counter()
        seen = self.store.step(options.episode_id, options.action, options.timeout_s, received)
        self.stepped(seen)
        answer = VIEWS[options.detail](seen)
        self.tally.time("polyguard_step_seconds", time.perf_counter() - began)
        return answer

    def state(self, options: StateOptions) -> dict[str, Any]:
        """The public state of an episode; an empty one while none is running."""
        if options.episode_id is None and len(self.store) == 0:
            return self.store.make().state.model_dump()
        return self.store.get(options.episode_id).env.state.model_dump()

    def candidates(self, options: StateOptions) -> dict[str, Any]:
        """What may be done now."""
        return VIEWS[Detail.COMPACT](self.store.get(options.episode_id).seen)

    def checkpoint(self, options: StateOptions) -> dict[str, Any]:
        """An episode's checkpoint."""
        return {"checkpoint": self.store.get(options.episode_id).env.get_state()}

    def restore(self, options: RestoreOptions) -> dict[str, Any]:
        """Continue from a checkpoint."""
        seen = self.store.restore(options.checkpoint.model_dump(), options.episode_id)
        self.restored(seen)
        return VIEWS[Detail.FULL](seen)

    def close(self, options: StateOptions) -> dict[str, Any]:
        """End an episode."""
        name = str(options.episode_id)
        self.store.close(name)
        self.log.event("episode_closed", episode_id=name, way=self.way)
        return {"episode_id": name}

    def sole(self, options: Options) -> dict[str, Any]:
        """How many episodes run, and the id of the only one."""
        names = self.store.names()
        return {"count": len(names), "episode_id": names[0] if len(names) == 1 else None}

    def free(self, options: Options) -> dict[str, Any]:
        """Drop the episodes that are idle or have ended; how many there were."""
        return {"count": self.store.free()}

    async def batch_reset(self, batch: BatchReset) -> dict[str, Any]:
        """Start many episodes."""

        def call(options: ResetOptions) -> Call:
            return options.episode_id, lambda: self.started(self.store.start(options), options)

        return await run_batch([call(options) for options in batch.items], batch.detail, self.tally)

    async def batch_step(self, batch: BatchStep) -> dict[str, Any]:
        """Take many actions."""

        brief = batch.detail is Detail.REWARD

        def call(name: str, action: int | str | ServedAction) -> Call:
            if brief and isinstance(action, int):
                return name, lambda: self._advanced(name, action)
            return name, lambda: self._acted(name, action)

        pairs = zip(batch.episode_ids, batch.actions, strict=True)
        return await run_batch([call(name, action) for name, action in pairs], batch.detail, self.tally)

    def _acted(self, name: str, action: int | str | ServedAction) -> PolyGuardObservation:
        whole = action if isinstance(action, ServedAction) else self.store.get(name).read(action)
        seen = self.store.step(name, whole)
        self.stepped(seen)
        return seen

    def _advanced(self, name: str, place: int) -> Brief:
        taken = self.store.advance(name, place)
        self.tally.add("polyguard_steps", self.way)
        if taken.done:
            env = self.store.get(name).env
            self._finished(name, env.scenario.scenario_id, env.episode_reward(), env.harm_events)
        return taken

    def restored(self, seen: PolyGuardObservation) -> None:
        """Count and log an episode that goes on from a checkpoint."""
        self.tally.add("polyguard_episodes_started", self.way)
        self.log.event("episode_restored", episode_id=seen.episode_id, scenario_id=seen.scenario_id, way=self.way)

    def started(self, seen: PolyGuardObservation, options: ResetOptions) -> PolyGuardObservation:
        """Count and log an episode that started."""
        self.tally.add("polyguard_episodes_started", self.way)
        self.log.event(
            "episode_started", episode_id=seen.episode_id, scenario_id=seen.scenario_id, seed=options.seed, way=self.way
        )
        return seen

    def stepped(self, seen: PolyGuardObservation) -> None:
        """Count a step, and log the end of an episode."""
        self.tally.add("polyguard_steps", self.way)
        if seen.done:
            self._finished(seen.episode_id, seen.scenario_id, seen.info["episode_reward"], seen.info["harm_events"])

    def _finished(self, episode_id: str, scenario_id: str, reward: float, harm_events: int) -> None:
        self.tally.add("polyguard_episodes_finished", self.way)
        self.log.event(
            "episode_finished",
            episode_id=episode_id,
            scenario_id=scenario_id,
            reward=reward,
            harm_events=harm_events,
            way=self.way,
        )
