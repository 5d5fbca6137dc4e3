"""What an observation gives away as an object: no attribute, however far, leads to what the agent is not shown."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from types import (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from polyguard_env.engine.engine import Engine
from polyguard_env.engine.episode import Episode, Offers
from polyguard_env.environment import messages
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.episode import Scenario
from polyguard_env.environment.messages import PolyGuardObservation
from polyguard_env.environment.observed import Shown
from polyguard_env.environment.scenarios import SUB_ENVIRONMENTS, ScenarioFactory, make_id
from polyguard_env.environment.standing import Standing
from polyguard_env.environment.telling import Telling
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.model import Patient
from polyguard_env.policies import POLICIES
from polyguard_env.risk.index import RuleIndex

HIDDEN = (
    Episode, Offers, Engine, Scenario, ScenarioFactory, Patient, Standing, Shown, Telling, RuleIndex, KnowledgeBase,
    np.ndarray, np.generic, memoryview, ModuleType,
)  # fmt: skip
# What any Python function leads to, and from there to the interpreter, whatever it is a part of.
INTERPRETER = frozenset(
    {"__globals__", "__builtins__", "__subclasses__", "mro", "__subclasshook__", "__init_subclass__"}
)
COMPILED = (
    BuiltinFunctionType, ClassMethodDescriptorType, GetSetDescriptorType, MemberDescriptorType, MethodDescriptorType,
    MethodWrapperType, WrapperDescriptorType,
)  # fmt: skip
RAW = BaseModel.__dict__["__dict__"]
MOST = 100_000


def parts(thing: object) -> Iterator[tuple[str, Any]]:
    """What an object holds or names: values, items, cells, bound and partial arguments, attributes, slots."""
    if isinstance(thing, (str, bytes, int, float, complex, type(None))):
        return
    if isinstance(thing, COMPILED):
        # It leads on through what it is bound to alone.
        yield "__self__", getattr(thing, "__self__", None)
        return
    if isinstance(thing, type) and not thing.__module__.startswith(("polyguard", "tests")):
        return
    if isinstance(thing, BaseModel):
        yield from RAW.__get__(thing).items()
    if isinstance(thing, Mapping):
        for key, value in list(thing.items()):
            yield str(key), value
            yield "key", key
    elif isinstance(thing, (list, tuple, set, frozenset, deque)):
        yield from ((str(place), value) for place, value in enumerate(thing))
    if isinstance(thing, FunctionType):
        for cell in thing.__closure__ or ():
            yield "cell", cell.cell_contents
    for name in dir(thing):
        if name in INTERPRETER:
            continue
        try:
            yield name, getattr(thing, name)
        except Exception:  # a property that refuses leads nowhere
            continue


def reached(root: object, forbidden: tuple[type, ...] = HIDDEN) -> list[str]:
    """Paths by which an object leads to one of the forbidden kinds; stops at each."""
    seen: dict[int, object] = {id(root): root}
    queue: deque[tuple[str, object]] = deque([("observation", root)])
    found = []
    while queue:
        path, thing = queue.popleft()
        if isinstance(thing, forbidden):
            found.append(f"{path}: {type(thing).__name__}")
            continue
        for name, value in parts(thing):
            if id(value) not in seen:
                seen[id(value)] = value
                queue.append((f"{path}.{name}", value))
        assert len(seen) < MOST, path
    return found


def observations(env: PolyGuardEnv) -> Iterable[PolyGuardObservation]:
    """The first observation and the one after a step, in every sub-environment, unread."""
    for name in SUB_ENVIRONMENTS:
        scenario_id = make_id("train", name, "hard", 1)
        yield env.reset(seed=4, scenario_id=scenario_id)
        yield env.step(POLICIES["rule_based"]().choose(env, env.reset(seed=4, scenario_id=scenario_id)))


def test_no_attribute_of_an_observation_leads_to_what_is_hidden(env: PolyGuardEnv) -> None:
    for observation in observations(env):
        assert set(RAW.__get__(observation)) >= {"\0rest"}  # not written yet
        assert reached(observation) == []
        assert "\0rest" not in RAW.__get__(observation)


def test_the_walk_finds_what_is_there(env: PolyGuardEnv) -> None:
    """Through a value, a list, a closure, a partial and a bound method."""
    env.reset(seed=4, scenario_id=make_id("train", "DDI", "easy", 1))
    scenario = env.scenario
    for told in (scenario, [scenario], lambda: scenario, partial(print, scenario), env.reset, {1: (scenario,)}):
        observation = env.observe()
        observation.info["told"] = told
        assert reached(observation)


@pytest.mark.parametrize("way", ["copy", "deep copy", "pickle", "dump", "equal", "text", "values"])
def test_an_observation_is_whole_however_it_is_read(env: PolyGuardEnv, way: str) -> None:
    scenario_id = make_id("train", "WEB_SEARCH_MISSING_DATA", "easy", 1)
    whole = env.reset(seed=4, scenario_id=scenario_id).model_dump()
    assert whole["text"] and whole["candidates"] and whole["patient"]
    held = len(messages._TO_WRITE)
    observation = env.reset(seed=4, scenario_id=scenario_id)
    assert len(messages._TO_WRITE) == held + 1
    other = {
        "copy": copy.copy, "deep copy": copy.deepcopy, "pickle": lambda seen: pickle.loads(pickle.dumps(seen)),
        "dump": lambda seen: PolyGuardObservation.model_validate(seen.model_dump()), "equal": lambda seen: seen,
        "text": lambda seen: seen if seen.text else None, "values": lambda seen: seen if vars(seen) else None,
    }[way](observation)  # fmt: skip
    assert other == observation and other.model_dump() == whole
    assert len(messages._TO_WRITE) == held


def test_an_observation_that_nobody_reads_leaves_nothing(env: PolyGuardEnv) -> None:
    held = len(messages._TO_WRITE)
    for _ in range(50):
        env.reset(seed=4, scenario_id=make_id("train", "DDI", "easy", 1))
    assert len(messages._TO_WRITE) == held


def test_what_an_agent_does_to_its_evidence_stays_its_own(env: PolyGuardEnv) -> None:
    observation = env.reset(seed=4, scenario_id=make_id("train", "WEB_SEARCH_MISSING_DATA", "easy", 1))
    look = next(c for c in observation.candidates if c.action_type.value == "FETCH_EXTERNAL_EVIDENCE")
    observation = env.step(messages.PolyGuardAction(candidate_id=look.candidate_id))
    words = [passage["text"] for passage in observation.evidence]
    assert words
    for passage in observation.evidence:
        passage["text"] = "changed"
    assert [passage["text"] for passage in env.observe().evidence] == words


def test_a_process_that_ends_with_an_unread_observation_ends_quietly() -> None:
    code = (
        "import sys; from polyguard_env.environment.env import PolyGuardEnv; "
        "sys.kept = PolyGuardEnv().reset(seed=1); sys.modules['kept'] = sys.kept"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Exception ignored" not in run.stderr
