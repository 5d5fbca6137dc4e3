"""The active model's manifest: what it must say, and what no folder it names may hold."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from polyguard_assets.defs.models.active import described_run, manifest_verdict
from polyguard_env.active_model import (
    ActiveModel,
    active_model_from,
    check_part,
    described_files,
    manifest_path,
    read_active_model,
)
from polyguard_env.errors import PolyGuardError
from tests.policy.conftest import RUN, manifest_of


@pytest.fixture
def lake(tiny_lake: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_lake, tmp_path / "lake"))


def test_the_manifest_says_which_files_answer(lake: Path) -> None:
    model = read_active_model(lake)
    assert model.order == ("grpo_adapter", "merged") and model.knowledge_fingerprint == "0123456789abcdef"
    assert model.base.path == "models/tiny/base" and "model.safetensors" in model.base.files
    assert active_model_from(model.to_dict()) == model
    for part in ("base", "grpo_adapter", "merged"):
        assert check_part(model, part, lake).is_dir()


def test_the_check_passes_on_what_the_asset_wrote_and_names_what_changed(lake: Path) -> None:
    assert manifest_verdict(lake).passed
    weights = lake / "models" / RUN / "merged" / "model.safetensors"
    weights.write_bytes(weights.read_bytes() + b"x")
    verdict = manifest_verdict(lake)
    assert not verdict.passed and "merged/model.safetensors" in str(verdict.metadata["problems"].value)
    with pytest.raises(PolyGuardError, match="other weights answered"):
        described_run(lake, RUN, "grpo_adapter")


@pytest.mark.parametrize("name", ["adapter_model.bin", "weights.pkl", "modeling.py"])
def test_files_that_could_run_code_are_refused(lake: Path, name: str) -> None:
    model = read_active_model(lake)
    (lake / "models" / RUN / "grpo_adapter" / name).write_bytes(b"\x80\x04N.")
    with pytest.raises(PolyGuardError, match="safetensors only"):
        check_part(model, "grpo_adapter", lake)
    with pytest.raises(PolyGuardError, match="safetensors only"):
        described_files(lake, f"models/{RUN}/grpo_adapter")


def test_remote_code_and_unlisted_files_are_refused(lake: Path) -> None:
    config = lake / "models" / RUN / "base" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"auto_map": {"AutoModel": "x.y"}}))
    changed = manifest_of(lake) | {"base": {"path": f"models/{RUN}/base", "files": _hashes(config.parent)}}
    with pytest.raises(PolyGuardError, match="remote code"):
        check_part(active_model_from(changed), "base", lake)
    (lake / "models" / RUN / "merged" / "extra.json").write_text("{}")
    with pytest.raises(PolyGuardError, match="does not list it"):
        check_part(read_active_model(lake), "merged", lake)


@pytest.mark.parametrize("path", ["/etc", "../outside", "models/../../outside", ""])
def test_paths_stay_inside_the_data_lake(lake: Path, path: str) -> None:
    model = read_active_model(lake)
    moved = ActiveModel("r", "l", "merged", model.base, None, type(model.base)(path, model.base.files))
    with pytest.raises(PolyGuardError, match="inside it"):
        check_part(moved, "merged", lake)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"schema": "other/1"}, "schema"), ({"preferred": "best"}, "preferred"), ({"label": ""}, "label"),
        ({"base": None}, "base"), ({"grpo_adapter": None}, "grpo_adapter"), ({"merged": {"path": "x"}}, "merged"),
        ({"merged": {"path": "x", "files": {"../a": "0" * 64}}}, "merged"),
    ],
)  # fmt: skip
def test_a_wrong_manifest_is_one_clear_error(lake: Path, change: dict[str, object], word: str) -> None:
    with pytest.raises(PolyGuardError, match=word):
        active_model_from(manifest_of(lake) | change)


def test_without_a_manifest_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(PolyGuardError, match="make demo"):
        read_active_model(tmp_path)
    manifest_path(tmp_path).parent.mkdir(parents=True)
    manifest_path(tmp_path).write_text("{")
    with pytest.raises(PolyGuardError, match="not JSON"):
        read_active_model(tmp_path)


def _hashes(folder: Path) -> dict[str, str]:
    from polyguard_env.active_model import sha256_of

    return {file.name: sha256_of(file) for file in folder.iterdir()}


def test_the_asset_writes_a_manifest_that_its_check_resolves(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Materialized for another run than the default, in its own data lake."""
    import dagster as dg

    from polyguard_assets.defs.models.active import active_model, active_model_resolves

    monkeypatch.setenv("POLYGUARD_DATA_LAKE", str(lake))
    manifest_path(lake).unlink()
    config = {"ops": {"active_model": {"config": {"model_run": RUN, "preferred": "merged"}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([active_model, active_model_resolves], instance=instance, run_config=config)
    assert result.success and all(check.passed for check in result.get_asset_check_evaluations())
    assert read_active_model(lake).order == ("merged", "grpo_adapter")
    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(PolyGuardError, match="materialize it first"):
        other = {"ops": {"active_model": {"config": {"model_run": "nobody"}}}}
        dg.materialize([active_model], instance=instance, run_config=other)
