"""`Engine`: many episodes of one knowledge base in arrays, and the way in for a single one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from polyguard_env.engine import kernel
from polyguard_env.engine import layout as at
from polyguard_env.engine.facts import FactTable, fact_table
from polyguard_env.engine.naming import Naming
from polyguard_env.engine.packing import pack
from polyguard_env.environment.episode import Scenario
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase

PACKED = 4096


class Engine:
    """The compiled rules over one knowledge base. Shared between environments; holds no episode.

    Attributes:
        table: the knowledge base as arrays.
        facts: what the compiled functions take.
        naming: words for its records.
    """

    def __init__(self, knowledge: KnowledgeBase) -> None:
        self.table: FactTable = fact_table(knowledge)
        self.facts = self.table.facts
        self.naming = Naming(self.table)
        self._packed: OrderedDict[str, tuple[Scenario, np.ndarray]] = OrderedDict()
        self._local = threading.local()

    def pack(self, scenario: Scenario) -> np.ndarray:
        """The record of a scenario, shape (1,); recent ones are kept."""
        key = scenario.scenario_id
        held = self._packed.get(key)
        # Cases of one's own may use an id again for another patient.
        if held is not None and held[0] is scenario:
            return held[1]
        record = pack(scenario, self.table)
        self._packed[key] = scenario, record
        if len(self._packed) > PACKED:
            self._packed.popitem(last=False)
        return record

    def space(self) -> Any:
        """This thread's spare memory."""
        if not hasattr(self._local, "space"):
            self._local.space = kernel.workspace()
        return self._local.space

    def best_gain(self, scenario: Scenario, every: bool) -> float:
        """What the best change to the regimen is worth at the start, 0 when none helps; look-ups do not count.

        Args:
            every: try every move on every drug, not only those that answer a finding.
        """
        if not hasattr(self._local, "spare"):
            spare = np.zeros(1, dtype=at.STATE)
            self._local.spare = spare, spare.view(np.int64).reshape(1, -1)
        states, raw = self._local.spare
        record = pack(scenario, self.table)
        return float(kernel.best_gain(self.facts, record, 0, states, raw, 0, every, self.space()))

    def pack_all(self, scenarios: Sequence[Scenario]) -> np.ndarray:
        """Records of scenarios, shape (scenarios,)."""
        return np.concatenate([pack(scenario, self.table) for scenario in scenarios])

    def batch(self, scenarios: np.ndarray, episodes: int, threads: int = 1) -> Batch:
        """Room for episodes over packed scenarios."""
        return Batch(self, scenarios, episodes, threads)


class Batch:
    """Episodes side by side.

    Args:
        scenarios: packed scenarios, shape (scenarios,).
        episodes: how many episodes live at once.
        threads: threads that share the work; the compiled loop holds no lock.

    Attributes:
        states: shape (episodes,), dtype STATE: candidates, regimen, counters of each episode.
        rewards, done, columns: of the last step; shapes (episodes,), (episodes,), (episodes, 13).
    """

    def __init__(self, engine: Engine, scenarios: np.ndarray, episodes: int, threads: int = 1) -> None:
        if episodes < 1:
            raise PolyGuardError("episodes", episodes, "give at least 1")
        self.engine, self.scenarios, self.episodes = engine, scenarios, episodes
        self.states = np.zeros(episodes, dtype=at.STATE)
        self._raw = self.states.view(np.int64).reshape(episodes, -1)
        self.which = np.zeros(episodes, dtype=np.int64)
        self.rewards = np.zeros(episodes)
        self.columns = np.zeros((episodes, len(engine.facts.weights)))
        self.done = np.zeros(episodes, dtype=np.bool_)
        bounds = np.linspace(0, episodes, threads + 1).astype(int).tolist()
        self._spans = list(pairwise(bounds))
        self._spaces = [kernel.workspace() for _ in self._spans]
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def reset(self, which: np.ndarray, seeds: np.ndarray) -> None:
        """Start every episode.

        Args:
            which: place of each episode's scenario, shape (episodes,).
            seeds: 0 to 2^63 - 1, shape (episodes,).
        """
        self.which[:] = which
        self.done[:] = False
        seeds = np.asarray(seeds, dtype=np.int64)
        self._run(
            lambda first, last, space: kernel.begin_many(
                self.engine.facts, self.scenarios, self.which, self.states, self._raw, seeds, first, last, space
            )
        )

    def step(self, choices: np.ndarray, confidence: np.ndarray | None = None) -> np.ndarray:
        """Take one action in every running episode.

        Args:
            choices: candidate places; anything else is an answer that names none. Shape (episodes,).
            confidence: stated probabilities, NaN for none; shape (episodes,).

        Returns:
            Rewards, shape (episodes,); NaN where the episode had ended.
        """
        choices = np.asarray(choices, dtype=np.int64)
        stated = np.full(self.episodes, np.nan) if confidence is None else np.asarray(confidence, dtype=np.float64)
        self._run(
            lambda first, last, space: kernel.advance_many(
                self.engine.facts,
                self.scenarios,
                self.which,
                self.states,
                self._raw,
                choices,
                stated,
                self.rewards,
                self.columns,
                self.done,
                first,
                last,
                space,
            )
        )
        return self.rewards

    def _run(self, work) -> None:  # type: ignore[no-untyped-def]
        if self._pool is None:
            work(0, self.episodes, self._spaces[0])
        else:
            jobs = [
                self._pool.submit(work, first, last, space)
                for (first, last), space in zip(self._spans, self._spaces, strict=True)
            ]
            for job in jobs:
                job.result()


@lru_cache(maxsize=4)
def engine_of(knowledge: KnowledgeBase) -> Engine:
    """The shared engine of a knowledge base."""
    return Engine(knowledge)
