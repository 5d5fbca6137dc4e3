"""`python -m polyguard_assets.soak`: 1,000 sessions over 30 minutes, and whether the server keeps anything of them.

Starts a server of its own with few slots and a short session timeout, lets sessions come at random moments and leave in
every way of `behaviours`, and looks at the server from outside all the while. At the end it waits until the last idle
session must have gone, compares file descriptors and threads with those before, fills every slot once more (a leaked
one would be missing), and writes data_lake/reports/soak.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from polyguard_assets.environment_server import BANNER, START_SECONDS, ready, stop
from polyguard_assets.paths import project_root, reports_folder
from polyguard_assets.soak.behaviours import BEHAVIOURS, Behaviour, ask, opened
from polyguard_assets.soak.measures import Sample, look, slope
from polyguard_assets.training.publish import write_json
from polyguard_env.errors import PolyGuardError

SLOTS = 64
SETTLE_SECONDS = 10.0
# Of a run's memory only the part after the warm-up counts: caches of scenarios fill first.
WARM_SHARE = 1 / 3
MOST_GROWTH = 0.05


async def soak(
    url: str, pid: int, sessions: int, seconds: float, idle: float, seed: int, every: float
) -> dict[str, Any]:
    """Run the sessions and measure; the report."""
    source = random.Random(seed)
    began = time.monotonic()
    await warm_up(url, source)
    before = await asyncio.to_thread(look, pid, url, 0.0)
    samples = [before]
    done: Counter[str] = Counter()
    surprises: list[str] = []
    steps = 0

    async def one(number: int, start: float) -> None:
        nonlocal steps
        await asyncio.sleep(max(0.0, start - (time.monotonic() - began)))
        own = random.Random(f"{seed}-{number}")
        behaviour: Behaviour = own.choices(list(BEHAVIOURS), weights=list(BEHAVIOURS.values()))[0]
        try:
            taken = await behaviour(url, own)
            steps += taken
            done[behaviour.__name__] += 1
        except Exception as error:
            # Whatever ends a session unplanned is a finding of the soak, not its end.
            surprises.append(f"{behaviour.__name__}: {type(error).__name__}: {error}"[:300])

    async def watch() -> None:
        while True:
            await asyncio.sleep(every)
            samples.append(await asyncio.to_thread(look, pid, url, time.monotonic() - began))

    watcher = asyncio.create_task(watch())
    starts = sorted(source.uniform(0, seconds) for _ in range(sessions))
    await asyncio.gather(*(one(number, start) for number, start in enumerate(starts)))
    watcher.cancel()
    await asyncio.sleep(idle * 2 + SETTLE_SECONDS)
    after = await asyncio.to_thread(look, pid, url, time.monotonic() - began)
    slots = await fill(url)
    return report(before, samples, after, done, surprises, steps, slots) | {
        "sessions": sessions, "seconds": round(time.monotonic() - began, 1), "seed": seed,
    }  # fmt: skip


async def warm_up(url: str, source: random.Random) -> None:
    """One session of every kind that ends by itself, so that what is made once is made before the measurement."""
    for behaviour in BEHAVIOURS:
        if behaviour.__name__ != "falls_silent":
            await behaviour(url, random.Random(source.random()))
    await asyncio.sleep(SETTLE_SECONDS / 5)


async def fill(url: str) -> dict[str, Any]:
    """Open sessions until one is refused; how many the server let in, and with what word it refused."""
    async with AsyncExitStack() as open_sessions:
        for number in range(SLOTS):
            socket = await open_sessions.enter_async_context(opened(url))
            answer = await ask(socket, {"type": "state"})
            if answer.get("type") == "error" and answer["data"].get("code") == "CAPACITY_REACHED":
                return {"slots": SLOTS, "opened": number, "refusal": "CAPACITY_REACHED"}
        extra = await open_sessions.enter_async_context(opened(url))
        refused = json.loads(await asyncio.wait_for(extra.recv(), 30))
    return {"slots": SLOTS, "opened": SLOTS, "refusal": str(refused.get("data", {}).get("code", refused))}


def report(
    before: Sample, samples: Sequence[Sample], after: Sample, done: Counter[str], surprises: Sequence[str], steps: int,
    slots: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """What was left behind, and whether that is nothing."""
    warm = [sample for sample in samples if sample.seconds >= samples[-1].seconds * WARM_SHARE]
    gradient, error = (
        slope([s.seconds / 3600 for s in warm], [s.rss_mib for s in warm]) if len(warm) > 2 else (0.0, 0.0)
    )
    hours = (warm[-1].seconds - warm[0].seconds) / 3600
    growth = gradient * hours / warm[0].rss_mib
    leaked = {
        "sessions": after.sessions, "episodes": after.episodes, "slots": slots["slots"] - slots["opened"],
        "file_descriptors": max(0, after.fds - before.fds), "threads": max(0, after.threads - before.threads),
    }  # fmt: skip
    flat = growth <= MOST_GROWTH
    return {
        "passed": not any(leaked.values()) and not surprises and flat and slots["refusal"] == "CAPACITY_REACHED",
        "leaked": leaked,
        "memory": {
            "before_mib": before.rss_mib, "after_mib": after.rss_mib, "most_mib": max(s.rss_mib for s in samples),
            "slope_mib_per_hour": round(gradient, 2), "slope_error": round(error, 2),
            "growth_after_warm_up": round(growth, 4), "most_growth": MOST_GROWTH, "flat": flat,
        },
        "most_sessions_at_once": max(s.sessions for s in samples),
        "steps": steps, "sessions_by_behaviour": dict(sorted(done.items())), "surprises": list(surprises)[:50],
        "capacity": slots, "before": asdict(before), "after": asdict(after), "samples": [asdict(s) for s in samples],
    }  # fmt: skip


def server(idle: float, workers: int, log: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A server of the soak's own and its address."""
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "polyguard_serving.server", "--host", "127.0.0.1", "--port", "0", "--sessions",
             str(SLOTS), "--session-timeout", str(idle), "--workers", str(workers)],
            cwd=project_root(), env=os.environ | {"PYTHONUNBUFFERED": "1"}, stdout=sink, stderr=subprocess.STDOUT,
        )  # fmt: skip
    deadline = time.monotonic() + START_SECONDS * 2
    while time.monotonic() < deadline and process.poll() is None:
        found = [line for line in log.read_text(errors="replace").splitlines() if line.startswith(BANNER)]
        if found:
            url = found[0].removeprefix(BANNER).strip()
            if ready(url):
                return process, url
        time.sleep(0.1)
    stop(process)
    raise PolyGuardError(
        "server", log.name, f"it did not start; its log ends: {log.read_text(errors='replace')[-300:]}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Soak a server and write the report; 1 when something leaked, grew or surprised."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--idle", type=float, default=20.0, help="the server's session timeout, seconds")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--every", type=float, default=10.0, help="seconds between samples")
    parser.add_argument("--report", type=Path, default=reports_folder() / "soak.json")
    arguments = parser.parse_args(argv)
    arguments.report.parent.mkdir(parents=True, exist_ok=True)
    log = arguments.report.with_suffix(".log")
    try:
        process, url = server(arguments.idle, arguments.workers, log)
    except PolyGuardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        found = asyncio.run(
            soak(url, process.pid, arguments.sessions, arguments.minutes * 60, arguments.idle, arguments.seed,
                 arguments.every)
        )  # fmt: skip
    finally:
        stop(process)
    faults = [line for line in log.read_text(errors="replace").splitlines() if "Traceback" in line or '"fault"' in line]
    found |= {
        "when": datetime.now(UTC).isoformat(timespec="seconds"), "workers": arguments.workers, "faults": faults[:20],
        "server_exit_code": process.returncode, "passed": found["passed"] and not faults,
    }  # fmt: skip
    write_json(arguments.report, found)
    print(json.dumps({key: value for key, value in found.items() if key != "samples"}, indent=1))
    return 0 if found["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
