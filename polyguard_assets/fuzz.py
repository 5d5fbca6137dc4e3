"""`make fuzz`: generated requests over the whole API of a server of its own, every check of schemathesis switched on.

Valid and invalid requests, the edges of every schema, and sequences of linked calls. What was sent and what failed goes
to data_lake/reports/fuzz.json; failures are printed with a command that repeats them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from polyguard_assets.environment_server import EnvironmentServer
from polyguard_assets.paths import reports_folder
from polyguard_assets.training.publish import write_json
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import snapshot_folder

REQUEST_SECONDS = "30"


def fuzz(url: str, examples: int, seed: int, seconds: int | None, path: str) -> tuple[dict[str, Any], str]:
    """Run schemathesis against a server.

    Args:
        url: of the server.
        examples: most generated requests for an operation in each phase.
        seed: of the generation.
        seconds: time budget of the run; None for none.
        path: regular expression of the paths to try.

    Returns:
        Its report, and what it printed.

    Raises:
        PolyGuardError: it ended without a report.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "report.json"
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json", "--checks", "all",
            "--mode", "all", "--max-examples", str(examples), "--seed", str(seed), "--continue-on-failure",
            "--no-color", "--generation-database", "none", "--request-timeout", REQUEST_SECONDS,
            "--include-path-regex", path, "--report-json-path", str(target),
        ]  # fmt: skip
        if seconds is not None:
            command += ["--max-time", str(seconds)]
        environment = os.environ | {"NO_PROXY": "127.0.0.1,localhost"}
        ran = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
        if not target.is_file():
            raise PolyGuardError(
                "schemathesis", ran.returncode, f"it left no report: {(ran.stdout + ran.stderr)[-500:]}"
            )
        return dict(json.loads(target.read_text(encoding="utf-8"))), ran.stdout


def summary(report: dict[str, Any]) -> dict[str, Any]:
    """The figures of a report, and whether nothing failed."""
    cases, operations = report["test_cases"], report["operations"]
    failures = [
        {name: failure[name] for name in ("code", "title", "count", "operations")} for failure in report["failures"]
    ]
    return {
        "passed": not failures and not report["errors"] and operations["tested"] == operations["selected"],
        "operations": operations["tested"],
        "requests": cases["generated"],
        "failures": failures,
        "errors": report["errors"],
        "phases": {name: phase["status"] for name, phase in report["phases"].items()},
        "seconds": round(report["running_time"], 1),
        "seed": report["seed"],
        "checks": "all",
        "schemathesis": report["schemathesis_version"],
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Fuzz a server of its own; 1 when anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=200, help="requests for an operation in each phase")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=int, help="time budget")
    parser.add_argument("--path", default=".", help="regular expression of the paths to try")
    parser.add_argument("--report", type=Path, default=reports_folder() / "fuzz.json")
    arguments = parser.parse_args(argv)
    os.environ["POLYGUARD_LOG"] = "off"
    try:
        with EnvironmentServer().running(snapshot_folder()) as url:
            # The first question builds the index; what is measured against a limit comes after.
            httpx.get(f"{url}/evidence/search", params={"query": "warfarin"}, timeout=120, trust_env=False)
            report, printed = fuzz(url, arguments.examples, arguments.seed, arguments.seconds, arguments.path)
    except PolyGuardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    found = summary(report)
    write_json(arguments.report, found)
    if not found["passed"]:
        print(printed)
    print(json.dumps(found, indent=1))
    return 0 if found["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
