"""Deployment: Spaces made from this checkout. Each asset succeeds only when its Space runs and was checked there."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from polyguard_assets.contract import verify
from polyguard_assets.hub import Hub
from polyguard_assets.paths import reports_folder, within_project
from polyguard_assets.space_files import environment_files, evidence_files, runner_files
from polyguard_assets.spaces import DeployedSpace, SpacePlan, answering, deploy, runner_status
from polyguard_assets.training.model_runs import model_runs
from polyguard_assets.training.publish import write_json
from polyguard_assets.versions import source_version
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase

GROUP = "deployment"
SERVED = source_version("polyguard_env", "polyguard_serving")
WHOLE = source_version("polyguard_env", "polyguard_serving", "polyguard_assets")
ENVIRONMENT_NAME, TRAINING_NAME, EVIDENCE_NAME = "polyguard-environment", "polyguard-training", "polyguard-evidence"
RESULTS_NAME = "polyguard-results"
# A public Space is meant to be open, and the hub's page shows it in a frame.
PUBLIC = {"POLYGUARD_ALLOW_OPEN": "1", "POLYGUARD_FRAME_ANCESTORS": "https://huggingface.co"}
IDLE_SECONDS = 3600


@contextmanager
def failing_clearly() -> Iterator[None]:
    """A PolyGuardError as the asset's failure: what was wrong and what to do, without retries."""
    try:
        yield
    except PolyGuardError as error:
        raise dg.Failure(
            description=f"{error.field}: {error.value}: {error.fix}",
            metadata={"field": error.field, "value": str(error.value), "fix": dg.MetadataValue.text(error.fix)},
            allow_retries=False,
        ) from error


def shown(space: DeployedSpace, **more: Any) -> dict[str, Any]:
    """A Space as metadata."""
    return {
        "space": dg.MetadataValue.url(space.page), "url": dg.MetadataValue.url(space.url), "commit": space.commit,
        "hardware": space.hardware, "build_seconds": space.build_seconds, **more,
    }  # fmt: skip


@dg.asset(group_name=GROUP, deps=["knowledge_snapshot"], code_version=SERVED, kinds={"huggingface", "docker"})
def environment_space(context: dg.AssetExecutionContext, hub: Hub) -> dg.MaterializeResult[None]:
    """The environment server as a public Space, validated there by OpenEnv and by our own contract."""
    with failing_clearly():
        plan = SpacePlan(ENVIRONMENT_NAME, environment_files(), variables=PUBLIC)
        space = deploy(hub, plan, context.log.info)
        # The first start of an image without compiled rules compiles them.
        answering(space.url, "", hub.answer_timeout, context.log.info, "/ready")
        verified = verify(space.url)
        report = {
            "space": space.repo_id, "page": space.page, "commit": space.commit, "hardware": space.hardware,
            "build_seconds": space.build_seconds, "code_version": SERVED, "run_id": context.run_id,
            "knowledge_fingerprint": KnowledgeBase.default().fingerprint,
            "when": datetime.now(UTC).isoformat(timespec="seconds"), **verified,
        }  # fmt: skip
        path = write_json(reports_folder() / "hf_space_verification.json", report)
        if not verified["passed"]:
            broken = [f"{check['name']}: {check['detail']}" for check in verified["contract"] if not check["passed"]]
            if not verified["openenv"]["passed"]:
                broken.append(f"openenv validate: {verified['openenv'].get('error') or 'criteria failed'}")
            raise PolyGuardError(
                "environment_space",
                space.url,
                f"it runs but breaks its contract ({'; '.join(broken)}): see {path.name}",
            )
    rows = "\n".join(
        f"| {c['name']} | {'passed' if c['passed'] else 'FAILED'} | {c['seconds']} | {c['detail']} |"
        for c in verified["contract"]
    )
    return dg.MaterializeResult(
        metadata=shown(
            space, openenv_validate="PASS", contract_checks=len(verified["contract"]),
            contract=dg.MetadataValue.md(f"| check | result | seconds | seen |\n| --- | --- | --- | --- |\n{rows}"),
            report=dg.MetadataValue.path(within_project(path)), files=len(plan.files),
        ),
        data_version=dg.DataVersion(space.commit),
    )  # fmt: skip


@dg.asset(group_name=GROUP, deps=["environment_space"], code_version=WHOLE, kinds={"huggingface", "docker"})
def training_space(context: dg.AssetExecutionContext, hub: Hub) -> dg.MaterializeResult[None]:
    """The Qwen sweep on an A10G: a private Space that trains each model run, publishes what it made and pauses."""
    runs = [name for name, run in model_runs().items() if run.accelerator == "a10g"]
    about = "Trains the Qwen model runs of PolyGuard one after the other and publishes adapters and reports."
    return _runner(context, hub, TRAINING_NAME, "PolyGuard training", about, "train", "a10g-small", runs, {})


@dg.asset(group_name=GROUP, deps=["improvement_report", "charts"], code_version=WHOLE, kinds={"huggingface", "docker"})
def evidence_space(context: dg.AssetExecutionContext, hub: Hub) -> dg.MaterializeResult[None]:
    """The evidence as a private Space: reports and charts to read, published models evaluated, nothing trained."""
    with failing_clearly():
        evidence = evidence_files(reports_folder())
    about = "Shows PolyGuard's reports, and evaluates published models on the holdout scenarios. It trains nothing."
    runs = list(model_runs())
    return _runner(context, hub, EVIDENCE_NAME, "PolyGuard evidence", about, "evaluate", "cpu-basic", runs, evidence)


def _runner(
    context: dg.AssetExecutionContext, hub: Hub, name: str, title: str, about: str, mode: str, hardware: str,
    runs: list[str], extra: dict[str, bytes],
) -> dg.MaterializeResult[None]:  # fmt: skip
    with failing_clearly():
        token, owner = hub.token(), hub.owner(hub.api())
        plan = SpacePlan(
            name, runner_files(title, about, extra), hardware,
            variables={
                "POLYGUARD_RUNNER_MODE": mode, "POLYGUARD_MODEL_RUNS": ",".join(runs),
                "POLYGUARD_RESULTS_REPO": f"{owner}/{RESULTS_NAME}",
            },
            secrets={"HF_TOKEN": token}, private=True,
            sleep_seconds=IDLE_SECONDS if hardware != "cpu-basic" else None,
        )  # fmt: skip
        space = deploy(hub, plan, context.log.info)
        status = runner_status(space.url, token)
        if status.get("mode") != mode or set(status.get("runs", {})) != set(runs):
            raise PolyGuardError(name, status, f"it runs another job than {mode} of {runs}: read its log")
    return dg.MaterializeResult(
        metadata=shown(space, mode=mode, model_runs=runs, results=f"{owner}/{RESULTS_NAME}", files=len(plan.files),
                       status=dg.MetadataValue.json(status)),
        data_version=dg.DataVersion(space.commit),
    )  # fmt: skip


SPACES = {"environment_space", "training_space", "evidence_space"}
ASSETS = [environment_space, training_space, evidence_space]
