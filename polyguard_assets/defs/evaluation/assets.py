"""Evaluation on holdout scenarios, the improvement it shows, and charts."""

from typing import Any

import dagster as dg
import pandas as pd

from polyguard_assets.charts import grouped_bars, inline, interval_bars
from polyguard_assets.io.schema import schemas
from polyguard_assets.launchers.accelerator import Accelerator
from polyguard_assets.partitions import DEFAULT_MODEL_RUN, model_run_partitions
from polyguard_assets.paths import model_folder, reports_folder, within_project
from polyguard_assets.settings import Settings
from polyguard_assets.training.evaluate_config import EvaluateConfig
from polyguard_assets.training.publish import write_json
from polyguard_assets.versions import ENVIRONMENT, TRAINING, made_with, source_version
from polyguard_env.reward.columns import COLUMNS
from polyguard_env.rollouts import paired_difference, summarise

GROUP = "evaluation"
REFERENCES = ("no_change", "random_legal", "rule_based", "oracle")
CODE = made_with(
    source_version(*ENVIRONMENT, *TRAINING, "polyguard_env/policies", "polyguard_env/rollouts.py",
                   "polyguard_assets/defs/evaluation/assets.py"),
    "seed",
)  # fmt: skip
REPORT_CODE = made_with(
    source_version("polyguard_env/rollouts.py", "polyguard_assets/defs/evaluation", "polyguard_assets/charts.py"),
    "seed",
)
MODEL_RUN_INPUT = dg.AssetIn(partition_mapping=dg.SpecificPartitionsPartitionMapping([DEFAULT_MODEL_RUN]))


@dg.asset(
    group_name=GROUP,
    partitions_def=model_run_partitions,
    code_version=CODE,
    ins={"scenario_set": dg.AssetIn(partition_mapping=dg.AllPartitionMapping())},
    deps=["base_model", "sft_adapter", "grpo_adapter", "postsave_inference", "knowledge_snapshot"],
    kinds={"parquet"},
)
def model_evaluation(
    context: dg.AssetExecutionContext, scenario_set: pd.DataFrame, accelerator: Accelerator, settings: Settings
) -> dg.MaterializeResult[pd.DataFrame]:
    """Every step of base, SFT and GRPO models and of the reference policies on the holdout scenarios."""
    run = context.partition_key
    folder = model_folder(run)
    holdout = sorted(scenario_set[scenario_set["split"] == "holdout"]["scenario_id"])
    ids_path = folder / "holdout_ids.json"
    write_json(ids_path, holdout)
    base = str(folder / "base")
    report = accelerator.run(
        context,
        "evaluate",
        EvaluateConfig(
            result_path=str(folder / "evaluate.json"), threads=accelerator.threads, seed=settings.seed,
            models=(
                {"name": "base", "model_dir": base},
                {"name": "sft", "model_dir": base, "adapter_dir": str(folder / "sft_adapter")},
                {"name": "grpo", "model_dir": str(folder / "merged")},
            ),
            policies=REFERENCES, scenario_ids_path=str(ids_path), steps_path=str(folder / "evaluate.parquet"),
            work_dir=str(folder / "evaluate_work"),
        ),
    )  # fmt: skip
    steps = pd.read_parquet(report["steps_path"])[[column.name for column in schemas()["model_evaluation"]]]
    summaries = report["policies"]
    chart = interval_bars(summaries, "reward", "ci", "Mean episode reward on holdout, 95% intervals")
    numbers = {f"{name}_reward": summary["reward"] for name, summary in summaries.items()}
    return dg.MaterializeResult(
        value=steps,
        metadata=numbers
        | {
            "episodes": len(holdout),
            "seed": settings.seed,
            "knowledge_fingerprint": report["knowledge_fingerprint"],
            "rewards": dg.MetadataValue.md(inline(chart, "rewards")),
            "compute": report["compute"],
        },
        data_version=dg.DataVersion(_version(steps)),
    )


def _version(steps: pd.DataFrame) -> str:
    from polyguard_assets.io.parquet import table_hash
    from polyguard_assets.io.schema import to_table

    return table_hash(to_table("model_evaluation", steps))


