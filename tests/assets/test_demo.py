"""The demo runner: order, reuse, resumption, summary and clear errors."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from polyguard_assets import demo
from polyguard_assets.definitions import build_defs
from polyguard_assets.demo import Stage, is_fresh, main, stages, table


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
