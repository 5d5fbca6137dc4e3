"""The demo runner: order, reuse, resumption, summary and clear errors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from polyguard_assets import demo
from polyguard_assets.definitions import build_defs
from polyguard_assets.demo import Stage, alone, checks_passed, files_exist, is_fresh, main, stages, table
from polyguard_env.errors import PolyGuardError


def test_stages_come_in_order_of_dependency() -> None:
    labels = [stage.label for stage in stages(build_defs(), "smollm2-135m-instruct")]
    assert labels[-1] in ("charts", "improvement_report", "active_model")
    assert labels.index("ddi_graph") < labels.index("scenario_set[hard]") < labels.index("scenario_rollouts")
    assert labels.index("corpus_summary") < labels.index("sft_adapter[smollm2-135m-instruct]")
    assert not any("qwen" in label for label in labels)


def test_an_unknown_model_run_is_one_clear_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model-run", "smollm"]) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1 and "smollm2-135m-instruct" in shown


def test_an_unreachable_server_is_one_clear_error_before_any_work(
    lake: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POLYGUARD_ENVIRONMENT_URL", "http://127.0.0.1:9")
    assert main([]) == 2
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1 and "http://127.0.0.1:9" in shown.err and "make serve" in shown.err
    assert shown.out == "" and not list(lake.iterdir())


@dg.asset(code_version="1")
def improvement_report() -> None:
    """Stands in for the asset of this name; only its freshness is looked at."""


def test_an_asset_is_reused_only_while_fresh_and_its_file_there(lake: Path, instance: dg.DagsterInstance) -> None:
    graph = dg.Definitions(assets=[improvement_report]).resolve_asset_graph()
    stage = Stage("improvement_report", None)
    assert not is_fresh(stage, instance, graph)
    dg.materialize([improvement_report], instance=instance)
    assert not is_fresh(stage, instance, graph)
    (lake / "reports").mkdir()
    (lake / "reports" / "improvement_report.json").write_text("{}")
    assert is_fresh(stage, instance, graph)


@dg.asset_check(asset=improvement_report, blocking=True)
def never_passes() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False)


def test_an_asset_whose_blocking_check_failed_is_never_reused(lake: Path, instance: dg.DagsterInstance) -> None:
    (lake / "reports").mkdir()
    (lake / "reports" / "improvement_report.json").write_text("{}")
    stage = Stage("improvement_report", None)
    graph = dg.Definitions(assets=[improvement_report], asset_checks=[never_passes]).resolve_asset_graph()
    result = dg.materialize([improvement_report, never_passes], instance=instance, raise_on_error=False)
    assert not result.success and result.asset_materializations_for_node("improvement_report")
    assert not is_fresh(stage, instance, graph)


runs = dg.StaticPartitionsDefinition(["good", "bad"])


@dg.asset(partitions_def=runs)
def postsave_inference() -> None:
    """Stands in for the asset of this name; only its checks are looked at."""


@dg.asset_check(asset=postsave_inference, blocking=True, partitions_def=runs)
def answers(context) -> dg.AssetCheckResult:  # type: ignore[no-untyped-def]
    return dg.AssetCheckResult(passed=context.partition_key == "good")


def test_checks_are_looked_up_by_partition(instance: dg.DagsterInstance) -> None:
    graph = dg.Definitions(assets=[postsave_inference], asset_checks=[answers]).resolve_asset_graph()
    assert not checks_passed(Stage("postsave_inference", "good"), instance, graph)
    for run in ("good", "bad"):
        dg.materialize([postsave_inference, answers], instance=instance, partition_key=run, raise_on_error=False)
    assert checks_passed(Stage("postsave_inference", "good"), instance, graph)
    assert not checks_passed(Stage("postsave_inference", "bad"), instance, graph)


def test_a_second_demo_at_the_same_time_is_refused(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = "import sys; from polyguard_assets.demo import main; sys.exit(main([]))"
    with alone():
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 2 and ran.stdout == ""
    assert ran.stderr.count("\n") == 1 and "another 'make demo' is at work" in ran.stderr
    with alone():
        pass


def test_a_full_disk_is_one_clear_error(
    lake: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_space(run: str) -> dict[str, float]:
        raise OSError(28, "No space left on device", "sft_corpus.parquet")

    monkeypatch.setattr(demo, "materialize_stale", no_space)
    assert main([]) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1 and "sft_corpus.parquet: No space left on device" in shown and "make demo" in shown


def test_a_model_without_its_report_is_made_again(lake: Path) -> None:
    folder = lake / "models" / "smollm2-135m-instruct"
    (folder / "sft_adapter").mkdir(parents=True)
    (folder / "sft_adapter" / "adapter_config.json").write_text("{}")
    stage = Stage("sft_adapter", "smollm2-135m-instruct")
    assert not files_exist(stage)
    (folder / "sft.json").write_text(json.dumps({"status": "ok"}))
    assert files_exist(stage)


def test_a_corrupt_table_is_never_reused(lake: Path) -> None:
    (lake / "corpora").mkdir()
    (lake / "corpora" / "sft_corpus.parquet").write_bytes(b"PAR1 cut short")
    with pytest.raises(PolyGuardError, match=r"materialize sft_corpus again \(delete sft_corpus.parquet first\)"):
        files_exist(Stage("sft_corpus", None))


def test_the_table_shows_intervals_and_where_to_look() -> None:
    found = {"reward": 0.5, "ci": [0.4, 0.6], "legality": 0.9, "legality_ci": [0.8, 0.95], "severe_harm": 0.2,
             "severe_harm_ci": [0.1, 0.3]}  # fmt: skip
    difference = {"difference": 0.1, "ci": [0.05, 0.15]}
    shown = table(
        {
            "policies": {"base": found, "grpo": found},
            "differences": {"sft - base": difference, "grpo - sft": difference},
            "stages": {"charts": 1.0},
            "model_run": "m",
            "seed": 7,
            "scenarios": 9,
            "knowledge_fingerprint": "f",
        }
    )
    assert "0.500 [0.400, 0.600]" in shown and "sampling seed 7" in shown and "make ui" in shown
    assert "not a medical device" in shown and demo.SHOWN[0] in shown
