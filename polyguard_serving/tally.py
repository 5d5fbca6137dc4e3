"""Counts of what the server did: plain numbers on the way, Prometheus text when asked.

A step takes tens of microseconds, so counting one must cost next to nothing. Each worker counts for itself;
`/metrics` sums them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

STEP_BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0)
REQUEST_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
COUNTED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "polyguard_steps": ("Steps taken.", ("way",)),
    "polyguard_episodes_started": ("Episodes started or restored.", ("way",)),
    "polyguard_episodes_finished": ("Episodes that reached their end.", ("way",)),
    "polyguard_sessions_opened": ("Websocket sessions opened.", ()),
    "polyguard_sessions_closed": ("Websocket sessions closed, by cause.", ("cause",)),
    "polyguard_refusals": ("Requests, messages and items refused, by code.", ("code",)),
    "polyguard_http_requests": ("HTTP requests answered.", ("route", "method", "status")),
    "polyguard_log_lines_dropped": ("Log lines dropped because their reader was slow.", ()),
}
GAUGED: Mapping[str, str] = {
    "polyguard_sessions": "Websocket sessions open.",
    "polyguard_episodes": "HTTP episodes held.",
    "polyguard_resident_memory_bytes": "Memory of the server's processes.",
    "polyguard_workers": "Processes that serve.",
}
TIMED: Mapping[str, tuple[str, tuple[float, ...]]] = {
    "polyguard_step_seconds": ("Time of a single step, from its arrival to its answer.", STEP_BOUNDS),
    "polyguard_http_request_seconds": ("Time of an HTTP request.", REQUEST_BOUNDS),
}


class Tally:
    """Counts of one process."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.gauges: dict[str, float] = {}
        self.times: dict[str, list[float]] = {name: [0.0] * (len(bounds) + 2) for name, (_, bounds) in TIMED.items()}

    def add(self, name: str, *labels: str, by: int = 1) -> None:
        """Count something of `COUNTED`, with its label values in order."""
        self.counts[(name, *labels)] += by

    def time(self, name: str, seconds: float) -> None:
        """Count a time of `TIMED`."""
        row = self.times[name]
        row[bisect_left(TIMED[name][1], seconds)] += 1
        row[-1] += seconds

    def dump(self) -> dict[str, Any]:
        """The counts as JSON-able data."""
        return {
            "counts": [[list(key), value] for key, value in self.counts.items()],
            "gauges": self.gauges,
            "times": self.times,
        }


def exposition(tallies: Iterable[Mapping[str, Any]]) -> bytes:
    """The tallies' sums as Prometheus text."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    counts: Counter[tuple[str, ...]] = Counter()
    gauges: Counter[str] = Counter()
    times = {name: [0.0] * (len(bounds) + 2) for name, (_, bounds) in TIMED.items()}
    for tally in tallies:
        counts.update({tuple(key): value for key, value in tally["counts"]})
        gauges.update(tally["gauges"])
        for name, row in tally["times"].items():
            times[name] = [a + b for a, b in zip(times[name], row, strict=True)]

    class Sums:
        def collect(self) -> Iterable[Any]:
            for name, (about, labels) in COUNTED.items():
                counter = CounterMetricFamily(name, about, labels=labels)
                for key, value in sorted(counts.items()):
                    if key[0] == name:
                        counter.add_metric(list(key[1:]), value)
                yield counter
            for name, about in GAUGED.items():
                yield GaugeMetricFamily(name, about, value=gauges.get(name, 0))
            for name, (about, bounds) in TIMED.items():
                row, seen, buckets = times[name], 0.0, []
                for bound, count in zip([*bounds, float("inf")], row[:-1], strict=True):
                    seen += count
                    buckets.append(("+Inf" if bound == float("inf") else repr(bound), seen))
                yield HistogramMetricFamily(name, about, buckets=buckets, sum_value=row[-1])

    registry = CollectorRegistry()
    registry.register(Sums())  # type: ignore[arg-type]
    return generate_latest(registry)
