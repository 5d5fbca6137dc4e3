"""The store of episodes: bounded, timed, and idle episodes go."""

from __future__ import annotations

from typing import Any

import pytest

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardAction, PolyGuardObservation
from polyguard_env.errors import PolyGuardError
from polyguard_serving.options import ResetOptions
from polyguard_serving.refusals import Refusal
from polyguard_serving.sessions import EpisodeStore
from polyguard_serving.slots import OwnSlots

FINISH = PolyGuardAction(text="finish")


def test_a_running_episode_is_never_dropped_for_another() -> None:
    store = EpisodeStore(capacity=2)
    for name in ("a", "b"):
        store.start(ResetOptions(episode_id=name))
    with pytest.raises(Refusal) as refused:
        store.start(ResetOptions(episode_id="c"))
    assert refused.value.code == "CAPACITY_REACHED" and (refused.value.retry_after or 0) >= 1
    assert store.names() == ["a", "b"]
    store.close("a")
    assert store.start(ResetOptions(episode_id="c")).episode_id == "c"


def test_a_finished_episode_makes_room_and_a_name_is_taken_over() -> None:
    store = EpisodeStore(capacity=2)
    for name in ("a", "b"):
        store.start(ResetOptions(episode_id=name))
    store.step("b", FINISH)
    store.start(ResetOptions(episode_id="c"))
    assert store.names() == ["a", "c"]
    store.start(ResetOptions(episode_id="a", seed=5))
    assert store.get("a").env.state.seed == 5 and store.slots.taken() == 2


def test_slots_are_shared_and_given_back() -> None:
    slots = OwnSlots(2)
    one, other = EpisodeStore(slots), EpisodeStore(slots)
    one.start(ResetOptions())
    other.start(ResetOptions())
    with pytest.raises(Refusal):
        other.start(ResetOptions())
    one.close_all()
    other.start(ResetOptions())
    other.close_all()
    assert slots.taken() == 0


def test_idle_episodes_are_dropped_and_used_ones_kept() -> None:
    now = 0.0
    store = EpisodeStore(idle_seconds=10.0, clock=lambda: now)
    store.start(ResetOptions(episode_id="a"))
    store.start(ResetOptions(episode_id="b"))
    now = 8.0
    store.get("a")
    now = 12.0
    with pytest.raises(PolyGuardError, match="episode_id"):
        store.get("b")
    assert store.names() == ["a"] and store.slots.taken() == 1


class BrokenEnv(PolyGuardEnv):
    """An environment that refuses every reset."""

    def reset(self, *arguments: Any, **named: Any) -> PolyGuardObservation:
        raise PolyGuardError("difficulty", "brutal", "use another")


def test_a_refused_reset_holds_nothing() -> None:
    store = EpisodeStore(make=BrokenEnv)
    with pytest.raises(PolyGuardError, match="difficulty"):
        store.start(ResetOptions())
    assert len(store) == 0 and store.slots.taken() == 0


def test_an_unnamed_episode_is_found_only_while_it_is_the_only_one() -> None:
    store = EpisodeStore()
    started = store.start(ResetOptions())
    assert store.get(None).env.state.episode_id == started.episode_id
    store.start(ResetOptions())
    with pytest.raises(PolyGuardError, match="episode_id"):
        store.get(None)


class SlowEnv(PolyGuardEnv):
    """An environment whose steps and resets take as long as `delay` says on the test's clock."""

    now = 0.0
    delay = 0.0

    def step(self, action: PolyGuardAction) -> PolyGuardObservation:
        SlowEnv.now += SlowEnv.delay
        return super().step(action)

    def reset(self, *arguments: Any, **named: Any) -> PolyGuardObservation:
        SlowEnv.now += SlowEnv.delay
        return super().reset(*arguments, **named)


def test_a_step_that_takes_too_long_changes_nothing() -> None:
    SlowEnv.now = SlowEnv.delay = 0.0
    store = EpisodeStore(clock=lambda: SlowEnv.now, make=SlowEnv)
    store.start(ResetOptions(episode_id="a", difficulty="hard"))
    before = store.get("a").env.get_state()
    SlowEnv.delay = 2.0
    with pytest.raises(Refusal) as refused:
        store.step("a", PolyGuardAction(text="nonsense"), timeout_s=1.0, received=SlowEnv.now)
    assert refused.value.code == "TIMEOUT" and store.get("a").env.get_state() == before
    # One that waited too long for its turn is not begun.
    with pytest.raises(Refusal):
        store.step("a", FINISH, timeout_s=1.0, received=SlowEnv.now - 5.0)
    assert store.step("a", FINISH, timeout_s=3.0, received=SlowEnv.now).done


def test_a_reset_that_takes_too_long_leaves_no_episode() -> None:
    SlowEnv.now, SlowEnv.delay = 0.0, 2.0
    store = EpisodeStore(clock=lambda: SlowEnv.now, make=SlowEnv)
    with pytest.raises(Refusal):
        store.start(ResetOptions(episode_id="a", timeout_s=1.0), received=SlowEnv.now)
    assert len(store) == 0 and store.slots.taken() == 0
