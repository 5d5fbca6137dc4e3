"""Loading base models and LoRA adapters for packed training and scoring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model
from peft.tuners.lora.layer import Linear as LoraLinear
from transformers import AutoModelForCausalLM, AutoTokenizer

from polyguard_assets.training.attention import PACKED_GROUPS
from polyguard_assets.training.config import LoraSettings
from polyguard_env.errors import PolyGuardError


class ComputeDtypeLoraLinear(LoraLinear):
    """A LoRA layer whose update is computed in the base's format while its weights stay float32.

    peft's own layer computes the update in float32 and so reads and writes every activation twice
    at double width; on a CPU with fast bfloat16 that is a quarter of a step.
    """

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """The base layer's output plus each active adapter's update."""
        if self.merged or any(name in self.lora_variant for name in self.active_adapters):
            return super().forward(x, *args, **kwargs)
        result: torch.Tensor = self.base_layer(x)
        if self.disable_adapters:
            return result
        for name in self.active_adapters:
            if name not in self.lora_A:
                continue
            down: Any = self.lora_A[name]
            inner = torch.nn.functional.linear(self.lora_dropout[name](x), down.weight.to(x.dtype))
            up: Any = self.lora_B[name]
            scaled = (up.weight * self.scaling[name]).to(x.dtype)
            flat = torch.addmm(result.flatten(0, -2), inner.flatten(0, -2), scaled.t())
            result = flat.view(result.shape)
        return result


def load_tokenizer(model_dir: Path | str) -> Any:
    """The tokenizer of a local model directory."""
    require_model(model_dir)
    return AutoTokenizer.from_pretrained(str(model_dir), local_files_only=True)


def load_model(model_dir: Path | str, dtype: torch.dtype, device: str = "cpu") -> Any:
    """A local causal language model, with packed attention. Never reaches for the network."""
    require_model(model_dir)
    model: Any = AutoModelForCausalLM.from_pretrained(
        str(model_dir), dtype=dtype, attn_implementation=PACKED_GROUPS, local_files_only=True
    )
    return model.to(device)


def require_model(model_dir: Path | str) -> None:
    """Check that a directory holds a whole model.

    Raises:
        PolyGuardError: no such directory, or no weights in it.
    """
    directory = Path(model_dir)
    if not (directory / "config.json").is_file() or not list(directory.glob("*.safetensors")):
        raise PolyGuardError("model_dir", str(directory), "materialize the model asset that writes this directory")


def new_adapter(model: Any, settings: LoraSettings) -> PeftModel:
    """Wrap a base model with a fresh adapter; its first output equals the base's.

    Raises:
        PolyGuardError: `first_layer` leaves no layer to adapt.
    """
    layers = model.config.get_text_config().num_hidden_layers
    if settings.first_layer >= layers:
        raise PolyGuardError("lora.first_layer", settings.first_layer, f"use a layer from 0 to {layers - 1}")
    chosen = list(range(settings.first_layer, layers)) if settings.first_layer else None
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(settings.target_modules),
        layers_to_transform=chosen,
        layers_pattern="layers" if chosen else None,
        task_type="CAUSAL_LM",
    )
    config._register_custom_module({torch.nn.Linear: ComputeDtypeLoraLinear})
    wrapped: PeftModel = get_peft_model(model, config)
    return wrapped


def load_adapter(model: Any, adapter_dir: Path | str, trainable: bool) -> PeftModel:
    """Wrap a base model with a saved adapter.

    Raises:
        PolyGuardError: the directory holds no adapter.
    """
    directory = Path(adapter_dir)
    if not (directory / "adapter_config.json").is_file():
        raise PolyGuardError("adapter_dir", str(directory), "materialize the adapter asset that writes this directory")
    config = PeftConfig.from_pretrained(str(directory))
    config._register_custom_module({torch.nn.Linear: ComputeDtypeLoraLinear})
    wrapped: PeftModel = PeftModel.from_pretrained(model, str(directory), is_trainable=trainable, config=config)
    return wrapped
