"""`python -m polyguard_serving.policy.model_worker --lake FOLDER`: load the active model, then answer line by line."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from polyguard_env.active_model import read_active_model
from polyguard_env.errors import PolyGuardError
from polyguard_serving.policy.model_worker.scoring import Scorer

NICENESS = 5
QUIET = {
    "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error", "TOKENIZERS_PARALLELISM": "false",
}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Answer until the requests end."""
    parser = argparse.ArgumentParser(prog="polyguard_serving.policy.model_worker", description=__doc__)
    parser.add_argument("--lake", type=Path, required=True, help="the data lake")
    parser.add_argument("--threads", type=int, default=max(1, (os.cpu_count() or 2) - 1), help="CPU threads")
    arguments = parser.parse_args(argv)
    os.environ.update(QUIET)
    with contextlib.suppress(OSError):
        # Environment sessions come first.
        os.nice(NICENESS)
    # Libraries may print: only answers go where answers are read.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    try:
        scorer, hello = load(arguments.lake, arguments.threads)
    except PolyGuardError as error:
        say({"error": told(error)})
        return 2
    say({"ready": hello})
    for line in sys.stdin:
        say(answered(scorer, json.loads(line)))
    return 0


def load(lake: Path, threads: int) -> tuple[Scorer, dict[str, Any]]:
    """The first source of the manifest that loads, and what it is.

    Raises:
        PolyGuardError: none loads; it names why each did not.
    """
    model = read_active_model(lake)
    reasons = []
    for source in model.order:
        if model.part(source) is None:
            reasons.append(f"{source}: the manifest names none")
            continue
        try:
            scorer = Scorer(model, source, lake, threads)
        except PolyGuardError as error:
            reasons.append(f"{source}: {error}")
        except Exception as error:
            # A model file can be wrong in any way; the next source may still be right.
            reasons.append(f"{source}: it does not load ({type(error).__name__}: {str(error)[:160]})")
        else:
            return scorer, {
                "source": source, "label": model.label, "model_run": model.model_run,
                "fallback_reason": "; ".join(reasons) or None, "parameters": scorer.parameters,
                "device": scorer.device, "load_seconds": round(scorer.load_seconds, 3),
            }  # fmt: skip
    raise PolyGuardError("active model", model.label, f"no source loads: {'; '.join(reasons)}")


def answered(scorer: Scorer, request: dict[str, Any]) -> dict[str, Any]:
    """The answer to one request."""
    began = time.monotonic()
    try:
        scores = scorer.scores(request["system"], request["user"], request["candidates"])
    except PolyGuardError as error:
        return {"id": request["id"], "error": told(error)}
    return {
        "id": request["id"], "scores": scores, "probabilities": scorer.probabilities(scores),
        "seconds": round(time.monotonic() - began, 4),
    }  # fmt: skip


def told(error: PolyGuardError) -> dict[str, str]:
    """An error as it travels."""
    return {"field": error.field, "value": str(error.value), "fix": error.fix}


if __name__ == "__main__":
    sys.exit(main())
