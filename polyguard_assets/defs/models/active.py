"""The active model: which trained run the policy API serves, named in one manifest with the hash of every file."""

import hashlib
import json
from pathlib import Path

import dagster as dg

from polyguard_assets.partitions import DEFAULT_MODEL_RUN
from polyguard_assets.paths import data_lake, model_folder, within_project
from polyguard_assets.training.publish import weights_sha256, write_json
from polyguard_assets.versions import source_version
from polyguard_env.active_model import (
    PARTS,
    ActiveModel,
    check_part,
    described_files,
    manifest_path,
    read_active_model,
)
from polyguard_env.errors import PolyGuardError

GROUP = "deployment"
CODE = source_version("polyguard_env/active_model.py", "polyguard_assets/defs/models/active.py")
DEFAULT_RUN = dg.SpecificPartitionsPartitionMapping([DEFAULT_MODEL_RUN])
FOLDERS = {"base": "base", "grpo_adapter": "grpo_adapter", "merged": "merged"}


class ActiveModelConfig(dg.Config):
    """Which run is served.

    Attributes:
        model_run: the run. preferred: what answers when it can, "grpo_adapter" or "merged".
    """

    model_run: str = DEFAULT_MODEL_RUN
    preferred: str = "grpo_adapter"


@dg.asset(
    group_name=GROUP,
    code_version=CODE,
    kinds={"json"},
    deps=[
        dg.AssetDep(name, partition_mapping=DEFAULT_RUN)
        for name in ("base_model", "grpo_adapter", "merged_model", "postsave_inference")
    ],
)
def active_model(config: ActiveModelConfig) -> dg.MaterializeResult[None]:
    """The manifest of the model that the policy API serves: base, GRPO adapter and merged model by path and SHA-256."""
    lake, run = data_lake(), config.model_run
    model = described_run(lake, run, config.preferred)
    path = write_json(manifest_path(lake), model.to_dict())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    sizes = {name: sum(f.stat().st_size for f in (model_folder(run) / FOLDERS[name]).iterdir()) for name in PARTS}
    return dg.MaterializeResult(
        metadata={
            "model_run": run,
            "label": model.label,
            "preferred": model.preferred,
            "knowledge_fingerprint": model.knowledge_fingerprint,
            "path": dg.MetadataValue.path(within_project(path)),
            "weights_sha256": {name: weights_sha256(model_folder(run) / FOLDERS[name]) for name in PARTS},
            "bytes": sizes,
            "manifest": dg.MetadataValue.json(model.to_dict()),
        },
        data_version=dg.DataVersion(digest[:16]),
    )


def described_run(lake: Path, run: str, preferred: str) -> ActiveModel:
    """The active model of a run whose exported artifact has answered.

    Raises:
        PolyGuardError: a folder or report is missing, or the merged weights are not those that answered.
    """
    folder = lake / "models" / run
    reports = {}
    for name in ("postsave", "grpo"):
        place = folder / f"{name}.json"
        if not place.is_file():
            raise PolyGuardError("model_run", run, f"materialize it first: it has no {place.name}")
        reports[name] = json.loads(place.read_text(encoding="utf-8"))
    merged = weights_sha256(folder / FOLDERS["merged"])
    if merged != reports["postsave"]["artifact_sha256"]:
        raise PolyGuardError("merged model", merged, "materialize postsave_inference again: other weights answered")
    parts = {name: described_files(lake, f"models/{run}/{FOLDERS[name]}") for name in PARTS}
    return ActiveModel(
        model_run=run, label=f"{run} + GRPO", preferred=preferred, base=parts["base"],
        grpo_adapter=parts["grpo_adapter"], merged=parts["merged"],
        knowledge_fingerprint=str(reports["grpo"].get("knowledge_fingerprint", "")),
    )  # fmt: skip


@dg.asset_check(asset=active_model, blocking=True)
def active_model_resolves() -> dg.AssetCheckResult:
    """Every file the manifest names is there with its hash, none could run code, and a part may answer."""
    return manifest_verdict(data_lake())


def manifest_verdict(lake: Path) -> dg.AssetCheckResult:
    """Whether a data lake's manifest resolves, and what is wrong with each part that does not."""
    try:
        model = read_active_model(lake)
    except PolyGuardError as error:
        return dg.AssetCheckResult(passed=False, metadata={"problem": str(error)})
    problems = {}
    for name in PARTS:
        try:
            check_part(model, name, lake)
        except PolyGuardError as error:
            problems[name] = str(error)
    return dg.AssetCheckResult(
        passed=not problems,
        metadata={"model_run": model.model_run, "preferred": model.preferred, "problems": problems or "none"},
    )


ASSETS = [active_model]
CHECKS = [active_model_resolves]
