"""The code location: assets, checks, resources, jobs and schedules."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from polyguard_assets.defs.corpora import assets as corpora
from polyguard_assets.defs.deployment import assets as deployment
from polyguard_assets.defs.evaluation import assets as evaluation
from polyguard_assets.defs.evaluation import trust
from polyguard_assets.defs.evidence import assets as evidence
from polyguard_assets.defs.knowledge import assets as knowledge
from polyguard_assets.defs.knowledge import checks as knowledge_checks
from polyguard_assets.defs.knowledge import supplied as supplied_knowledge
from polyguard_assets.defs.models import active as active_models
from polyguard_assets.defs.models import assets as models
from polyguard_assets.defs.patients import assets as patients
from polyguard_assets.defs.patients import supplied as supplied_patients
from polyguard_assets.defs.scenarios import assets as scenarios
from polyguard_assets.defs.scenarios import checks as scenario_checks
from polyguard_assets.defs.sources import assets as sources
from polyguard_assets.environment_server import URL_VARIABLE, EnvironmentServer
from polyguard_assets.hub import Hub
from polyguard_assets.io.parquet import ParquetIOManager
from polyguard_assets.launchers.chosen import chosen_accelerator
from polyguard_assets.paths import data_lake
from polyguard_assets.settings import Settings
from polyguard_assets.supplied import SuppliedSources, configured_services

GROUPS = ("sources", "knowledge", "patients", "scenarios", "corpora", "models", "evaluation", "evidence", "deployment")
MODULES = (
    sources, knowledge, supplied_knowledge, patients, supplied_patients, scenarios, corpora, models, evaluation, trust,
    evidence, active_models, deployment,
)  # fmt: skip
ASSETS: list[dg.AssetsDefinition] = [asset for module in MODULES for asset in module.ASSETS]
CHECKS = [
    *knowledge_checks.CHECKS,
    *patients.CHECKS,
    *scenario_checks.CHECKS,
    *corpora.CHECKS,
    *models.CHECKS,
    *evaluation.CHECKS,
    *evidence.CHECKS,
    *active_models.CHECKS,
]

refresh_data = dg.define_asset_job(
    "refresh_data",
    selection=dg.AssetSelection.groups("sources", "knowledge", "patients", "evidence"),
    description="Fetch the sources and make the knowledge, patients and evidence again.",
)
qwen_sweep = dg.define_asset_job(
    "qwen_sweep",
    selection=dg.AssetSelection.groups("models") | dg.AssetSelection.assets("model_evaluation"),
    description="Train, merge and evaluate one model run per partition; one GPU run at a time.",
)
demo = dg.define_asset_job(
    "demo",
    selection=dg.AssetSelection.groups("models") | dg.AssetSelection.assets("model_evaluation"),
    description="The model stages of make demo for one model run.",
)
measure_again = dg.define_asset_job(
    "evidence",
    selection=dg.AssetSelection.groups("evaluation"),
    description="Measure again what the reports say: evaluation, comparison, charts, trust; trains nothing.",
)
deploy_environment = dg.define_asset_job(
    "deploy_environment",
    selection=dg.AssetSelection.assets("environment_space"),
    description="Send the environment server to its Space, wait for the build and validate it there.",
)


@dg.schedule(job=qwen_sweep, cron_schedule="0 3 * * 6", default_status=dg.DefaultScheduleStatus.STOPPED)
def weekly_qwen_sweep(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
    """One run per Qwen model, Saturdays at 03:00; off until somebody turns it on."""
    from polyguard_assets.training.model_runs import model_runs

    return [
        dg.RunRequest(run_key=f"{context.scheduled_execution_time:%Y-%m-%d}-{name}", partition_key=name)
        for name, run in model_runs().items()
        if run.accelerator == "a10g"
    ]


def asset_groups() -> dict[str, str]:
    """Asset key to group name."""
    return {key.path[-1]: group for asset in ASSETS for key, group in asset.group_names_by_key.items()}


def default_resources() -> dict[str, Any]:
    """Resources as `make demo` uses them."""
    return {
        "io_manager": ParquetIOManager(base_dir=str(data_lake()), groups=asset_groups()),
        "environment_server": EnvironmentServer(url=dg.EnvVar(URL_VARIABLE).get_value("") or ""),
        "accelerator": chosen_accelerator(),
        "model_source": models.ModelSource(),
        "settings": Settings(),
        "hub": Hub(),
        "supplied_sources": SuppliedSources(services=configured_services()),
    }


def build_defs(resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The definitions, with some resources swapped.

    Args:
        resource_overrides: resource key to resource, for tests and other deployments.
    """
    return dg.Definitions(
        assets=ASSETS,
        asset_checks=CHECKS,
        resources=default_resources() | dict(resource_overrides or {}),
        jobs=[refresh_data, qwen_sweep, demo, measure_again, deploy_environment],
        schedules=[weekly_qwen_sweep],
        executor=dg.in_process_executor,
    )


defs = build_defs()
