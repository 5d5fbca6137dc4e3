"""Results are whole or absent."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from polyguard_assets.training.config import ModelSourceConfig, PostsaveConfig
from polyguard_assets.training.process import BAD_INPUT_EXIT_CODE
from polyguard_assets.training.publish import replaced_directory, weights_sha256, write_json


def test_a_directory_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "model"
    for text in ("old", "new"):
        with replaced_directory(target) as directory:
            (directory / "weights").write_text(text)
    assert (target / "weights").read_text() == "new"
    with pytest.raises(RuntimeError), replaced_directory(target) as directory:
        (directory / "weights").write_text("half")
        raise RuntimeError
    assert (target / "weights").read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_left_overs_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".model.partial-1").mkdir()
    with replaced_directory(tmp_path / "model") as directory:
        (directory / "weights").write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_json_that_cannot_be_written_leaves_the_old(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"x": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": 1}
    assert len(list(tmp_path.iterdir())) == 1


def test_weights_of_several_files_have_one_digest(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"a")
    one = weights_sha256(tmp_path)
    (tmp_path / "b.safetensors").write_bytes(b"b")
    assert len(one) == 64 and weights_sha256(tmp_path) != one


def run(module: str, config_path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"polyguard_assets.training.{module}", "--config", str(config_path)]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_process_ends_with_one_line_naming_the_fix(tmp_path: Path) -> None:
    config = ModelSourceConfig(
        result_path=str(tmp_path / "result.json"),
        model_run="smollm-135m",
        output_dir=str(tmp_path / "base"),
        raw_dir=str(tmp_path / "raw"),
    )
    ran = run("model_source", config.write(tmp_path / "config.json"))
    assert ran.returncode == BAD_INPUT_EXIT_CODE
    assert ran.stderr.startswith("error: model_run: 'smollm-135m'") and ran.stderr.count("\n") == 1
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["status"] == "failed" and result["error"]["field"] == "model_run"
    assert not (tmp_path / "base").exists()


def test_a_missing_configuration_is_one_line_too(tmp_path: Path) -> None:
    ran = run("sft", tmp_path / "none.json")
    assert ran.returncode == BAD_INPUT_EXIT_CODE
    assert ran.stderr.startswith("error: config:") and ran.stderr.count("\n") == 1


def test_a_corrupt_corpus_is_one_line_too(tmp_path: Path, tiny_model_dir: Path) -> None:
    (tmp_path / "corpus.parquet").write_bytes(b"PAR1 not really")
    config = PostsaveConfig(
        result_path=str(tmp_path / "result.json"),
        artifact_dir=str(tiny_model_dir),
        artifact_name="tiny",
        corpus_path=str(tmp_path / "corpus.parquet"),
    )
    ran = run("postsave", config.write(tmp_path / "config.json"))
    assert ran.returncode == BAD_INPUT_EXIT_CODE
    assert "not readable as Parquet" in ran.stderr and "Traceback" not in ran.stderr
