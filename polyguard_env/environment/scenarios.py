"""Scenarios by id: the same id and knowledge give the same scenario anywhere."""

from __future__ import annotations

import gc
import threading
from collections import OrderedDict
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from polyguard_env.engine.engine import engine_of
from polyguard_env.environment.drafting.drafter import Drafter, DraftTables
from polyguard_env.environment.episode import Scenario
from polyguard_env.environment.pool import DrugPool
from polyguard_env.environment.splits import SPLITS
from polyguard_env.environment.subenvironments import SPECS
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.risk.review import rule_index

DIFFICULTIES: tuple[str, ...] = ("easy", "medium", "hard")
SUB_ENVIRONMENTS: tuple[str, ...] = tuple(SPECS)
MOST_SCENARIOS = 1_000_000
MOST_DIGITS = 18
CACHED = 4096
CONTROL_EVERY = 5


class ScenarioFactory:
    """Builds scenarios over one knowledge base and keeps the recent ones."""

    def __init__(self, knowledge: KnowledgeBase) -> None:
        self.knowledge = knowledge
        self.index = rule_index(knowledge)
        self.pool = DrugPool(self.index)
        self._tables = DraftTables(self.pool, engine_of(knowledge))
        self._local = threading.local()
        self._cache: OrderedDict[str, Scenario] = OrderedDict()

    def find(
        self,
        scenario_id: str | None,
        *,
        seed: int = 0,
        split: str = "train",
        sub_environment: str | None = None,
        difficulty: str = "easy",
        patient_id: str | None = None,
    ) -> Scenario:
        """The scenario of an id; without one, the seed picks it from the split and difficulty."""
        if scenario_id is not None:
            return self._build_cached(*parse_id(scenario_id))
        _one_of("split", split, SPLITS)
        _one_of("difficulty", difficulty, DIFFICULTIES)
        if sub_environment is not None:
            _one_of("sub_environment", sub_environment, SUB_ENVIRONMENTS)
        name = sub_environment or SUB_ENVIRONMENTS[seed % len(SUB_ENVIRONMENTS)]
        number = _stable(f"{split}|{name}|{difficulty}|{seed}") % MOST_SCENARIOS
        if patient_id is not None:
            number = _patient_number(patient_id)
        return self._build_cached(split, name, difficulty, number)

    def tasks(self) -> list[dict[str, Any]]:
        """One task per split, sub-environment and difficulty."""
        return [
            {
                "task_id": f"{split}-{name}-{difficulty}",
                "split": split,
                "sub_environment": name,
                "difficulty": difficulty,
                "description": SPECS[name].description,
                "budget": SPECS[name].budgets[difficulty],
                "scenarios": MOST_SCENARIOS,
                "first_scenario_id": make_id(split, name, difficulty, 0),
            }
            for split in SPLITS
            for name in SUB_ENVIRONMENTS
            for difficulty in DIFFICULTIES
        ]

    def _build_cached(self, split: str, name: str, difficulty: str, number: int) -> Scenario:
        scenario_id = make_id(split, name, difficulty, number)
        if scenario_id in self._cache:
            self._cache.move_to_end(scenario_id)
            return self._cache[scenario_id]
        scenario = self._build(split, name, difficulty, number)
        self._cache[scenario_id] = scenario
        if len(self._cache) > CACHED:
            self._cache.popitem(last=False)
        return scenario

    def _build(self, split: str, name: str, difficulty: str, number: int) -> Scenario:
        """Draw the scenario with this thread's drafter."""
        drafter: Drafter | None = getattr(self._local, "drafter", None)
        if drafter is None:
            drafter = self._local.drafter = Drafter(self._tables)
        control = is_control(split, name, difficulty, number)
        return drafter.draw(make_id(split, name, difficulty, number), SPECS[name], split, difficulty, control)


@lru_cache(maxsize=4)
def scenario_factory(knowledge: KnowledgeBase) -> ScenarioFactory:
    """The shared factory of a knowledge base.

    What is loaded by then stays for good, so the collector of reference cycles is told to leave it alone
    (`gc.freeze`): walking it again and again would hold up one reset in thousands by a fifth of a second.
    """
    factory = ScenarioFactory(knowledge)
    gc.collect(1)
    gc.freeze()
    return factory


def generate_scenarios(
    knowledge: KnowledgeBase, split: str, difficulty: str, per_sub_environment: int
) -> list[Scenario]:
    """The first `per_sub_environment` scenarios of each sub-environment."""
    factory = scenario_factory(knowledge)
    return [
        factory.find(make_id(split, name, difficulty, number))
        for name in SUB_ENVIRONMENTS
        for number in range(per_sub_environment)
    ]


def is_control(split: str, sub_environment: str, difficulty: str, number: int) -> bool:
    """True for one scenario of every `CONTROL_EVERY` in a row, at a place that a hash draws for each row."""
    row, place = divmod(number, CONTROL_EVERY)
    return _stable(f"{split}|{sub_environment}|{difficulty}|{row}|control") % CONTROL_EVERY == place


def make_id(split: str, sub_environment: str, difficulty: str, number: int) -> str:
    return f"{split}-{sub_environment}-{difficulty}-{number:06d}"


def parse_id(scenario_id: str) -> tuple[str, str, str, int]:
    """Parts of a scenario id.

    Raises:
        PolyGuardError: the id is not of the form split-SUB_ENVIRONMENT-difficulty-number.
    """
    parts = str(scenario_id).split("-")
    fix = "use split-SUB_ENVIRONMENT-difficulty-number, for example train-DDI-easy-000012"
    if len(parts) != 4 or not parts[3].isdecimal() or len(parts[3]) > MOST_DIGITS:
        raise PolyGuardError("scenario_id", scenario_id, fix)
    split, name, difficulty = parts[:3]
    if split not in SPLITS or name not in SPECS or difficulty not in DIFFICULTIES:
        raise PolyGuardError("scenario_id", scenario_id, fix)
    number = int(parts[3])
    if number >= MOST_SCENARIOS:
        raise PolyGuardError("scenario_id", scenario_id, f"use a number below {MOST_SCENARIOS}")
    return split, name, difficulty, number


def _one_of(field: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise PolyGuardError(field, value, f"use one of {', '.join(known)}")


def _patient_number(patient_id: str) -> int:
    digits = str(patient_id).rpartition("-")[2].lstrip("p")
    if not digits.isdecimal() or len(digits) > MOST_DIGITS or int(digits) >= MOST_SCENARIOS:
        raise PolyGuardError("patient_id", patient_id, f"use a number below {MOST_SCENARIOS}, for example p000012")
    return int(digits)


def _stable(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8, person=b"scenario").digest(), "big") >> 1
