"""What a reset to a scenario never met costs: every one of thousands timed by itself, in a process of its own.

Nothing is spread over neighbours: a scenario is drawn when its seed is asked for, and no other with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardObservation
from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS

SEEDS = 5_000
PASSES = ("cold", "warm", "cold, unread", "warm, unread")


def fresh_resets(seeds: int = SEEDS) -> dict[str, dict[str, float]]:
    """Microseconds of processor time of first resets to as many seeds, by a new process.

    Returns:
        "cold": the first resets of the process, the very first apart, which makes the people and loads the rules;
        "warm": as many others after them; both with every field of the observation read, for most are written
        when first read. The same resets alone, nothing read, are "cold, unread" and "warm, unread".
    """
    command = [sys.executable, "-m", "polyguard_assets.bench.fresh", str(seeds)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {name: {key: float(value) for key, value in found[name].items()} for name in PASSES}


def timed_resets(env: PolyGuardEnv, seeds: range) -> np.ndarray:
    """Microseconds of processor time of each reset, over all sub-environments and difficulties.

    Returns:
        Of the reset with every field of its observation read, and of the same reset alone; shape (2, seeds).
    """
    spent = []
    for seed in seeds:
        name = SUB_ENVIRONMENTS[seed % len(SUB_ENVIRONMENTS)]
        difficulty = DIFFICULTIES[seed // len(SUB_ENVIRONMENTS) % len(DIFFICULTIES)]
        began = time.process_time_ns()
        seen = env.reset(seed=seed, sub_environment=name, difficulty=difficulty)
        returned = time.process_time_ns()
        read_whole(seen)
        spent.append((time.process_time_ns() - began, returned - began))
    return np.array(spent).T / 1e3


def read_whole(observation: PolyGuardObservation) -> int:
    """Read every field of an observation, those written when first read among them; how many there are."""
    return len([getattr(observation, name) for name in PolyGuardObservation.model_fields])


def summary(spent: np.ndarray) -> dict[str, float]:
    """The spread of resets' costs."""
    return {
        "seeds": float(len(spent)),
        "mean": float(spent.mean()),
        "median": float(np.median(spent)),
        "p99": float(np.quantile(spent, 0.99)),
        "highest": float(spent.max()),
    }


def main(seeds: int) -> None:
    """Print both passes as JSON."""
    env = PolyGuardEnv()
    spent = timed_resets(env, range(2 * seeds + 1))
    parts = [part for both in ((row[1 : seeds + 1], row[seeds + 1 :]) for row in spent) for part in both]
    found = {name: summary(part) for name, part in zip(PASSES, parts, strict=True)}
    found["cold"]["first"] = float(spent[0, 0])
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]))
