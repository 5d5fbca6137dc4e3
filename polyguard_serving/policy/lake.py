"""The data lake as the service reads it: reports, training histories, the evidence index. Nothing here writes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from polyguard_env.errors import PolyGuardError
from polyguard_serving.refusals import Refusal

LAKE_VARIABLE = "POLYGUARD_DATA_LAKE"
ROOT_VARIABLE = "POLYGUARD_ROOT"
SUMMARY, IMPROVEMENT = "reports/demo_summary.json", "reports/improvement_report.json"
STAGES = ("sft", "grpo")
MOST_ROWS = 2000


def data_lake() -> Path:
    """`POLYGUARD_DATA_LAKE`, or data_lake under `POLYGUARD_ROOT`, or beside this package."""
    root = Path(os.environ.get(ROOT_VARIABLE) or Path(__file__).resolve().parents[2])
    return Path(os.environ.get(LAKE_VARIABLE) or root / "data_lake")


def evaluation_report(lake: Path) -> tuple[str, dict[str, Any]]:
    """The newest evaluation: the demo's summary, else the improvement report; and which of them it is.

    Raises:
        Refusal: NOT_FOUND: nothing was evaluated yet.
    """
    for name in (SUMMARY, IMPROVEMENT):
        if (lake / name).is_file():
            return name, _object(lake / name, name)
    raise Refusal("NOT_FOUND", "evaluation", SUMMARY, "run make demo, or materialize model_evaluation (make ui)")


def model_runs(lake: Path) -> list[str]:
    """Model runs that have a training history."""
    folder = lake / "models"
    found = {path.parent.name for stage in STAGES for path in folder.glob(f"*/{stage}_history.jsonl")}
    return sorted(found)


def training_history(lake: Path, model_run: str, stage: str) -> list[dict[str, float]]:
    """Numbers logged at each step; empty when the stage has not run. Long histories are thinned evenly.

    Raises:
        PolyGuardError: a line is no JSON object.
    """
    path = lake / "models" / model_run / f"{stage}_history.jsonl"
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = lines[:: -(-len(lines) // MOST_ROWS)] if lines else []
    rows = []
    for number, line in enumerate(kept, start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise PolyGuardError(path.name, f"line {number}", f"train again: it is not JSON ({error})") from error
        numbers = {k: float(v) for k, v in row.items() if isinstance(v, int | float) and not isinstance(v, bool)}
        rows.append({name: value for name, value in numbers.items() if value == value and abs(value) != float("inf")})
    return rows


def _object(path: Path, name: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise PolyGuardError(name, "not JSON", f"materialize it again ({error})") from error
    if not isinstance(found, dict):
        raise PolyGuardError(name, type(found).__name__, "materialize it again: it must be an object")
    return found
