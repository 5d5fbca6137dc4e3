"""Model runs on the hub: what a training Space publishes, and evaluating what is published.

`python -m polyguard_assets.published --model-run NAME` fetches a run's adapters and plays the holdout scenarios with
them; nothing is trained.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from polyguard_assets.hub import Hub, hub_errors
from polyguard_assets.hub_files import names_below, receive, send
from polyguard_assets.paths import data_lake, model_folder, project_root, raw_wheels, reports_folder
from polyguard_assets.settings import Settings
from polyguard_assets.training.config import ModelSourceConfig, ProcessConfig
from polyguard_assets.training.evaluate_config import EvaluateConfig
from polyguard_assets.training.model_runs import model_run
from polyguard_assets.training.publish import write_json
from polyguard_env.environment.scenarios import DIFFICULTIES, generate_scenarios
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase

ADAPTERS = ("sft_adapter", "grpo_adapter")
REFERENCES = ("no_change", "random_legal", "rule_based", "oracle")
REPO_VARIABLE = "POLYGUARD_RESULTS_REPO"


def results_repo() -> str:
    """The repository of results.

    Raises:
        PolyGuardError: none is configured.
    """
    repo = os.environ.get(REPO_VARIABLE, "").strip()
    if not repo:
        raise PolyGuardError(REPO_VARIABLE, None, "set it to owner/name of a dataset repository on the hub")
    return repo


def publish(hub: Hub, run: str, repo_id: str) -> str:
    """Send a run's adapters, histories and reports in one commit; the revision.

    Raises:
        PolyGuardError: there is nothing to publish, or the hub refuses it.
    """
    folder = model_folder(run)
    files = {f"models/{run}/{path.relative_to(folder).as_posix()}": path for name in ADAPTERS
             for path in sorted((folder / name).rglob("*")) if path.is_file()}  # fmt: skip
    files |= {f"models/{run}/{path.name}": path for path in sorted(folder.glob("*.json*"))}
    if not any(f"/{name}/" in path for path in files for name in ADAPTERS):
        raise PolyGuardError("model_run", run, f"train it first: {folder} holds no adapter")
    for path in (*sorted(reports_folder().glob("*.json")), *sorted(reports_folder().glob("charts/*.png"))):
        files[f"reports/{run}/{path.relative_to(reports_folder()).as_posix()}"] = path
    api = hub.api()
    with hub_errors(hub.url):
        return send(api, repo_id, files, f"Publish {run}")


def fetch(hub: Hub, run: str, repo_id: str) -> Path:
    """A published run's files in its model folder; the folder.

    Raises:
        PolyGuardError: the hub refuses, or holds no adapter of this run.
    """
    api = hub.api()
    folder = model_folder(run)
    prefix = f"models/{run}/"
    with hub_errors(hub.url):
        names = names_below(api, repo_id, prefix)
        if not any(f"/{name}/" in path for path in names for name in ADAPTERS):
            raise PolyGuardError("model_run", run, f"publish it first: {repo_id} holds no adapter of it")
        receive(api, repo_id, {name: folder / name.removeprefix(prefix) for name in names})
    return folder


def holdout_ids(settings: Settings) -> list[str]:
    """The holdout scenarios an evaluation plays, as the scenario set has them."""
    knowledge = KnowledgeBase.default()
    return sorted(
        scenario.scenario_id
        for difficulty in DIFFICULTIES
        for scenario in generate_scenarios(knowledge, "holdout", difficulty, settings.holdout_scenarios)
    )


def evaluate(run: str, hub: Hub, settings: Settings, threads: int = 2) -> Path:
    """Fetch, then play; the report's path."""
    model_run(run)
    folder = fetch(hub, run, results_repo())
    raw_wheels().mkdir(parents=True, exist_ok=True)
    base = str(folder / "base")
    _process("model_source", ModelSourceConfig(
        result_path=str(folder / "model_source.json"), threads=threads, model_run=run, output_dir=base,
        raw_dir=str(raw_wheels()),
    ))  # fmt: skip
    ids = write_json(folder / "holdout_ids.json", holdout_ids(settings))
    models = [{"name": "base", "model_dir": base}]
    models += [{"name": name.removesuffix("_adapter"), "model_dir": base, "adapter_dir": str(folder / name)}
               for name in ADAPTERS if (folder / name).is_dir()]  # fmt: skip
    target = data_lake() / "reports" / f"evaluation-{run}.json"
    _process("evaluate", EvaluateConfig(
        result_path=str(target), threads=threads, seed=settings.seed, models=tuple(models), policies=REFERENCES,
        scenario_ids_path=str(ids), steps_path=str(folder / "evaluate.parquet"), work_dir=str(folder / "evaluate_work"),
    ))  # fmt: skip
    return target


def _process(module: str, config: ProcessConfig) -> None:
    path = config.write(Path(config.result_path).with_suffix(".config.json"))
    command = [sys.executable, "-m", f"polyguard_assets.training.{module}", "--config", str(path)]
    if subprocess.run(command, cwd=project_root()).returncode != 0:
        raise PolyGuardError("evaluation", module, "read the lines above: the process says what was wrong")


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate a published run; 2 with one clear line when it cannot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model-run", required=True)
    arguments = parser.parse_args(argv)
    try:
        print(f"written to {evaluate(arguments.model_run, Hub(), Settings())}")
    except PolyGuardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
