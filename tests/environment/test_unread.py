"""An observation writes most of itself when it is first read; nobody can tell from what it says."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import WRITTEN_LATER, PolyGuardObservation
from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS, make_id

IDS = [make_id("train", name, level, 41) for name in SUB_ENVIRONMENTS for level in DIFFICULTIES]
WAYS: dict[str, Callable[[PolyGuardObservation], object]] = {
    "json": lambda seen: seen.model_dump_json(),
    "dict": lambda seen: seen.model_dump(),
    "repr": repr,
    "text": lambda seen: seen.text,
    "fields": lambda seen: list(seen),
    "vars": lambda seen: list(vars(seen)),
    "copy": lambda seen: copy.deepcopy(seen).model_dump(),
    "changed": lambda seen: seen.model_copy(update={"day": 3}).model_dump(),
    "pickle": lambda seen: pickle.loads(pickle.dumps(seen)).model_dump(),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_unread_observation_is_whole_however_it_is_read(way: str) -> None:
    env = PolyGuardEnv()
    read, unread = (env.reset(seed=3, scenario_id=IDS[4]) for _ in range(2))
    assert list(read) and read.candidates and read.regimen
    assert WAYS[way](unread) == WAYS[way](read)
    assert unread == read and list(vars(unread)) == list(PolyGuardObservation.model_fields)


def test_two_unread_observations_are_compared_by_what_they_say() -> None:
    env = PolyGuardEnv()
    one, same, other = (env.reset(seed=3, scenario_id=IDS[4], episode_id="e") for _ in range(3))
    other.text = "other"
    assert one == same != other
    assert other.candidates == one.candidates


def test_what_is_read_late_is_of_its_own_moment() -> None:
    at_once, late = PolyGuardEnv(), PolyGuardEnv()
    told: list[str] = []
    kept: list[PolyGuardObservation] = []
    for seed, scenario_id in enumerate(IDS):
        told.append(at_once.reset(seed=seed, scenario_id=scenario_id).model_dump_json())
        kept.append(late.reset(seed=seed, scenario_id=scenario_id))
        while not at_once.done:
            at_once.advance(seed % 4)
            late.advance(seed % 4)
            told.append(at_once.observe().model_dump_json())
            kept.append(late.observe())
    assert len(told) > 2 * len(IDS)
    assert [seen.model_dump_json() for seen in reversed(kept)] == told[::-1]


def test_an_unknown_attribute_is_still_an_error() -> None:
    seen = PolyGuardEnv().reset(seed=3, scenario_id=IDS[4])
    with pytest.raises(AttributeError, match="nothing_such"):
        getattr(seen, "nothing_" + "such")
    assert seen.text
    del seen.text
    with pytest.raises(AttributeError, match="text"):
        seen.text  # noqa: B018
    assert set(WRITTEN_LATER) < set(PolyGuardObservation.model_fields)


def test_nothing_of_an_observation_is_shared() -> None:
    """What a reader does to one observation shows in no other, of the same environment or of another."""
    env = PolyGuardEnv()
    told = env.reset(seed=3, scenario_id=IDS[4]).model_dump_json()
    for seen in (env.reset(seed=3, scenario_id=IDS[4]), env.observe()):
        seen.patient["conditions"].append("scribble")
        seen.patient["measurements"]["potassium"] = -1.0
        for entry in seen.regimen:
            for fact in entry["facts"]:
                fact["text"] = "scribble"
            entry["facts"].clear()
        seen.candidates[0].targets.append("scribble")
    assert b"scribble" not in env.write()
    assert env.observe().model_dump_json() == told
    assert PolyGuardEnv().reset(seed=3, scenario_id=IDS[4]).model_dump_json() == told


def test_an_unread_observation_has_no_attribute_beyond_its_fields() -> None:
    unread = PolyGuardEnv().reset(seed=3, scenario_id=IDS[4])
    for name in ("_rest", "rest", "scenario", "_scenario"):
        assert not hasattr(unread, name)
