"""Merging an adapter into its base: `python -m polyguard_assets.training.merge --config FILE.json`."""

from __future__ import annotations

import sys
from typing import Any

from polyguard_assets.training.config import MergeConfig
from polyguard_assets.training.process import Reporter, run_entry_point

PROMPT_COLUMNS = ("system", "user")


def merge(config: MergeConfig, reporter: Reporter) -> dict[str, Any]:
    """Write base plus adapter as one model and prove that it answers like the two."""
    import torch

    from polyguard_assets.training.adapters import load_adapter, load_model, load_tokenizer
    from polyguard_assets.training.calibration import Calibration
    from polyguard_assets.training.corpus import read_corpus
    from polyguard_assets.training.dtype import resolve_device
    from polyguard_assets.training.encoding import encode_prompt
    from polyguard_assets.training.publish import replaced_directory, weights_sha256

    torch.set_num_threads(config.threads)
    device = resolve_device(config.device)
    rows = read_corpus(config.corpus_path, PROMPT_COLUMNS)
    chosen = rows.iloc[:: max(1, len(rows) // config.check_prompts)][: config.check_prompts]
    tokenizer = load_tokenizer(config.model_dir)
    prompts = [
        torch.tensor([encode_prompt(tokenizer, system, user)], device=device)
        for system, user in chosen[list(PROMPT_COLUMNS)].itertuples(index=False)
    ]

    reporter.milestone("merge: adding the adapter to the base in float32")
    adapted: Any = load_adapter(
        load_model(config.model_dir, torch.float32, device), config.adapter_dir, trainable=False
    )
    with_adapter = _logits(adapted.eval(), prompts)
    merged = adapted.merge_and_unload()
    export_dtype = torch.bfloat16 if config.export_dtype == "bfloat16" else torch.float32
    merged = merged.to(export_dtype).eval()
    after_merge = _logits(merged, prompts)
    with replaced_directory(config.output_dir) as directory:
        merged.save_pretrained(str(directory), safe_serialization=True)
        tokenizer.save_pretrained(str(directory))
        Calibration.load(config.adapter_dir).save(directory)
    reporter.milestone("merge: loading the written model again")
    reloaded = load_model(config.output_dir, export_dtype, device).eval()
    after_reload = _logits(reloaded, prompts)
    return {
        "stage": "merge",
        "merged_dir": config.output_dir,
        "merged_sha256": weights_sha256(config.output_dir),
        "base_sha256": weights_sha256(config.model_dir),
        "adapter_sha256": weights_sha256(config.adapter_dir),
        "parameters": sum(parameter.numel() for parameter in reloaded.parameters()),
        "checked_prompts": len(prompts),
        "adapter_vs_merged_max_abs_logit": _largest_difference(with_adapter, after_merge),
        "merged_vs_reloaded_max_abs_logit": _largest_difference(after_merge, after_reload),
    }


def _logits(model: Any, prompts: list[Any]) -> list[Any]:
    """Logits of the first answer token of each prompt, float32."""
    import torch

    with torch.inference_mode():
        return [model(input_ids=ids, use_cache=False, logits_to_keep=1).logits[0, -1].float() for ids in prompts]


def _largest_difference(before: list[Any], after: list[Any]) -> float:
    return max(float((one - other).abs().max()) for one, other in zip(before, after, strict=True))


def main() -> int:
    """Command line."""
    return run_entry_point(MergeConfig, merge)


if __name__ == "__main__":
    sys.exit(main())
