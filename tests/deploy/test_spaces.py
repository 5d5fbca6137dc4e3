"""Deploying Spaces, end to end against a double of the hub that really starts what it is sent."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
from huggingface_hub import CommitOperationAdd, HfApi

from polyguard_assets import published, space_files
from polyguard_assets.contract import Contract
from polyguard_assets.definitions import build_defs
from polyguard_assets.defs.deployment.assets import environment_space, evidence_space, training_space
from polyguard_assets.hub import Hub
from polyguard_assets.paths import project_root
from polyguard_assets.spaces import SpacePlan, deploy
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import snapshot_folder
from tests.deploy.hub_double import hub_double
from tests.deploy.hub_state import TOKEN, USER, HubDouble

CARD = space_files.card("Small", "A small Space.").encode()
SERVES = b"""import http.server, os
class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b'{"status": "healthy"}')
print("starting", flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Healthy).serve_forever()
"""
SMALL = {"README.md": CARD, "Dockerfile": b'FROM python\nCMD ["python", "serve.py"]\n', "serve.py": SERVES}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("POLYGUARD_DATA_LAKE", str(tmp_path / "lake"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))


@pytest.fixture
def double(tmp_path: Path) -> Iterator[HubDouble]:
    (tmp_path / "hub").mkdir()
    with hub_double(tmp_path / "hub") as hub:
        yield hub


def hub_at(double: HubDouble, **more: Any) -> Hub:
    return Hub(endpoint=double.url, poll_seconds=0.05, **{"build_timeout": 90.0, "answer_timeout": 60.0, **more})


def materialized(asset: dg.AssetsDefinition, hub: Hub) -> dg.ExecuteInProcessResult:
    return dg.materialize([asset], resources={"hub": hub}, instance=dg.DagsterInstance.ephemeral(),
                          raise_on_error=False)  # fmt: skip


def failure(result: dg.ExecuteInProcessResult) -> str:
    assert not result.success
    (event,) = [event for event in result.all_events if event.event_type_value == "STEP_FAILURE"]
    data = event.step_failure_data.user_failure_data
    assert data is not None and set(data.metadata) == {"field", "value", "fix"}
    return str(data.description)


def test_the_job_deploys_validates_and_records_the_environment(double: HubDouble, tmp_path: Path) -> None:
    job = build_defs({"hub": hub_at(double)}).resolve_job_def("deploy_environment")
    result = job.execute_in_process(instance=dg.DagsterInstance.ephemeral())
    assert result.success
    (made,) = [event for event in result.all_events if event.event_type_value == "ASSET_MATERIALIZATION"]
    metadata = made.step_materialization_data.materialization.metadata
    repository = double.repositories[("space", f"{USER}/polyguard-environment")]
    assert metadata["commit"].value == repository.commits[-1]
    assert metadata["openenv_validate"].value == "PASS" and metadata["contract_checks"].value >= 10
    report = json.loads((tmp_path / "lake" / "reports" / "hf_space_verification.json").read_text())
    assert report["passed"] and report["openenv"]["passed"] and all(check["passed"] for check in report["contract"])
    assert report["space"] == f"{USER}/polyguard-environment" and report["knowledge_fingerprint"]
    # What ran there was what was sent, all of it and nothing of the training side.
    assert {"Dockerfile", "README.md", "openenv.yaml", "server/app.py", "polyguard_serving/server.py"} <= set(
        repository.files
    )
    assert not any(name.startswith(("polyguard_assets", "tests", "data_lake", ".git/")) for name in repository.files)
    assert double.spaces[repository.repo_id].variables["POLYGUARD_ALLOW_OPEN"] == "1"
    assert TOKEN not in json.dumps(report) and not any(
        TOKEN.encode() in content for content in repository.files.values()
    )


def test_without_a_token_it_fails_and_says_what_to_set(double: HubDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    for asset in (environment_space, training_space):
        told = failure(materialized(asset, hub_at(double)))
        assert told.startswith("HF_TOKEN") and "not configured" in told and "settings/tokens" in told
    assert double.requests == []


def test_a_refused_token_and_an_unreachable_hub_are_told_apart(
    double: HubDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong_token")
    told = failure(materialized(environment_space, hub_at(double)))
    assert "HTTP 401" in told and "hf_wrong_token" not in told
    told = failure(materialized(environment_space, Hub(endpoint="http://127.0.0.1:9")))
    assert "hub.endpoint" in told and "HF_ENDPOINT" in told


def test_a_build_that_fails_shows_the_end_of_its_log(double: HubDouble) -> None:
    broken = SMALL | {"Dockerfile": b'FROM python\nRUN false\nCMD ["python", "serve.py"]\n'}
    with pytest.raises(PolyGuardError, match="BUILD_ERROR") as raised:
        deploy(hub_at(double), SpacePlan("small", broken), print)
    assert "did not complete: exit code: 1" in raised.value.fix


def test_an_application_that_ends_shows_its_own_log(double: HubDouble) -> None:
    ends = SMALL | {"serve.py": b"print('no knowledge here'); raise SystemExit(2)"}
    with pytest.raises(PolyGuardError, match="RUNTIME_ERROR") as raised:
        deploy(hub_at(double), SpacePlan("small", ends), print)
    assert "no knowledge here" in raised.value.fix


def test_a_card_without_configuration_is_a_clear_error(double: HubDouble) -> None:
    with pytest.raises(PolyGuardError, match="CONFIG_ERROR"):
        deploy(hub_at(double), SpacePlan("small", SMALL | {"README.md": b"# no front matter\n"}), print)


def test_a_build_that_never_ends_times_out(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    with hub_double(tmp_path / "hub", stuck=True) as double, pytest.raises(PolyGuardError, match="BUILDING") as raised:
        deploy(hub_at(double, build_timeout=0.5), SpacePlan("small", SMALL), print)
    assert "build_timeout" in raised.value.fix and "--> FROM python" in raised.value.fix


def test_a_space_that_runs_but_breaks_the_contract_fails_the_asset(
    double: HubDouble, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("polyguard_assets.defs.deployment.assets.environment_files", lambda: SMALL)
    told = failure(materialized(environment_space, hub_at(double)))
    assert "breaks its contract" in told and "openenv validate" in told and "metadata" in told
    report = json.loads((tmp_path / "lake" / "reports" / "hf_space_verification.json").read_text())
    assert report["passed"] is False


def test_an_update_sends_one_commit_and_removes_what_is_gone(double: HubDouble) -> None:
    stages: list[str] = []
    first = deploy(hub_at(double), SpacePlan("small", SMALL | {"old.txt": b"old"}), stages.append)
    plan = SpacePlan("small", SMALL | {"new.txt": b"new"}, "a10g-small", {"MODE": "one"}, {"KEY": "two"}, 600)
    second = deploy(hub_at(double), plan, stages.append)
    repository, space = double.repositories[("space", f"{USER}/small")], double.spaces[f"{USER}/small"]
    assert set(repository.files) == {".gitattributes", *SMALL, "new.txt"} and len(repository.commits) == 3
    assert first.commit != second.commit == space.sha
    assert (space.hardware, space.sleep) == ("a10g-small", 600)
    assert (space.variables, space.secrets) == ({"MODE": "one"}, {"KEY": "two"})
    assert any("BUILDING" in stage for stage in stages) and any("RUNNING" in stage for stage in stages)


def test_the_training_space_works_through_the_sweep(double: HubDouble) -> None:
    result = materialized(training_space, hub_at(double))
    assert result.success
    space = double.spaces[f"{USER}/polyguard-training"]
    assert space.hardware == "a10g-small" and space.secrets == {"HF_TOKEN": TOKEN}
    status = httpx.get(f"http://127.0.0.1:{space.port}/status", trust_env=False).json()
    assert status["mode"] == "train" and len(status["runs"]) == 3 and "not a medical device" in status["disclaimer"]
    page = httpx.get(f"http://127.0.0.1:{space.port}/", trust_env=False).text
    assert "qwen-qwen2-5-0-5b-instruct" in page and "not a medical device" in page and TOKEN not in page


def test_the_evidence_space_shows_reports_and_trains_nothing(double: HubDouble, tmp_path: Path) -> None:
    assert "make demo" in failure(materialized(evidence_space, hub_at(double)))
    reports = tmp_path / "lake" / "reports"
    (reports / "charts").mkdir(parents=True)
    (reports / "improvement_report.json").write_text('{"seed": 7}')
    (reports / "charts" / "reward.png").write_bytes(b"\x89PNG")
    assert materialized(evidence_space, hub_at(double)).success
    space = double.spaces[f"{USER}/polyguard-evidence"]
    base = f"http://127.0.0.1:{space.port}"
    assert httpx.get(f"{base}/evidence/improvement_report.json", trust_env=False).json() == {"seed": 7}
    assert httpx.get(f"{base}/evidence/charts/reward.png", trust_env=False).content == b"\x89PNG"
    assert httpx.get(f"{base}/evidence/../README.md", trust_env=False).status_code == 404
    assert httpx.get(f"{base}/status", trust_env=False).json()["mode"] == "evaluate"


def test_a_run_is_published_and_fetched_again_byte_for_byte(
    double: HubDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, hub = "qwen-qwen2-5-0-5b-instruct", hub_at(double)
    folder = tmp_path / "lake" / "models" / run
    for name in published.ADAPTERS:
        (folder / name).mkdir(parents=True)
        (folder / name / "adapter_model.safetensors").write_bytes(os.urandom(300_000))
    (folder / "grpo.json").write_text("{}")
    published.publish(hub, run, f"{USER}/polyguard-results")
    monkeypatch.setenv("POLYGUARD_DATA_LAKE", str(tmp_path / "other"))
    fetched = published.fetch(hub, run, f"{USER}/polyguard-results")
    for path in folder.rglob("*"):
        if path.is_file():
            assert (fetched / path.relative_to(folder)).read_bytes() == path.read_bytes()
    with pytest.raises(PolyGuardError, match="publish it first"):
        published.fetch(hub, "smollm2-135m-instruct", f"{USER}/polyguard-results")


def test_large_files_go_through_lfs(double: HubDouble) -> None:
    content = os.urandom(5 * 2**20)
    api = HfApi(endpoint=double.url, token=TOKEN)
    api.create_repo(f"{USER}/large", repo_type="dataset")
    api.create_commit(
        f"{USER}/large", [CommitOperationAdd("big.bin", content)], commit_message="big", repo_type="dataset"
    )
    assert double.repositories[("dataset", f"{USER}/large")].files["big.bin"] == content
    assert any(request.startswith("PUT /lfs/") for request in double.requests)


def test_a_server_that_is_none_fails_every_check() -> None:
    checks = Contract("http://127.0.0.1:9").run()
    assert len(checks) >= 10 and not any(check.passed for check in checks)


def test_the_card_of_the_checkout_is_what_the_hub_wants() -> None:
    card = space_files.front_matter((project_root() / "README.md").read_text(encoding="utf-8"))
    assert card["sdk"] == "docker" and card["app_port"] == 7860 and "openenv" in card["tags"]  # type: ignore[operator]
    assert len(str(card["short_description"])) <= 60 and snapshot_folder().is_dir()
