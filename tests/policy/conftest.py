"""A data lake with a tiny model: base, LoRA adapter, both merged, and the manifest the asset graph would write."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from polyguard_env.environment.messages import PolyGuardObservation

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

RUN = "tiny"
CHAT_TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.fixture(scope="session")
def observation() -> PolyGuardObservation:
    """A step of three QT-prolonging drugs, written down so that no change of the scenarios changes the tests."""
    return PolyGuardObservation.model_validate_json(Path(__file__).with_name("observation.json").read_text())


@pytest.fixture(scope="session")
def tiny_lake(tmp_path_factory: pytest.TempPathFactory, observation: PolyGuardObservation) -> Path:
    """Never changed by a test; copy it to break it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from polyguard_assets.defs.models.active import described_run
    from polyguard_assets.training.publish import weights_sha256, write_json
    from polyguard_env.active_model import manifest_path

    lake = tmp_path_factory.mktemp("lake")
    folder = lake / "models" / RUN
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        [observation.text],
        trainers.BpeTrainer(
            vocab_size=400, special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
        ),
    )  # fmt: skip
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|im_end|>", unk_token="<|endoftext|>"
    )
    wrapped.chat_template = CHAT_TEMPLATE
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(wrapped), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=2048, tie_word_embeddings=True, initializer_range=0.15,
        bos_token_id=None, eos_token_id=wrapped.eos_token_id, pad_token_id=wrapped.pad_token_id,
    )  # fmt: skip
    base = LlamaForCausalLM(config)
    base.save_pretrained(folder / "base")
    wrapped.save_pretrained(folder / "base")
    lora = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    adapted = get_peft_model(base, lora)
    adapted.save_pretrained(folder / "grpo_adapter")
    adapted.merge_and_unload().save_pretrained(folder / "merged")
    wrapped.save_pretrained(folder / "merged")
    for name in ("grpo_adapter", "merged"):
        write_json(folder / name / "calibration.json", {"temperature": 2.0, "length_normalise": False})
    write_json(folder / "postsave.json", {"artifact_sha256": weights_sha256(folder / "merged")})
    write_json(folder / "grpo.json", {"knowledge_fingerprint": "0123456789abcdef"})
    write_json(manifest_path(lake), described_run(lake, RUN, "grpo_adapter").to_dict())
    return lake


def manifest_of(lake: Path) -> dict[str, object]:
    from polyguard_env.active_model import manifest_path

    found: dict[str, object] = json.loads(manifest_path(lake).read_text(encoding="utf-8"))
    return found
