"""Training entry points as local processes, reporting to the run through Dagster Pipes."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterPipesExecutionError

from polyguard_assets.launchers.accelerator import Accelerator, reported
from polyguard_assets.paths import knowledge_folder, project_root
from polyguard_assets.training.config import ProcessConfig
from polyguard_env.knowledge.base import KNOWLEDGE_VARIABLE


class LocalAccelerator(Accelerator):
    """This machine's CPU or GPU."""

    def run(self, context: dg.AssetExecutionContext, module: str, config: ProcessConfig) -> dict[str, Any]:
        """Run `python -m polyguard_assets.training.<module>` and return its result.

        Raises:
            PolyGuardError: the process reported bad input; same field, value and fix.
        """
        result_path = Path(config.result_path)
        config_path = config.write(result_path.with_suffix(".config.json"))
        client = dg.PipesSubprocessClient(
            cwd=str(project_root()),
            env={KNOWLEDGE_VARIABLE: str(knowledge_folder()), "PYTHONUNBUFFERED": "1"} | _proxy_free(),
        )
        command = [sys.executable, "-m", f"polyguard_assets.training.{module}", "--config", str(config_path)]
        result_path.unlink(missing_ok=True)
        try:
            client.run(context=context, command=command)
        except DagsterPipesExecutionError as error:
            raise reported(result_path) or error from None
        found: dict[str, Any] = json.loads(result_path.read_text(encoding="utf-8"))
        return found


def _proxy_free() -> dict[str, str]:
    """Loopback addresses bypass any configured proxy."""
    return {"NO_PROXY": f"127.0.0.1,localhost,{os.environ.get('NO_PROXY', '')}".rstrip(",")}
