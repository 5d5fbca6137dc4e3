"""The graph as designed: keys, groups, order, partitions, pools, jobs."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import pytest

from polyguard_assets.definitions import GROUPS, asset_groups, build_defs
from polyguard_assets.defs.models.assets import GPU_POOL
from polyguard_assets.io.schema import schemas

DESIGNED = {
    "sources": {
        "ansm_thesaurus", "drug_names", "smollm2_wheel", "rxnorm_concepts", "ddinter_interactions", "twosides_signals",
        "synthea_patients", "mimic_patients", "fhir_patients", "nhanes_patients", "onsides_effects",
        "cpic_pairs", "rxnav_concepts", "openfda_labels", "dailymed_labels",
    },
    "knowledge": {
        "drug_vocabulary", "drug_classes", "drug_profiles", "ddi_graph", "burden_rules", "combination_rules",
        "taper_rules", "renal_rules", "hepatic_rules",
        "duplicate_therapy_rules", "substitution_rules", "drug_disease_rules", "omission_rules", "monitoring_rules",
        "pharmacogenomics_rules", "hold_rules", "knowledge_snapshot", "supplied_names", "supplied_interactions",
        "supplied_texts", "supplied_effects", "supplied_pharmacogenomics",
    },
    "patients": {"synthetic_patients", "supplied_patients"},
    "scenarios": {"scenario_set", "scenario_rollouts"},
    "corpora": {"sft_corpus", "grpo_corpus", "corpus_summary"},
    "models": {"base_model", "sft_adapter", "grpo_adapter", "merged_model", "postsave_inference"},
    "evaluation": {"model_evaluation", "improvement_report", "charts", "trust_scoreboard"},
    "evidence": {"evidence_corpus", "evidence_index"},
    "deployment": {"active_model", "environment_space", "training_space", "evidence_space"},
}  # fmt: skip


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    return build_defs()


def test_the_definitions_load(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)


def test_every_asset_is_in_its_group() -> None:
    found: dict[str, set[str]] = {}
    for name, group in asset_groups().items():
        found.setdefault(group, set()).add(name)
    assert found == DESIGNED
    assert tuple(found) == GROUPS


def test_lineage_runs_from_sources_to_charts(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    ancestors = {key.path[-1] for key in graph.get_ancestor_asset_keys(dg.AssetKey("charts"))}
    assert ancestors >= {"ansm_thesaurus", "ddi_graph", "synthetic_patients", "scenario_set", "sft_corpus",
                         "grpo_adapter", "merged_model", "model_evaluation"}  # fmt: skip


def test_partitions(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    assert graph.get(dg.AssetKey("scenario_set")).partitions_def.get_partition_keys() == ["easy", "medium", "hard"]
    for name in (*DESIGNED["models"], "model_evaluation"):
        keys = graph.get(dg.AssetKey(name)).partitions_def.get_partition_keys()
        assert keys[0] == "smollm2-135m-instruct" and len(keys) == 4


def test_training_assets_share_the_gpu_pool(defs: dg.Definitions) -> None:
    for name in ("sft_adapter", "grpo_adapter"):
        assert defs.get_assets_def(name).node_def.pool == GPU_POOL  # type: ignore[attr-defined]


def test_the_gpu_pool_is_made_strict(instance: dg.DagsterInstance) -> None:
    instance.event_log_storage.set_concurrency_slots(GPU_POOL, 1)
    assert instance.event_log_storage.get_concurrency_info(GPU_POOL).slot_count == 1


def test_jobs_and_the_sweep_schedule(defs: dg.Definitions) -> None:
    assert {job.name for job in defs.resolve_all_job_defs()} >= {
        "demo",
        "refresh_data",
        "qwen_sweep",
        "deploy_environment",
    }
    schedule = defs.resolve_schedule_def("weekly_qwen_sweep")
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    context = dg.build_schedule_context(
        scheduled_execution_time=datetime(2026, 11, 28, 3, tzinfo=UTC), repository_def=defs.get_repository_def()
    )
    requests = schedule.evaluate_tick(context).run_requests
    assert requests and [r.partition_key for r in requests] == [
        "qwen-qwen2-5-0-5b-instruct", "qwen-qwen2-5-1-5b-instruct", "qwen-qwen2-5-3b-instruct",
    ]  # fmt: skip


def test_every_table_asset_declares_its_schema() -> None:
    tables = set(schemas())
    assert tables >= {"drug_vocabulary", "ddi_graph", "scenario_set", "sft_corpus", "grpo_corpus", "model_evaluation"}
    assert tables <= set(asset_groups())


def test_blocking_checks_guard_what_matters(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    blocking = {key.name for key in graph.asset_check_keys if graph.get(key).blocking}
    assert blocking >= {
        "edges_are_sound", "splits_are_disjoint", "rewards_are_bounded", "corpora_hold_no_holdout_pair",
        "exported_artifact_answers", "cohort_is_plausible", "evaluation_is_bounded_and_held_out",
        "passages_are_sourced", "training_text_names_no_holdout_pair", "evidence_is_found", "active_model_resolves",
    }  # fmt: skip
