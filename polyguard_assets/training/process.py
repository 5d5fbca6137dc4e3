"""The frame of an entry point: read the configuration, report progress, leave one JSON result."""

from __future__ import annotations

import argparse
import ctypes
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

from polyguard_assets.training.config import ProcessConfig
from polyguard_assets.training.publish import write_json
from polyguard_env.errors import PolyGuardError

BAD_INPUT_EXIT_CODE = 2
# Parameters of glibc's mallopt, from malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
MILESTONE_SECONDS = 30.0
Config = TypeVar("Config", bound=ProcessConfig)
REPORTED_PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "unsloth")


class Reporter:
    """Progress for people: every line to stdout, milestones also to the Dagster run's log.

    Args:
        pipes: the Dagster Pipes context, or None outside Dagster.
    """

    def __init__(self, pipes: Any = None) -> None:
        self._pipes = pipes
        self._last_milestone = float("-inf")

    def line(self, text: str) -> None:
        """A line of progress; at most one every 30 s reaches the run's log."""
        print(text, flush=True)
        if self._pipes is not None and time.monotonic() - self._last_milestone >= MILESTONE_SECONDS:
            self._last_milestone = time.monotonic()
            self._pipes.log.info(text)

    def milestone(self, text: str) -> None:
        """A line that always reaches the run's log."""
        print(text, flush=True)
        if self._pipes is not None:
            self._pipes.log.info(text)

    def error(self, text: str) -> None:
        """The one line that says what went wrong and how to fix it."""
        print(f"error: {text}", file=sys.stderr, flush=True)
        if self._pipes is not None:
            self._pipes.log.error(text)


def run_entry_point(
    config_class: type[Config],
    work: Callable[[Config, Reporter], dict[str, Any]],
    argv: Sequence[str] | None = None,
) -> int:
    """Run `work` with the configuration named on the command line.

    The result file says `"status": "ok"` with what `work` returned, or `"status": "failed"` with the
    field, value and fix of the error, so that the launching asset can raise the same error.

    Returns:
        The process's exit code: 0, or 2 for bad input.
    """
    parser = argparse.ArgumentParser(description=work.__doc__)
    parser.add_argument("--config", required=True, help="JSON file with the fields of the configuration")
    arguments = parser.parse_args(argv)
    with _reporter() as reporter:
        try:
            config = config_class.read(arguments.config)
        except PolyGuardError as error:
            reporter.error(str(error))
            return BAD_INPUT_EXIT_CODE
        Path(config.result_path).unlink(missing_ok=True)
        prepare_environment(config.threads)
        keep_freed_memory()
        started = time.monotonic()
        try:
            result = work(config, reporter)
        except PolyGuardError as error:
            reporter.error(str(error))
            failure = {"field": error.field, "value": str(error.value), "fix": error.fix}
            write_json(config.result_path, {"status": "failed", "error": failure})
            return BAD_INPUT_EXIT_CODE
        seconds = round(time.monotonic() - started, 3)
        write_json(
            config.result_path,
            {
                "status": "ok",
                "seconds": seconds,
                "config": config.to_dict(),
                "versions": versions(),
                **result,
            },
        )
        reporter.milestone(f"done in {seconds:.1f} s")
    return 0


def prepare_environment(threads: int) -> None:
    """Set what torch and the tokenizers read once, when they are imported."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    # Waiting threads give the core back after a short spin: other processes run here, yet steps stay fast.
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")


def keep_freed_memory() -> None:
    """Ask glibc to keep what a training step frees for the next step.

    Handing gigabytes back and having them zeroed again takes a tenth of a step.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)


def versions() -> dict[str, str]:
    """Versions of the packages a training result depends on."""
    found = {}
    for package in REPORTED_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@contextmanager
def _reporter() -> Iterator[Reporter]:
    if "DAGSTER_PIPES_CONTEXT" not in os.environ:
        yield Reporter()
        return
    from dagster_pipes import open_dagster_pipes

    with open_dagster_pipes() as pipes:
        yield Reporter(pipes)
