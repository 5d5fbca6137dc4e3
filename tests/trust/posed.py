"""Scenarios, people and single steps that the specifications are told in."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.episode import Scenario
from polyguard_env.environment.messages import ActionType, Candidate, PolyGuardAction, PolyGuardObservation
from polyguard_env.environment.scenarios import make_id
from polyguard_env.trust.second.agreement import packaged_facts, pools, random_person
from polyguard_env.trust.second.findings import Found, findings

T = ActionType
LOOKS = (T.ORDER_MONITORING, T.FETCH_EXTERNAL_EVIDENCE, T.DECOMPOSE_NEW_DRUG)
REGIMENS = 220
EXCEPTED = ("sacubitril", "valsartan", "apomorphine", "pramipexole")
SEED = 2
Found_ = tuple[dict[str, Any], Found]


class Posed:
    """A factory that poses one scenario, whatever id is asked for."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    def find(self, *_: object, **__: object) -> Scenario:
        return self.scenario


def first(env: PolyGuardEnv, scenario_id: str) -> PolyGuardObservation:
    return env.reset(seed=SEED, scenario_id=scenario_id)


def ids(name: str, difficulty: str, control: bool, most: int = 120) -> Iterator[str]:
    """Problems, or controls, of a sub-environment."""
    factory = PolyGuardEnv().factory
    for number in range(most):
        scenario_id = make_id("train", name, difficulty, number)
        if factory.find(scenario_id).control is control:
            yield scenario_id


@cache
def known_ids(name: str, difficulty: str, control: bool) -> tuple[str, ...]:
    """The first eight of `ids`, found before any rule is changed."""
    found = ids(name, difficulty, control)
    return tuple(next(found) for _ in range(8))


@cache
def people() -> tuple[Found_, ...]:
    """Random people with the second checker's findings."""
    facts = packaged_facts()
    pools(facts)
    persons = [random_person(number, 41, facts) for number in range(REGIMENS)]
    # Two excepted pairs, which a random regimen seldom holds.
    excepted = [{"drug_id": drug, "dose": None, "indication": "", "days": 90} for drug in EXCEPTED]
    persons.append(persons[0] | {"regimen": excepted})
    return tuple((person, findings(person, facts)) for person in persons)


def kind_of(observation: PolyGuardObservation, *kinds: ActionType) -> Candidate | None:
    return next((c for kind in kinds for c in observation.candidates if c.action_type is kind), None)


def step(env: PolyGuardEnv, candidate: Candidate, **fields: Any) -> PolyGuardObservation:
    return env.step(PolyGuardAction(candidate_id=candidate.candidate_id, **({"confidence": 1.0} | fields)))


def best_of(env: PolyGuardEnv, observation: PolyGuardObservation) -> Candidate:
    prices = env.price()
    return max(observation.candidates, key=lambda c: (prices[c.candidate_id], c.text))


def finish_of(observation: PolyGuardObservation) -> Candidate:
    found = kind_of(observation, T.FINISH)
    assert found is not None
    return found


def gate_of(observation: PolyGuardObservation) -> float:
    """The gate of the last step, which takes its share of every column: read from the one that conduct alone lowers."""
    return observation.columns["anti_cheat_score"] * (1.0 + 3.0 * len(observation.info["reasons"]))


def best_and_finish(env: PolyGuardEnv, scenario_id: str) -> tuple[PolyGuardObservation, PolyGuardObservation]:
    """The step after the best move, and the step after finishing at once."""
    best = step(env, best_of(env, first(env, scenario_id)))
    return best, step(env, finish_of(first(env, scenario_id)))
