"""How fast the environment is: engine, facade and resets beside two environments of others, in one run.

Episodes are of every sub-environment at medium difficulty; choices are drawn at random from all candidates, the illegal
ones too. A rate counts the resets between episodes as part of its steps.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np

from polyguard_assets.bench.fresh import fresh_resets, read_whole
from polyguard_assets.bench.parts import parts
from polyguard_assets.bench.peers import PEERS, peer
from polyguard_assets.bench.timing import REPEATS, Work, side_by_side, spread
from polyguard_env.engine import Engine, engine_of
from polyguard_env.engine.engine import Batch
from polyguard_env.engine.episode import Episode
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.episode import Scenario
from polyguard_env.environment.messages import PolyGuardAction
from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS, make_id
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.model import RegimenItem

EPISODES, BATCHED, FRESH = 20, 4_000, 10
DRUGS = (5, 10, 15, 20, 24)
SHARES = (0.1, 0.5, 1.0)
LIVE = 10_000


def speeds(knowledge: KnowledgeBase) -> dict[str, Any]:
    """All of the above, with steps a second on one core unless a name says otherwise."""
    env = PolyGuardEnv(knowledge)
    ids = [make_id("train", name, "medium", number) for name in SUB_ENVIRONMENTS for number in range(EPISODES)]
    scenarios = [env.factory.find(scenario_id) for scenario_id in ids]
    records = env.engine.pack_all(scenarios)
    batch = env.engine.batch(records, BATCHED)
    fresh = fresh_ids()
    works: dict[str, Work] = {
        "engine_one_at_a_time": lambda: singly(env.engine, scenarios),
        "engine_batched": lambda: batched(batch),
        "facade": lambda: facade(env, ids),
        "resets_of_a_known_scenario": lambda: resets(env, ids),
        "resets_to_a_fresh_scenario": lambda: resets(env, next(fresh)),
    }
    works |= {name: peer(name) for name in PEERS}
    found: dict[str, Any] = side_by_side(works)
    found["engine_batched_two_threads_by_clock"] = spread(threads(env.engine, records, 2))
    found["microseconds_by_drugs"] = by_drugs(env)
    found["microseconds_by_share_of_edges"] = by_edges(knowledge, scenarios)
    found["microseconds_of_a_fresh_reset"] = fresh_resets()
    found["live_episodes"] = memory()
    found["microseconds_of_a_facade_step"] = parts(env, ids)
    return found


def singly(engine: Engine, scenarios: list[Scenario]) -> float:
    """Steps of one episode at a time, candidates counted and the columns of each step read."""
    episode, draw, steps = Episode(engine), Random(0), 0
    for seed, scenario in enumerate(scenarios):
        episode.begin(scenario, seed)
        while not episode.ended:
            episode.take(int(draw.random() * int(episode.state["candidates"])), 0, None, 0, 0)
            assert len(episode.columns) == 13
            steps += 1
    return steps


def batched(batch: Batch) -> float:
    """Steps of many episodes side by side."""
    draw = np.random.Generator(np.random.PCG64(0))
    batch.reset(np.arange(batch.episodes) % len(batch.scenarios), np.arange(batch.episodes))
    steps = 0
    while not batch.done.all():
        steps += int((~batch.done).sum())
        batch.step(draw.integers(0, 1 << 30, batch.episodes) % np.maximum(batch.states["candidates"], 1))
    return steps


def threads(engine: Engine, records: np.ndarray, count: int) -> list[float]:
    """Steps a second of batches over several threads, by the clock."""
    batch = engine.batch(records, BATCHED, count)
    batched(batch)
    rates = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        rates.append(batched(batch) / (time.perf_counter() - began))
    return rates


def facade(env: PolyGuardEnv, ids: list[str]) -> float:
    """Steps of `PolyGuardEnv`: typed actions in, whole observations with text, columns and channels out."""
    draw, steps = Random(0), 0
    for seed, scenario_id in enumerate(ids):
        seen = env.reset(seed=seed, scenario_id=scenario_id)
        while not seen.done:
            choice = seen.candidates[int(draw.random() * len(seen.candidates))]
            seen = env.step(PolyGuardAction(candidate_id=choice.candidate_id, confidence=0.5))
            steps += 1
    return steps


def resets(env: PolyGuardEnv, ids: list[str]) -> float:
    """Resets of `PolyGuardEnv`, every field of the first observation read."""
    for seed, scenario_id in enumerate(ids):
        assert read_whole(env.reset(seed=seed, scenario_id=scenario_id))
    return len(ids)


def fresh_ids() -> Iterator[list[str]]:
    """Ids never met before, of every sub-environment and difficulty."""
    first = 500_000
    while True:
        yield [
            make_id("train", name, difficulty, number)
            for name in SUB_ENVIRONMENTS
            for difficulty in DIFFICULTIES
            for number in range(first, first + FRESH)
        ]
        first += FRESH


def with_drugs(env: PolyGuardEnv, scenario: Scenario, count: int, draw: Random) -> Scenario:
    """A scenario with drugs added, at their usual doses, that go with what is there, until it has `count`."""
    pool = env.factory.pool
    items = list(scenario.patient.regimen)[:count]
    clash = np.zeros(len(pool.drugs), dtype=bool)
    for item in items:
        clash |= pool.clash[pool.place[item.drug_id]]
        clash[pool.place[item.drug_id]] = True
    while len(items) < count:
        place = draw.choice(np.flatnonzero(~clash).tolist())
        items.append(RegimenItem(pool.drugs[place], pool.profiles[place].dose_usual))
        clash |= pool.clash[place]
        clash[place] = True
    patient = scenario.patient.changed(regimen=tuple(items))
    name = f"{scenario.scenario_id}+{count}"
    return dataclasses.replace(scenario, scenario_id=name, patient=patient, hidden=frozenset(), products=())


def by_drugs(env: PolyGuardEnv) -> dict[str, float]:
    """Processor microseconds of a batched step by number of drugs, and how well a straight line fits them."""
    draw = Random(0)
    ids = [make_id("train", "REGIMEN_RISK", "hard", number) for number in range(40)]
    starts = [env.factory.find(scenario_id) for scenario_id in ids]
    found = {}
    for count in DRUGS:
        records = env.engine.pack_all([with_drugs(env, scenario, count, draw) for scenario in starts])
        found[str(count)] = step_cost(env.engine.batch(records, 800))
    times = np.array(list(found.values()))
    line = np.polyval(np.polyfit(DRUGS, times, 1), DRUGS)
    return found | {"r_squared_of_a_line": float(1 - ((times - line) ** 2).sum() / ((times - times.mean()) ** 2).sum())}


def by_edges(knowledge: KnowledgeBase, scenarios: list[Scenario]) -> dict[str, dict[str, float]]:
    """Processor microseconds of a batched step by the share of the graph that is there; pairs that are taken stay."""
    edges = knowledge.interactions()
    taken = {
        (a, b) for scenario in scenarios for a in scenario.patient.drug_ids for b in scenario.patient.drug_ids if a < b
    }
    needed = np.array([pair in taken for pair in zip(edges["drug_a"], edges["drug_b"], strict=True)])
    order = np.random.Generator(np.random.PCG64(0)).random(len(edges)) - needed
    batches = {}
    for share in SHARES:
        kept = edges[order <= np.quantile(order, share)]
        smaller = engine_of(KnowledgeBase({**knowledge.tables, "interactions": kept}))
        batches[share] = len(kept), smaller.batch(smaller.pack_all(scenarios), 800)
    return {str(share): {"edges": count, "microseconds": step_cost(batch)} for share, (count, batch) in batches.items()}


def step_cost(batch: Batch) -> float:
    """Processor microseconds of a step, the least of the repeats."""
    batched(batch)
    costs = []
    for _ in range(REPEATS):
        spent = time.process_time()
        steps = batched(batch)
        costs.append((time.process_time() - spent) / steps * 1e6)
    return min(costs)


MEMORY = """
import gc, sys
import numpy as np
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS, make_id

def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

kind, count = sys.argv[1], int(sys.argv[2])
env = PolyGuardEnv()
ids = [make_id("train", name, level, number) for name in SUB_ENVIRONMENTS for level in DIFFICULTIES for number in range(40)]
for seed, name in enumerate(ids):
    env.reset(seed=seed, scenario_id=name)
before = resident()
if kind == "engine":
    held = env.engine.batch(env.engine.pack_all([env.factory.find(name) for name in ids]), count)
    held.reset(np.arange(count) % len(ids), np.arange(count))
else:
    held = [PolyGuardEnv(env.knowledge) for _ in range(count)]
    seen = [one.reset(seed=seed, scenario_id=ids[seed % len(ids)]) for seed, one in enumerate(held)]
    assert all(one.text for one in seen)
print(resident() - before, resident())
"""  # noqa: E501


def memory() -> dict[str, dict[str, float]]:
    """Bytes that live episodes add to a fresh process, and all it then holds: in a batch, and each an environment."""
    found = {}
    for kind in ("engine", "facade"):
        command = [sys.executable, "-c", MEMORY, kind, str(LIVE)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        found[kind] = {"episodes": LIVE, "bytes_added": float(output[0]), "bytes_of_the_process": float(output[1])}
    return found
