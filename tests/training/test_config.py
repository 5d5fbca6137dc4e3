"""Configurations survive the trip through JSON and refuse what they do not know."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from polyguard_assets.training.config import GrpoConfig, LoraSettings, SftConfig
from polyguard_assets.training.model_runs import model_run, model_runs
from polyguard_env.errors import PolyGuardError

PATHS = {name: f"x/{name}" for name in ("model_dir", "corpus_path", "output_dir", "work_dir", "history_path")}
SFT = SftConfig(result_path="x/result.json", **PATHS, lora=LoraSettings(rank=4, target_modules=("q_proj",)))
GRPO = PATHS | {"result_path": "r", "adapter_dir": "a", "environment_url": "http://127.0.0.1:1"}


def test_a_configuration_survives_json(tmp_path: Path) -> None:
    assert SftConfig.read(SFT.write(tmp_path / "sft.json")) == SFT


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"batch_sise": 8}, "SftConfig"),
        ({"batch_size": "8"}, "batch_size"),
        ({"batch_size": 0}, "batch_size"),
        ({"dtype": "float16"}, "dtype"),
        ({"lora": {"rank": 0}}, "lora.rank"),
        ({"lora": 3}, "lora"),
        ({"threads": True}, "threads"),
    ],
)
def test_unknown_fields_and_bad_values_are_named(change: dict[str, object], field: str) -> None:
    with pytest.raises(PolyGuardError, match=field):
        SftConfig.from_dict(SFT.to_dict() | change)


def test_a_missing_field_is_named() -> None:
    values = SFT.to_dict()
    del values["model_dir"]
    with pytest.raises(PolyGuardError, match="model_dir"):
        SftConfig.from_dict(values)


@pytest.mark.parametrize("text", ["", "[1]", "{"])
def test_a_file_that_is_no_object_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(PolyGuardError, match="config"):
        SftConfig.read(tmp_path / "bad.json")


def test_unsloth_is_for_sampled_runs_only() -> None:
    with pytest.raises(PolyGuardError, match="use_unsloth"):
        GrpoConfig.from_dict(GRPO | {"use_unsloth": True})
    assert GrpoConfig.from_dict(GRPO | {"use_unsloth": True, "mode": "sampled"}).use_unsloth


def test_prompts_of_a_step_divide_into_passes() -> None:
    with pytest.raises(PolyGuardError, match="prompts_per_pass"):
        GrpoConfig.from_dict(GRPO | {"prompts_per_step": 16, "prompts_per_pass": 5})


def test_the_embedded_model_comes_first_and_from_a_wheel() -> None:
    first = next(iter(model_runs().values()))
    assert (first.model_run, first.accelerator) == ("smollm2-135m-instruct", "cpu")
    assert first.wheel is not None and first.gguf_member.endswith(".gguf")
    assert [run.wheel for run in model_runs().values()][1:] == [None] * 3


def test_a_wrong_model_name_names_the_nearest() -> None:
    with pytest.raises(PolyGuardError, match="did you mean qwen-qwen2-5-0-5b-instruct"):
        model_run("qwen2-5-0-5b")


def test_definitions_may_read_configurations_without_torch() -> None:
    code = (
        "import sys, json; import polyguard_assets.training.config, polyguard_assets.training.model_runs;"
        "import polyguard_assets.training.process, polyguard_assets.training.publish;"
        "print(json.dumps(sorted({'torch', 'transformers', 'trl', 'peft', 'unsloth'} & set(sys.modules))))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == []
