"""How speeds are taken: the median of repeats, by the clock and by the processor time of one core.

On a shared machine the clock tells of the neighbours too; processor time does not count what they took.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

REPEATS = 5

Work = Callable[[], float]  # does some work and returns how many units it was


def timed(work: Work, invert: bool = False) -> dict[str, Any]:
    """Units per second of `work`, or seconds when inverted."""
    rates = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        done = work()
        seconds = time.perf_counter() - began
        rates.append(seconds if invert else done / seconds)
    return spread(rates)


def side_by_side(works: Mapping[str, Work], rounds: int = REPEATS) -> dict[str, dict[str, Any]]:
    """Units a second of each work on one core, all in every round, so that each meets the same machine.

    Returns:
        By name: the spread by processor time, and by the clock under "by_clock".
    """
    for work in works.values():
        work()
    own: dict[str, list[float]] = {name: [] for name in works}
    clock: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            began, spent = time.perf_counter(), time.process_time()
            done = work()
            own[name].append(done / (time.process_time() - spent))
            clock[name].append(done / (time.perf_counter() - began))
    return {name: spread(own[name]) | {"by_clock": spread(clock[name])} for name in works}


def spread(values: list[float]) -> dict[str, Any]:
    """Median, lowest and highest of repeats."""
    return {
        "median": statistics.median(values),
        "lowest": min(values),
        "highest": max(values),
        "repeats": len(values),
    }
