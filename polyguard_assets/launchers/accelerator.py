"""What an accelerator is: somewhere that runs a training entry point and brings its result back."""

from __future__ import annotations

import json
from abc import abstractmethod
from pathlib import Path
from typing import Any

import dagster as dg

from polyguard_assets.training.config import ProcessConfig
from polyguard_env.errors import PolyGuardError


class Accelerator(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Runs `polyguard_assets.training` entry points.

    Attributes:
        threads: CPU threads a training process uses.
    """

    threads: int = 2

    @abstractmethod
    def run(self, context: dg.AssetExecutionContext, module: str, config: ProcessConfig) -> dict[str, Any]:
        """Run `python -m polyguard_assets.training.<module>` with this configuration and return its result.

        Every file the configuration names is afterwards where it says, as if the process had run here.

        Raises:
            PolyGuardError: the process reported bad input (same field, value and fix), or could not be run.
        """


def reported(result_path: Path) -> PolyGuardError | None:
    """The error a process left in its result file, if it did."""
    if not result_path.is_file():
        return None
    failure = json.loads(result_path.read_text(encoding="utf-8")).get("error")
    return PolyGuardError(failure["field"], failure["value"], failure["fix"]) if failure else None
