"""Loading through unsloth, for CUDA machines that have it (the `gpu` extra)."""

from __future__ import annotations

from typing import Any

from polyguard_assets.training.config import GrpoConfig
from polyguard_env.errors import PolyGuardError


def require_unsloth() -> Any:
    """The unsloth module, imported before trl and transformers as it asks to be.

    Raises:
        PolyGuardError: it is not installed, or there is no CUDA device.
    """
    try:
        import unsloth
    except (ImportError, NotImplementedError) as error:
        raise PolyGuardError(
            "use_unsloth", True, f"install the gpu extra on a CUDA machine or set it to false ({error})"
        ) from error
    return unsloth


def load_unsloth_adapter(config: GrpoConfig) -> Any:
    """The SFT adapter on its base through unsloth's kernels, trainable.

    Only sampled GRPO may use it: packed rows need an attention function unsloth replaces.
    """
    unsloth = require_unsloth()
    model, _ = unsloth.FastLanguageModel.from_pretrained(
        model_name=config.adapter_dir, max_seq_length=config.max_tokens, load_in_4bit=False, dtype=None
    )
    return unsloth.FastLanguageModel.for_training(model)
