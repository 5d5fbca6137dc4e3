"""`Engine`: many episodes of one knowledge base in arrays, and the way in for a single one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine import operations
from polyguard_env.engine.call import Call, rooms
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

    def pack(self, scenario: Scenario) -> np.ndarray:
        """The record of a scenario, shape (1,); recent ones are kept."""
        key = scenario.scenario_id
        held = self._packed.get(key)
        # Cases of one's own may use an id again for another patient.
        if held is not None and held[0] is scenario:
            return held[1]
        record = pack(scenario, self.table)
        self.keep(scenario, record)
        return record

    def keep(self, scenario: Scenario, record: np.ndarray) -> None:
        """Keep the record of a scenario, shape (1,), for when it is played."""
        self._packed[scenario.scenario_id] = scenario, record
        if len(self._packed) > PACKED:
            self._packed.popitem(last=False)

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
        arrays = rooms(episodes, len(engine.facts.weights))
        arrays |= {"scenarios": scenarios, "states": self.states}
        self._prepare(arrays)
        self.which, self.rewards, self.columns = arrays["which"], arrays["rewards"], arrays["columns"]
        self.done = arrays["done"].view(np.bool_)
        self._arrays = arrays
        bounds = np.linspace(0, episodes, threads + 1).astype(np.int64)
        self._calls = [
            Call(engine.table, arrays | {"span": bounds[part : part + 2].copy(), "counts": np.zeros(3, dtype=np.int64)})
            for part in range(threads)
        ]
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def _prepare(self, arrays: dict[str, np.ndarray]) -> None:
        """Put a state at the start of each scenario, to be copied from."""
        count = len(self.scenarios)
        starts = np.zeros(count, dtype=at.STATE)
        arrays["starts"] = starts
        own = rooms(count, len(self.engine.facts.weights)) | {"which": np.arange(count)}
        own |= {"scenarios": self.scenarios, "states": starts, "starts": starts}
        Call(self.engine.table, own).run(operations.PREPARE)

    def reset(self, which: np.ndarray, seeds: np.ndarray) -> None:
        """Start every episode.

        Args:
            which: place of each episode's scenario, shape (episodes,).
            seeds: 0 to 2^63 - 1, shape (episodes,).
        """
        self.which[:] = which
        self.done[:] = False
        self._arrays["seeds"][:] = seeds
        self._run(operations.START)

    def step(self, choices: np.ndarray, confidence: np.ndarray | None = None) -> np.ndarray:
        """Take one action in every running episode.

        Args:
            choices: candidate places; anything else is an answer that names none. Shape (episodes,).
            confidence: stated probabilities, NaN for none; shape (episodes,).

        Returns:
            Rewards, shape (episodes,); NaN where the episode had ended.
        """
        self._arrays["choices"][:] = choices
        self._arrays["confidence"][:] = np.nan if confidence is None else confidence
        self._run(operations.ADVANCE)
        return self.rewards

    def _run(self, operation: int) -> None:
        if self._pool is None:
            self._calls[0].run(operation)
        else:
            for job in [self._pool.submit(call.run, operation) for call in self._calls]:
                job.result()


@lru_cache(maxsize=4)
def engine_of(knowledge: KnowledgeBase) -> Engine:
    """The shared engine of a knowledge base."""
    return Engine(knowledge)
