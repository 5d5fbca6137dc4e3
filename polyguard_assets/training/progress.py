"""Progress lines with the time left, and the history of a run as JSON lines."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from polyguard_assets.training.process import Reporter

COMPLETE = "COMPLETE"
LINE_SECONDS = 5.0
SHOWN = ("loss", "mean_token_accuracy", "reward", "greedy_reward", "best_rate", "entropy")


class ProgressCallback(TrainerCallback):
    """Writes a history line for every logged step, and a progress line every few seconds.

    A resumed run keeps the history up to the checkpoint it goes on from and appends to it.

    Args:
        stage: word that begins each line.
        history_path: JSON-lines file.
    """

    def __init__(self, stage: str, history_path: Path | str, reporter: Reporter) -> None:
        self.stage = stage
        self.history_path = Path(history_path)
        self.reporter = reporter
        self._began = self._last_log = self._last_line = 0.0
        self._first_step = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Cut the history back to the step training goes on from."""
        self.history_path.parent.mkdir(parents=True, exist_ok=True)
        kept = [row for row in read_history(self.history_path) if row["step"] <= state.global_step]
        if state.global_step == 0:
            kept = []
        self.history_path.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
        self._first_step = state.global_step
        self._began = self._last_log = time.monotonic()
        self._last_line = float("-inf")
        where = f" from step {state.global_step}" if state.global_step else ""
        self.reporter.milestone(f"{self.stage}: {state.max_steps} steps{where}")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Append the step's numbers; the summary logged when training ends is no step."""
        if not logs or "train_runtime" in logs:
            return
        now = time.monotonic()
        row = {"step": state.global_step, "step_seconds": round(now - self._last_log, 3)}
        row |= {name: value for name, value in logs.items() if _finite(value)}
        self._last_log = now
        with self.history_path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        done = state.global_step - self._first_step
        if now - self._last_line < LINE_SECONDS and state.global_step < state.max_steps:
            return
        self._last_line = now
        rate = (now - self._began) / max(done, 1)
        left = rate * (state.max_steps - state.global_step)
        shown = " ".join(f"{name} {row[name]:.3f}" for name in SHOWN if name in row)
        text = f"{self.stage} {state.global_step}/{state.max_steps} {shown} | {rate:.1f} s/step, {clock(left)} left"
        self.reporter.line(text)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Mark the checkpoint as whole: a run killed while writing leaves no mark."""
        checkpoint = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        (checkpoint / COMPLETE).write_text("", encoding="utf-8")


def read_history(path: Path | str) -> list[dict[str, Any]]:
    """Rows of a history file; a last line cut short by a kill is left out."""
    if not Path(path).exists():
        return []
    rows = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


def clock(seconds: float) -> str:
    """ "1m05s", or "42s" under a minute."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
