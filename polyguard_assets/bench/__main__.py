"""`make bench`: speeds measured here and now, as JSON in data_lake/reports/bench.json.

Rates on a shared machine swing; each is the median of repeats, with the spread beside it.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from polyguard_assets.bench.environment import speeds
from polyguard_assets.bench.timing import timed
from polyguard_assets.environment_server import EnvironmentServer
from polyguard_assets.paths import reports_folder
from polyguard_assets.training.prices import PriceClient, PriceItem
from polyguard_assets.training.publish import write_json
from polyguard_env.environment.scenarios import SUB_ENVIRONMENTS, make_id
from polyguard_env.knowledge.base import KnowledgeBase, snapshot_folder
from polyguard_env.patients.generate import PatientGenerator

EPISODES, PATIENTS, PRICED = 20, 100_000, 64


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every benchmark, or the environment's alone, and write the report."""
    parser = argparse.ArgumentParser(prog="python -m polyguard_assets.bench", description=__doc__)
    parser.add_argument("--environment", action="store_true", help="only the environment beside its peers")
    parser.add_argument("--out", type=Path, default=reports_folder() / "bench.json", help="where the report goes")
    options = parser.parse_args(arguments)
    knowledge = KnowledgeBase.default()
    report: dict[str, Any] = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "knowledge_fingerprint": knowledge.fingerprint,
        "environment": speeds(knowledge),
    }
    show(report["environment"])
    if not options.environment:
        ids = [make_id("train", name, "medium", number) for name in SUB_ENVIRONMENTS for number in range(EPISODES)]
        report["results"] = {
            "knowledge_load_seconds": timed(load_knowledge, invert=True),
            "patients_per_second": timed(lambda: patients(knowledge)),
            "million_patients_to_parquet": million(),
            "server_priced_states_per_second": priced(ids),
        }
        report["serving"] = served()
        show(report["results"])
        print(json.dumps(report["serving"]["ratios_to_stock"], indent=1))
    path = write_json(options.out, report)
    print(f"written to {path.name}")
    return 0


def show(results: dict[str, Any]) -> None:
    """Print results a line each."""
    for name, result in results.items():
        if "median" in result:
            print(f"{name:<38} {result['median']:>12,.1f}   [{result['lowest']:,.1f}, {result['highest']:,.1f}]")
        else:
            print(name, *(f"{key} {value}" for key, value in result.items()), sep="\n    ")


def load_knowledge() -> float:
    return float(len(KnowledgeBase.load(snapshot_folder()).drugs))


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
