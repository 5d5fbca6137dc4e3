"""`python -m polyguard_env bandit-benchmark`: reference learners on the simulated polypharmacy benchmark."""

from __future__ import annotations

import argparse
import json
import sys

from polyguard_env.benchmarks.learners import LEARNERS
from polyguard_env.benchmarks.polypharmacy_bandit import DISJOINT, Settings, benchmark
from polyguard_env.errors import PolyGuardError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options; the defaults are the published sizes."""
    defaults = Settings()
    parser.add_argument("--drugs", type=int, default=defaults.drugs)
    parser.add_argument("--patterns", type=int, default=defaults.patterns)
    parser.add_argument("--combinations", type=int, default=defaults.combinations)
    parser.add_argument("--mean-drugs", type=float, default=defaults.mean_drugs)
    parser.add_argument(
        "--disjoint", default="neutral", help=f"risk of unrelated combinations: {' or '.join(DISJOINT)}"
    )
    parser.add_argument("--pulls", type=int, default=10_000)
    parser.add_argument("--seeds", default="0", help="comma-separated whole numbers")
    parser.add_argument("--learners", default=",".join(LEARNERS), help="comma-separated names")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Play and print each learner's standing."""
    seeds = [part.strip() for part in arguments.seeds.split(",")]
    if not all(part.isdecimal() for part in seeds):
        raise PolyGuardError("seeds", arguments.seeds, "give whole numbers of 0 or more, separated by commas")
    settings = Settings(
        drugs=arguments.drugs,
        patterns=arguments.patterns,
        combinations=arguments.combinations,
        mean_drugs=arguments.mean_drugs,
        disjoint=arguments.disjoint,
    )
    report = benchmark(
        settings,
        arguments.pulls,
        [int(part) for part in seeds],
        [name.strip() for name in arguments.learners.split(",")],
        every=max(1, arguments.pulls // 10),
        progress=lambda line: print(line, file=sys.stderr),
    )
    if arguments.json:
        print(json.dumps(report, indent=2))
        return 0
    for played in report["runs"]:
        print(f"seed {played['seed']}: {played['dangerous']} dangerous combinations")
        for name, standings in played["standings"].items():
            last = standings[-1]
            print(
                f"  {name}: {last['pulls']} pulls, found {last['found']:.3f}, hits {last['hits']:.3f}, "
                f"precision {last['precision']:.3f}, recall {last['recall']:.3f}"
            )
    return 0
