"""What can be asked of episodes, whichever way it comes in: HTTP, websocket, MCP or another worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardObservation
from polyguard_env.errors import PolyGuardError
from polyguard_serving.batch import SLICE_SECONDS, Call, empty, refuse_item, run_batch
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
from polyguard_serving.sessions import EpisodeStore
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
        return VIEWS[Detail.FULL](self._reset(options, received))

    def step(self, options: StepOptions, received: float | None = None) -> dict[str, Any]:
        """Take one action."""
        began = time.perf_counter()
        seen = self.store.step(options.episode_id, options.action, options.timeout_s, received)
        self.stepped(self.store.get(seen.episode_id).env, seen.done)
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
        self.restored(self.store.get(seen.episode_id).env)
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
            return options.episode_id, lambda: self._reset(options)

        return await run_batch([call(options) for options in batch.items], batch.detail, self.tally)

    async def batch_step(self, batch: BatchStep) -> dict[str, Any]:
        """Take many actions."""
        places = [action for action in batch.actions if isinstance(action, int)]
        if batch.detail is Detail.REWARD and len(places) == len(batch.actions):
            return await self._advance(batch.episode_ids, places)

        def call(name: str, action: int | str | ServedAction) -> Call:
            return name, lambda: self._acted(name, action)

        pairs = zip(batch.episode_ids, batch.actions, strict=True)
        return await run_batch([call(name, action) for name, action in pairs], batch.detail, self.tally)

    async def _advance(self, names: Sequence[str], places: Sequence[int]) -> dict[str, Any]:
        """Take the candidates at these places, for their rewards alone."""
        answer = empty()
        ids, rewards, done = answer["episode_ids"], answer["rewards"], answer["done"]
        advance, now = self.store.advance, time.perf_counter
        until = now() + SLICE_SECONDS
        for item, (name, place) in enumerate(zip(names, places, strict=True)):
            try:
                env = advance(name, place)
            except PolyGuardError as error:
                refuse_item(answer, item, name, error, self.tally)
            else:
                ended = env.done
                ids.append(name)
                rewards.append(env.reward)
                done.append(ended)
                self.stepped(env, ended)
            if now() > until:
                await asyncio.sleep(0)
                until = now() + SLICE_SECONDS
        return answer

    def _reset(self, options: ResetOptions, received: float | None = None) -> PolyGuardObservation:
        seen = self.store.start(options, received)
        self.started(self.store.get(seen.episode_id).env, options)
        return seen

    def _acted(self, name: str, action: int | str | ServedAction) -> PolyGuardObservation:
        episode = self.store.get(name)
        whole = action if isinstance(action, ServedAction) else episode.read(action)
        seen = self.store.step(name, whole)
        self.stepped(episode.env, seen.done)
        return seen

    def restored(self, env: PolyGuardEnv) -> None:
        """Count and log an episode that goes on from a checkpoint."""
        self.tally.add("polyguard_episodes_started", self.way)
        self.log.event(
            "episode_restored", episode_id=env.episode_id, scenario_id=env.scenario.scenario_id, way=self.way
        )

    def started(self, env: PolyGuardEnv, options: ResetOptions) -> None:
        """Count and log an episode that started."""
        self.tally.add("polyguard_episodes_started", self.way)
        self.log.event(
            "episode_started",
            episode_id=env.episode_id,
            scenario_id=env.scenario.scenario_id,
            seed=options.seed,
            way=self.way,
        )

    def stepped(self, env: PolyGuardEnv, ended: bool) -> None:
        """Count a step, and count and log the end of an episode."""
        self.tally.add("polyguard_steps", self.way)
        if not ended:
            return
        self.tally.add("polyguard_episodes_finished", self.way)
        self.log.event(
            "episode_finished",
            episode_id=env.episode_id,
            scenario_id=env.scenario.scenario_id,
            reward=env.episode_reward(),
            harm_events=env.harm_events,
            way=self.way,
        )
