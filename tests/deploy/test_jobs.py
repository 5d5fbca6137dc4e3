"""Training entry points as jobs on the hub, against a double that really runs them."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError

from polyguard_assets.hub import Hub
from polyguard_assets.launchers.accelerator import Accelerator
from polyguard_assets.launchers.chosen import VARIABLE, chosen_accelerator
from polyguard_assets.launchers.huggingface import HuggingFaceAccelerator
from polyguard_assets.launchers.local import LocalAccelerator
from polyguard_assets.launchers.travel import plan, returned
from polyguard_assets.paths import model_folder
from polyguard_assets.training.evaluate_config import EvaluateConfig
from polyguard_env.errors import PolyGuardError
from tests.deploy.hub_double import hub_double
from tests.deploy.hub_state import TOKEN, USER, HubDouble

IDS = ["train-DDI-easy-000001", "train-DDI-easy-000002"]


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubDouble]:
    for name, value in {
        "HF_TOKEN": TOKEN,
        "NO_PROXY": "127.0.0.1",
        "POLYGUARD_DATA_LAKE": str(tmp_path / "lake"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "hub").mkdir()
    with hub_double(tmp_path / "hub") as hub:
        yield hub


def accelerator(double: HubDouble, **more: Any) -> HuggingFaceAccelerator:
    return HuggingFaceAccelerator(hub=Hub(endpoint=double.url, poll_seconds=0.05), **more)


def config(ids: list[str]) -> EvaluateConfig:
    """Playing a reference policy: a whole entry point that needs no model."""
    folder = model_folder("tried")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ids.json").write_text(json.dumps(ids))
    return EvaluateConfig(
        result_path=str(folder / "evaluate.json"), models=(), policies=("random_legal",),
        scenario_ids_path=str(folder / "ids.json"), steps_path=str(folder / "evaluate.parquet"),
        work_dir=str(folder / "evaluate_work"),
    )  # fmt: skip


def played(ids: list[str]) -> dg.AssetsDefinition:
    @dg.asset
    def played(context: dg.AssetExecutionContext, accelerator: Accelerator) -> dg.MaterializeResult[None]:
        report = accelerator.run(context, "evaluate", config(ids))
        return dg.MaterializeResult(metadata={"scenarios": report["scenarios"], "steps_path": report["steps_path"]})

    return played


def materialize(where: Accelerator, ids: list[str] = IDS) -> dg.ExecuteInProcessResult:
    return dg.materialize([played(ids)], resources={"accelerator": where}, instance=dg.DagsterInstance.ephemeral())


def test_a_job_runs_the_entry_point_and_brings_its_files_back(
    double: HubDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    result = materialize(accelerator(double))
    (job,) = double.jobs.values()
    assert result.success and job.stage() == "COMPLETED"
    assert job.spec["flavor"] == "a10g-small" and job.spec["spaceId"] == f"{USER}/polyguard-training"
    assert job.spec["timeoutSeconds"] == 6 * 3600 and job.spec["labels"]["polyguard-run"] == result.run_id
    (made,) = [event for event in result.all_events if event.event_type_value == "ASSET_MATERIALIZATION"]
    path = Path(made.step_materialization_data.materialization.metadata["steps_path"].value)
    assert path == model_folder("tried") / "evaluate.parquet"
    assert set(pd.read_parquet(path)["scenario_id"]) == set(IDS)
    # What the process said reached the run through Pipes, and no local path or token is in what was sent.
    assert "done in" in capsys.readouterr().err
    sent = json.dumps(job.spec["environment"])
    assert TOKEN not in sent and str(model_folder("tried")) not in sent


def test_the_process_s_own_error_is_raised_here(double: HubDouble) -> None:
    with pytest.raises(PolyGuardError, match="name at least one scenario"):
        materialize(accelerator(double), [])


def test_a_job_that_dies_shows_its_log(double: HubDouble) -> None:
    with pytest.raises(PolyGuardError, match="ERROR") as raised:
        materialize(accelerator(double, python="/bin/false"))
    assert "/jobs/" in str(raised.value.value)


def test_an_interrupted_run_cancels_its_job(double: HubDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> Iterator[str]:
        raise DagsterExecutionInterruptedError

    monkeypatch.setattr("huggingface_hub.HfApi.fetch_job_logs", interrupted)
    with pytest.raises(DagsterExecutionInterruptedError):
        materialize(accelerator(double, python="/bin/cat"))
    assert [job.stage() for job in double.jobs.values()] == ["CANCELED"]


def test_a_run_that_is_resumed_goes_on_with_its_job(double: HubDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    definitions = dg.Definitions(assets=[played(IDS)], resources={"accelerator": accelerator(double)})
    job = definitions.resolve_implicit_global_asset_job_def()
    run_id = str(uuid.uuid4())

    def lost(*_: Any, **__: Any) -> Iterator[str]:
        raise RuntimeError("this machine goes down")

    with monkeypatch.context() as patched:
        patched.setattr("huggingface_hub.HfApi.fetch_job_logs", lost)
        with pytest.raises(RuntimeError):
            job.execute_in_process(instance=dg.DagsterInstance.ephemeral(), run_id=run_id)
    assert [remote.stage() for remote in double.jobs.values()] == ["RUNNING"]
    assert job.execute_in_process(instance=dg.DagsterInstance.ephemeral(), run_id=run_id).success
    assert [remote.stage() for remote in double.jobs.values()] == ["COMPLETED"]


def test_without_a_token_nothing_is_started(double: HubDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(PolyGuardError, match="not configured"):
        materialize(accelerator(double))
    assert double.requests == []


def test_the_environment_names_the_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "huggingface")
    assert isinstance(chosen_accelerator(), HuggingFaceAccelerator)
    monkeypatch.setenv(VARIABLE, "")
    assert isinstance(chosen_accelerator(), LocalAccelerator)
    monkeypatch.setenv(VARIABLE, "cloud")
    with pytest.raises(PolyGuardError, match="local, huggingface"):
        chosen_accelerator()


def test_paths_travel_and_come_back(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    values = {
        "result_path": f"{tmp_path}/r.json", "model_dir": f"{tmp_path}/base", "work_dir": f"{tmp_path}/work",
        "raw_dir": f"{tmp_path}/raw", "models": [{"name": "a", "model_dir": f"{tmp_path}/base", "adapter_dir": ""}],
        "seed": 7, "environment_url": "https://example.hf.space",
    }  # fmt: skip
    remote, items = plan(values, "/far")
    assert str(tmp_path) not in json.dumps(remote) and remote["models"][0]["model_dir"] == remote["model_dir"]
    assert {i.name.split("-")[1] for i in items if i.goes} == {"base"}
    assert {i.name.split("-")[1] for i in items if i.returns} == {"r.json", "work"}
    assert returned({"path": [remote["work_dir"] + "/x"]}, "/far", items) == {"path": [f"{tmp_path}/work/x"]}


@pytest.mark.parametrize(
    ("values", "fix"),
    [
        ({"corpus_path": "/nowhere/corpus.parquet"}, "upstream"),
        ({"environment_url": "http://127.0.0.1:8000"}, "deploy_environment"),
    ],
)
def test_what_cannot_travel_is_one_clear_error(values: dict[str, str], fix: str) -> None:
    with pytest.raises(PolyGuardError, match=fix):
        plan(values, "/far")
