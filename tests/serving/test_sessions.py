"""The store of HTTP episodes: bounded, and idle episodes go."""

from __future__ import annotations

import pytest

from polyguard_env.errors import PolyGuardError
from polyguard_serving.options import ResetOptions
from polyguard_serving.sessions import EpisodeStore


def test_the_least_recently_used_episode_makes_room() -> None:
    store = EpisodeStore(capacity=2)
    for name in ("a", "b"):
        store.start(ResetOptions(episode_id=name))
    store.get("a")
    store.start(ResetOptions(episode_id="c"))
    assert len(store) == 2
    assert store.get("a").state.episode_id == "a"
    with pytest.raises(PolyGuardError, match="episode_id"):
        store.get("b")


def test_idle_episodes_are_dropped_and_used_ones_kept() -> None:
    now = 0.0
    store = EpisodeStore(idle_seconds=10.0, clock=lambda: now)
    store.start(ResetOptions(episode_id="a"))
    store.start(ResetOptions(episode_id="b"))
    now = 8.0
    store.get("a")
    now = 12.0
    store.get("a")
    assert len(store) == 1


def test_a_refused_reset_holds_nothing() -> None:
    store = EpisodeStore()
    with pytest.raises(PolyGuardError, match="difficulty"):
        store.start(ResetOptions(difficulty="brutal"))
    assert len(store) == 0


def test_an_unnamed_episode_is_found_only_while_it_is_the_only_one() -> None:
    store = EpisodeStore()
    started = store.start(ResetOptions())
    assert store.get(None).state.episode_id == started.episode_id
    store.start(ResetOptions())
    with pytest.raises(PolyGuardError, match="episode_id"):
        store.get(None)