@dg.asset_check(asset=model_evaluation, blocking=True, partitions_def=model_run_partitions)
def evaluation_is_bounded_and_held_out(model_evaluation: pd.DataFrame) -> dg.AssetCheckResult:
    """Rewards within bounds, every scenario of the holdout split, every policy on the same scenarios."""
    bounded = bool(model_evaluation["reward"].between(0.001, 0.999).all())
    held_out = bool((model_evaluation["split"] == "holdout").all())
    ids = model_evaluation.groupby("policy")["scenario_id"].agg(lambda names: " ".join(sorted(set(names))))
    return dg.AssetCheckResult(
        passed=bounded and held_out and ids.nunique() == 1,
        metadata={"bounded": bounded, "held_out": held_out, "policies": len(ids)},
    )


def summaries_of(steps: pd.DataFrame, seed: int) -> dict[str, dict[str, Any]]:
    """Summary of each policy's steps, in the order they were played."""
    return {str(name): summarise(frame, seed) for name, frame in steps.groupby("policy", sort=False)}


@dg.asset(group_name=GROUP, code_version=REPORT_CODE, ins={"model_evaluation": MODEL_RUN_INPUT}, kinds={"json"})
def improvement_report(model_evaluation: pd.DataFrame, settings: Settings) -> dg.MaterializeResult[None]:
    """What training changed on holdout: paired differences, by sub-environment, difficulty and mechanism."""
    by_policy = {str(name): frame for name, frame in model_evaluation.groupby("policy", sort=False)}
    pairs = (
        ("sft", "base"),
        ("grpo", "sft"),
        ("grpo", "base"),
        ("grpo", "no_change"),
        ("grpo", "rule_based"),
        ("oracle", "grpo"),
    )
    report: dict[str, Any] = {
        "seed": settings.seed,
        "policies": summaries_of(model_evaluation, settings.seed),
        "differences": {f"{a} - {b}": paired_difference(by_policy[a], by_policy[b], settings.seed) for a, b in pairs},
    }
    for column in ("sub_environment", "difficulty", "unseen_mechanism"):
        report[f"by_{column}"] = {
            str(value): {name: summary["reward"] for name, summary in summaries_of(frame, settings.seed).items()}
            for value, frame in model_evaluation.groupby(column)
        }
    path = write_json(reports_folder() / "improvement_report.json", report)
    gain = report["differences"]["grpo - base"]
    return dg.MaterializeResult(
        metadata={
            "improved": gain["ci"][0] > 0,
            "grpo_minus_base": gain["difference"],
            "grpo_minus_sft": report["differences"]["grpo - sft"]["difference"],
            "sft_minus_base": report["differences"]["sft - base"]["difference"],
            "path": dg.MetadataValue.path(within_project(path)),
            "report": dg.MetadataValue.json(report["differences"]),
        }
    )


@dg.asset(group_name=GROUP, code_version=REPORT_CODE, ins={"model_evaluation": MODEL_RUN_INPUT}, kinds={"matplotlib"})
def charts(model_evaluation: pd.DataFrame, settings: Settings) -> dg.MaterializeResult[None]:
    """Charts of the evaluation: reward, harm, legality, reward by sub-environment and by column."""
    summaries = summaries_of(model_evaluation, settings.seed)
    by_sub = {
        str(name): {p: s["reward"] for p, s in summaries_of(frame, settings.seed).items()}
        for name, frame in model_evaluation.groupby("sub_environment")
    }
    columns = {
        name.removesuffix("_score"): {
            str(policy): float(value)
            for policy, value in model_evaluation.groupby("policy", sort=False)[name].mean().items()
        }
        for name in COLUMNS
    }
    made = {
        "reward": interval_bars(summaries, "reward", "ci", "Mean episode reward on holdout, 95% intervals"),
        "severe_harm": interval_bars(
            summaries, "severe_harm", "severe_harm_ci", "Episodes with severe harm, 95% intervals"
        ),
        "legality": interval_bars(summaries, "legality", "legality_ci", "Legal steps, 95% intervals"),
        "sub_environments": grouped_bars(by_sub, "Mean episode reward by sub-environment"),
        "columns": grouped_bars(columns, "Mean of each reward column"),
    }
    folder = reports_folder() / "charts"
    folder.mkdir(parents=True, exist_ok=True)
    for name, png in made.items():
        (folder / f"{name}.png").write_bytes(png)
    shown = {name: dg.MetadataValue.md(inline(png, name)) for name, png in made.items()}
    return dg.MaterializeResult(metadata=shown | {"folder": dg.MetadataValue.path(within_project(folder))})


ASSETS = [model_evaluation, improvement_report, charts]
CHECKS = [evaluation_is_bounded_and_held_out]
