"""`make bench`: speeds measured here and now, as JSON in data_lake/reports/bench.json.

Rates on a shared machine swing; each is the median of repeats, with the spread beside it.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from polyguard_assets.environment_server import EnvironmentServer
from polyguard_assets.paths import reports_folder
from polyguard_assets.training.prices import PriceClient, PriceItem
from polyguard_assets.training.publish import write_json
from polyguard_env.engine import engine_of
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.scenarios import SUB_ENVIRONMENTS, make_id
from polyguard_env.knowledge.base import KnowledgeBase, snapshot_folder
from polyguard_env.patients.generate import PatientGenerator
from polyguard_env.policies import POLICIES
from polyguard_env.rollouts import run_episode

REPEATS = 5
EPISODES, PATIENTS, PRICED = 60, 100_000, 64
BATCHED = 4_000


def main() -> int:
    """Run every benchmark and write the report."""
    knowledge = KnowledgeBase.default()
    env = PolyGuardEnv(knowledge)
    ids = [make_id("train", name, "medium", number) for name in SUB_ENVIRONMENTS for number in range(EPISODES // 3)]
    results = {
        "knowledge_load_seconds": timed(load_knowledge, invert=True),
        "environment_steps_per_second": timed(lambda: steps(env, ids)),
        "engine_steps_per_second_one_thread": timed(lambda: engine_steps(env, ids, 1)),
        "engine_steps_per_second_two_threads": timed(lambda: engine_steps(env, ids, 2)),
        "patients_per_second": timed(lambda: patients(knowledge)),
        "million_patients_to_parquet": million(),
        "server_priced_states_per_second": priced(ids),
    }
    serving = served()
    report = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "knowledge_fingerprint": knowledge.fingerprint,
        "results": results,
        "serving": serving,
    }
    path = write_json(reports_folder() / "bench.json", report)
    for name, result in results.items():
        if "median" in result:
            print(f"{name:<34} {result['median']:>12.1f}   [{result['lowest']:.1f}, {result['highest']:.1f}]")
        else:
            print(name, *(f"{key} {value:,.1f}" for key, value in result.items()), sep="\n    ")
    print(json.dumps(serving["ratios_to_stock"], indent=1))
    print(f"written to data_lake/reports/{path.name}")
    return 0


def timed(work: Callable[[], float], invert: bool = False) -> dict[str, float]:
    """Units per second of `work` (which returns how many it did), or seconds when inverted."""
    rates = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        done = work()
        seconds = time.perf_counter() - began
        rates.append(seconds if invert else done / seconds)
    return {"median": statistics.median(rates), "lowest": min(rates), "highest": max(rates), "repeats": REPEATS}


def load_knowledge() -> float:
    return float(len(KnowledgeBase.load(snapshot_folder()).drugs))


def steps(env: PolyGuardEnv, ids: list[str]) -> float:
    policy = POLICIES["random_legal"]()
    return float(sum(len(run_episode(env, policy, scenario_id, seed=1)) for scenario_id in ids))


def engine_steps(env: PolyGuardEnv, ids: list[str], threads: int) -> float:
    """Steps a second of the batched engine, candidates and all columns included; scenarios packed beforehand."""
    engine = engine_of(env.knowledge)
    records = engine.pack_all([env.factory.find(scenario_id) for scenario_id in ids])
    batch = engine.batch(records, BATCHED, threads)
    draw = np.random.Generator(np.random.PCG64(0))
    batch.reset(np.arange(BATCHED) % len(records), np.arange(BATCHED))
    batch.step(np.zeros(BATCHED))
    batch.reset(np.arange(BATCHED) % len(records), np.arange(BATCHED))
    taken, started = 0, time.perf_counter()
    while not batch.done.all():
        taken += int((~batch.done).sum())
        batch.step(draw.integers(0, 1 << 30, BATCHED) % np.maximum(batch.states["candidates"], 1))
    return taken / (time.perf_counter() - started)


def patients(knowledge: KnowledgeBase) -> float:
    from polyguard_env.risk.review import rule_index

    return float(PatientGenerator(rule_index(knowledge), 1).table(0, PATIENTS).num_rows)


MILLION = """
import resource, sys, time
from pathlib import Path
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.generate import PatientGenerator
from polyguard_env.patients.stream import write_cohort
from polyguard_env.risk.review import rule_index
began = time.perf_counter()
generator = PatientGenerator(rule_index(KnowledgeBase.default()), 1)
size = write_cohort(generator, Path(sys.argv[1]), int(sys.argv[2]))
print(time.perf_counter() - began, size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def million() -> dict[str, float]:
    """Seconds, bytes and peak memory of a million patients written by a fresh process, and of a tenth of them."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for count in (100_000, 1_000_000):
            output = subprocess.run(
                [sys.executable, "-c", MILLION, str(Path(folder) / "cohort.parquet"), str(count)],
                check=True, capture_output=True, text=True,
            ).stdout.split()  # fmt: skip
            seconds, size, peak = (float(value) for value in output)
            found |= {f"seconds_{count}": seconds, f"bytes_{count}": size, f"peak_bytes_{count}": peak}
    return found


def served() -> dict[str, Any]:
    """The server beside OpenEnv's own, as its package measures it."""
    command = [sys.executable, "-m", "polyguard_serving.bench"]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(ran.stdout))


def priced(ids: list[str]) -> dict[str, float]:
    """Decision points priced over the network; each repeat asks for fresh ones, so none is cached."""
    with EnvironmentServer().running(snapshot_folder()) as url:
        client = PriceClient(url)
        seeds = iter(range(10_000))

        def batch() -> float:
            seed = next(seeds)
            items: list[Any] = [PriceItem(ids[n % len(ids)], (), ("finish",), seed * PRICED + n) for n in range(PRICED)]
            return float(len(client.price(items)))

        batch()
        try:
            return timed(batch)
        finally:
            client.close()


if __name__ == "__main__":
    sys.exit(main())
