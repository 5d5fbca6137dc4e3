"""`python -m polyguard_serving.bench`: the server beside OpenEnv's own in one run, as JSON.

On a shared machine only the ratios say anything: each is of two servers measured one after the other.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from polyguard_env.errors import PolyGuardError
from polyguard_serving.bench.load import batched, serving, stepping

OURS = ("-m", "polyguard_serving.server", "--port", "{port}")
BARE = ("-m", "polyguard_serving.bench.bare", "--port", "{port}")
STOCK = ("-m", "uvicorn", "polyguard_serving.bench.stock:app", "--port", "{port}", "--log-level", "warning")
SESSIONS = (1, 16, 64)
# Seconds between the steps of a session that thinks: 64 of them ask for about 1,000 steps a second.
PAUSE = 0.06
# An answer that names no candidate: it spends a step of the episode and ends none early.
ACTION = {"text": "wait"}


def measure(steps: int, episodes: int) -> dict[str, Any]:
    """The figures.

    Args:
        steps: of each count of sessions.
        episodes: in a message of a batch.
    """
    found: dict[str, Any] = {}
    for name, command in (("stock_hello", STOCK), ("polyguard", OURS), ("protocol_alone", BARE)):
        with serving(*command) as server:
            stepping(server, 1, max(64, steps // 10), ACTION)
            rows = [stepping(server, sessions, steps, ACTION) for sessions in SESSIONS]
            found[name] = {
                "healthy_seconds": server.healthy_seconds,
                "memory_mib": server.memory_mib(),
                "sessions": rows,
                "thinking": stepping(server, SESSIONS[-1], steps, ACTION, PAUSE),
            }
            if name == "polyguard":
                batched(server, 64, 1, "reward")
                found["batched"] = {
                    detail: batched(server, episodes, 2, detail) for detail in ("reward", "compact", "full")
                }
    with serving(*OURS) as server:
        found["idle_memory_mib"] = _idle_memory(server)
    found["ratios_to_stock"] = {
        name: [_ratios(row, stock) for row, stock in zip(found[name]["sessions"], found["stock_hello"]["sessions"])]
        for name in ("polyguard", "protocol_alone")
    }
    return found


def _ratios(row: dict[str, float], stock: dict[str, float]) -> dict[str, float]:
    cpu = "server_cpu_microseconds_per_step"
    return {
        "sessions": row["sessions"],
        "steps_per_server_cpu_second": stock[cpu] / row[cpu],
        "steps_per_second": row["steps_per_second"] / stock["steps_per_second"],
    }


def _idle_memory(server: Any) -> float:
    """Memory once the knowledge is loaded and an episode was played, without a model or a page."""
    stepping(server, 1, 8, ACTION)
    return float(server.memory_mib())


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="polyguard_serving.bench", description=__doc__)
    parser.add_argument("--steps", type=int, default=3200, help="steps of each count of sessions")
    parser.add_argument("--batch", type=int, default=1024, help="episodes in a message of a batch")
    arguments = parser.parse_args(argv)
    try:
        print(json.dumps(measure(max(640, arguments.steps), arguments.batch), indent=1))
    except PolyGuardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
