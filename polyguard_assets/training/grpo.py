"""GRPO against the environment server: `python -m polyguard_assets.training.grpo --config FILE.json`."""

from __future__ import annotations

import shutil
import sys
from typing import Any

from polyguard_assets.training.config import GrpoConfig
from polyguard_assets.training.process import Reporter, run_entry_point

TAIL_STEPS = 10


def train(config: GrpoConfig, reporter: Reporter) -> dict[str, Any]:
    """Improve a copy of the SFT adapter on rewards the environment server gives."""
    # Unsloth patches transformers and trl, so it must be imported before them.
    if config.use_unsloth:
        from polyguard_assets.training.unsloth_backend import require_unsloth

        require_unsloth()
    from polyguard_assets.training import candidate_grpo, sampled_grpo
    from polyguard_assets.training.checkpoints import resume_point, run_fingerprint
    from polyguard_assets.training.prices import PriceClient
    from polyguard_assets.training.progress import read_history
    from polyguard_assets.training.publish import replaced_directory, weights_sha256

    reporter.milestone(f"grpo: loading the SFT adapter and the corpus; rewards from {config.environment_url}")
    fingerprint = run_fingerprint(config, config.model_dir, config.adapter_dir)
    checkpoint = resume_point(config.work_dir, fingerprint)
    client = PriceClient(config.environment_url, config.request_timeout, config.retries, config.knowledge_fingerprint)
    build = candidate_grpo.build_trainer if config.mode == "candidates" else sampled_grpo.build_trainer
    trainer, choice, rows = build(config, client, reporter)
    try:
        outcome = trainer.train(resume_from_checkpoint=checkpoint)
    finally:
        trainer.prices.close()
        client.close()
    with replaced_directory(config.output_dir) as directory:
        trainer.save_adapter(directory)
    shutil.rmtree(config.work_dir, ignore_errors=True)
    history = read_history(config.history_path)
    first, last = history[:TAIL_STEPS], history[-TAIL_STEPS:]
    return {
        "stage": "grpo",
        "mode": config.mode,
        "rows": rows,
        "steps": outcome.global_step,
        "resumed_from": checkpoint,
        "train_seconds": round(outcome.metrics["train_runtime"], 3),
        "first_steps": _means(first),
        "last_steps": _means(last),
        "priced_actions": client.actions,
        "price_requests": client.requests,
        "price_wait_seconds": round(trainer.prices.waited_seconds, 3),
        "environment_url": config.environment_url,
        "knowledge_fingerprint": client.knowledge_fingerprint,
        "compute": choice.to_dict(),
        "fingerprint": fingerprint,
        "adapter_sha256": weights_sha256(config.output_dir),
        "adapter_dir": config.output_dir,
        "history_path": config.history_path,
    }


def _means(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Mean of each number the rows share."""
    names = set.intersection(*(set(row) for row in rows)) - {"step", "epoch"} if rows else set()
    return {name: sum(row[name] for row in rows) / len(rows) for name in sorted(names)}


def main() -> int:
    """Command line."""
    return run_entry_point(GrpoConfig, train)


if __name__ == "__main__":
    sys.exit(main())
