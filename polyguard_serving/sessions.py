"""Running episodes: held by id, bounded in number, dropped when idle, kept on disk when asked to."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import uuid4

from polyguard_env.environment.answers import chosen
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardAction, PolyGuardObservation
from polyguard_env.errors import PolyGuardError
from polyguard_serving.ledger import Ledger
from polyguard_serving.options import ResetOptions
from polyguard_serving.refusals import Refusal
from polyguard_serving.slots import OwnSlots, Slots

Told = TypeVar("Told")

LONGEST_RETRY_SECONDS = 60


class Episode:
    """A running episode.

    Attributes:
        used: when it was last asked for, monotonic seconds.
    """

    __slots__ = ("_seen", "env", "used")

    def __init__(self, env: PolyGuardEnv, seen: PolyGuardObservation, used: float) -> None:
        self.env, self.used = env, used
        self._seen: PolyGuardObservation | None = seen

    @property
    def seen(self) -> PolyGuardObservation:
        """Its last observation; put in words when it is first asked for."""
        if self._seen is None:
            self._seen = self.env.observe()
        return self._seen

    @seen.setter
    def seen(self, seen: PolyGuardObservation | None) -> None:
        self._seen = seen

    def read(self, action: int | str) -> PolyGuardAction:
        """A short form of an action: a candidate's place, or an answer as a model writes it (`parse_answer`).

        A place beyond the candidates names none, as a wrong id does.
        """
        candidates = self.seen.candidates
        if isinstance(action, int):
            return PolyGuardAction(
                candidate_id=candidates[action].candidate_id if action < len(candidates) else f"place {action}"
            )
        return chosen(action, candidates)


class EpisodeStore:
    """Running episodes.

    Args:
        capacity: most episodes held, or the slots shared with other stores.
        idle_seconds: an episode unused for this long is dropped.
        clock: monotonic seconds.
        ledger: where checkpoints are kept, so that episodes outlive the process.
        make: makes an environment.
    """

    def __init__(
        self,
        capacity: int | Slots = 1024,
        idle_seconds: float = 900.0,
        clock: Callable[[], float] = time.monotonic,
        ledger: Ledger | None = None,
        make: Callable[[], PolyGuardEnv] = PolyGuardEnv,
    ) -> None:
        self.slots = OwnSlots(capacity) if isinstance(capacity, int) else capacity
        self.idle_seconds, self.clock, self.ledger, self.make = idle_seconds, clock, ledger, make
        self._held: OrderedDict[str, Episode] = OrderedDict()

    def start(self, options: ResetOptions, received: float | None = None) -> PolyGuardObservation:
        """Start an episode and hold it by its id, replacing an episode of the same id.

        Without an `episode_id` it gets a fresh one, so that callers who ask for the same scenario don't meet.

        Raises:
            PolyGuardError: a bad option; nothing is held then.
            Refusal: CAPACITY_REACHED when every slot is taken by an unfinished episode; TIMEOUT.
        """
        name = options.episode_id or uuid4().hex
        env = self.make()
        with self._room(name):
            seen = env.reset(**options.arguments() | {"episode_id": name})
            check_time(self.clock, options.timeout_s, received)
            self._hold(name, env, seen)
        return seen

    def restore(self, saved: dict[str, Any], name: str | None = None) -> PolyGuardObservation:
        """Continue an episode from its checkpoint, under its own id or another one.

        Raises:
            PolyGuardError: the checkpoint cannot be read, or comes from other knowledge.
            Refusal: CAPACITY_REACHED.
        """
        name = name or saved["episode_id"]
        env = self.make()
        with self._room(name):
            seen = resume(env, saved | {"episode_id": name})
            self._hold(name, env, seen)
        return seen

    def get(self, episode_id: str | None) -> Episode:
        """An episode; without an id, the only one running.

        Raises:
            PolyGuardError: no such episode (it may have ended or idled out).
        """
        if episode_id is None and len(self._held) == 1:
            episode_id = next(iter(self._held))
        episode = self._held.get(episode_id) if episode_id is not None else None
        now = self.clock()
        if episode is not None and now - episode.used > self.idle_seconds:
            self.drop_idle()
            episode = None
        if episode is None:
            kept = self.ledger.load(episode_id) if self.ledger and episode_id is not None else None
            if kept is None:
                raise PolyGuardError("episode_id", episode_id, "POST /reset first and pass the episode_id it returns")
            self.restore(kept)
            episode = self._held[str(episode_id)]
        episode.used = now
        self._held.move_to_end(str(episode_id))
        return episode

    def peek(self, episode_id: str) -> Episode | None:
        """An episode that is held, without a use of it being noted; None when there is none."""
        return self._held.get(episode_id)

    def step(
        self,
        episode_id: str | None,
        action: PolyGuardAction,
        timeout_s: float | None = None,
        received: float | None = None,
    ) -> PolyGuardObservation:
        """Take one action.

        Raises:
            PolyGuardError: no such episode, or it has ended.
            Refusal: TIMEOUT when the step took longer than `timeout_s` from `received` on; nothing is changed then.
        """
        episode = self.get(episode_id)
        env = episode.env
        seen = within(env, lambda: env.step(action), self.clock, timeout_s, received)
        episode.seen = seen
        if self.ledger is not None:
            self.ledger.save(seen.episode_id, env.get_state())
        return seen

    def advance(self, episode_id: str, place: int) -> PolyGuardEnv:
        """Take the candidate at a place, and leave the observation for when it is asked for.

        Raises:
            PolyGuardError: no such episode, or it has ended.
        """
        episode = self.get(episode_id)
        episode.env.advance(place)
        episode.seen = None
        if self.ledger is not None:
            self.ledger.save(episode_id, episode.env.get_state())
        return episode.env

    def close(self, episode_id: str) -> None:
        """End an episode and free its slot.

        Raises:
            PolyGuardError: no such episode.
        """
        self.get(episode_id)
        self._drop(episode_id)

    def close_all(self) -> None:
        """End every episode."""
        for name in list(self._held):
            self._drop(name)

    def names(self) -> list[str]:
        """Ids of the running episodes, least recently used first."""
        self.drop_idle()
        return list(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def drop_idle(self) -> int:
        """Drop the episodes that have idled too long; how many there were."""
        limit, dropped = self.clock() - self.idle_seconds, 0
        while self._held and next(iter(self._held.values())).used < limit:
            self._drop(next(iter(self._held)))
            dropped += 1
        return dropped

    def _hold(self, name: str, env: PolyGuardEnv, seen: PolyGuardObservation) -> None:
        self._held[name] = Episode(env, seen, self.clock())
        self._held.move_to_end(name)
        if self.ledger is not None:
            self.ledger.save(name, env.get_state())

    def _drop(self, name: str) -> None:
        del self._held[name]
        self.slots.give()
        if self.ledger is not None:
            self.ledger.forget(name)

    def free(self) -> int:
        """Drop the episodes that have idled too long and those that have ended; how many there were."""
        dropped = self.drop_idle()
        ended = [name for name, episode in self._held.items() if episode.env.done]
        for name in ended:
            self._drop(name)
        return dropped + len(ended)

    @contextmanager
    def _room(self, name: str) -> Iterator[None]:
        """A slot for an episode, given back when it does not come to be held.

        One of the same id gives way to it; without a slot idle ones go, then ended ones; never a running one.
        """
        if name in self._held:
            yield
            return
        if not self.slots.take():
            self.free()
            if not self.slots.take():
                raise self._full()
        try:
            yield
        except BaseException:
            self.slots.give()
            raise

    def _full(self) -> Refusal:
        wait = LONGEST_RETRY_SECONDS
        if self._held:
            oldest = next(iter(self._held.values())).used
            wait = max(1, min(wait, int(oldest + self.idle_seconds - self.clock()) + 1))
        fix = f"{self.slots.most} episodes run already: finish or DELETE one, or try again later"
        return Refusal("CAPACITY_REACHED", "episodes", self.slots.taken(), fix, retry_after=wait)


def check_time(clock: Callable[[], float], timeout_s: float | None, received: float | None) -> None:
    """Refuse what took too long.

    Raises:
        Refusal: TIMEOUT: more than `timeout_s` have passed since `received`.
    """
    if timeout_s is None or received is None:
        return
    took = clock() - received
    if took > timeout_s:
        fix = f"it took {took:.3f} s and changed nothing: allow more time"
        raise Refusal("TIMEOUT", "timeout_s", timeout_s, fix)


def within(
    env: PolyGuardEnv,
    act: Callable[[], Told],
    clock: Callable[[], float],
    timeout_s: float | None,
    received: float | None,
) -> Told:
    """What an action comes to, taken back when it took too long.

    Raises:
        Refusal: TIMEOUT; the episode is as it was.
    """
    if timeout_s is None:
        return act()
    check_time(clock, timeout_s, received)
    saved = env.get_state()
    told = act()
    try:
        check_time(clock, timeout_s, received)
    except Refusal:
        env.set_state(saved)
        raise
    return told


def resume(env: PolyGuardEnv, saved: dict[str, Any]) -> PolyGuardObservation:
    """Continue from a checkpoint that came from outside.

    Raises:
        Refusal: CONFLICT: it is not what `get_state` gave, or the knowledge differs.
    """
    try:
        return env.set_state(saved)
    except PolyGuardError as error:
        raise Refusal("CONFLICT", error.field, error.value, error.fix) from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        fix = f"send a checkpoint back unchanged ({type(error).__name__})"
        raise Refusal("CONFLICT", "checkpoint", saved.get("scenario_id"), fix) from error
