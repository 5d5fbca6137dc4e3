"""Supervised fine-tuning: `python -m polyguard_assets.training.sft --config FILE.json`."""

from __future__ import annotations

import shutil
import sys
from typing import Any

from polyguard_assets.training.config import SftConfig
from polyguard_assets.training.process import Reporter, run_entry_point


def train(config: SftConfig, reporter: Reporter) -> dict[str, Any]:
    """Fine-tune an adapter on demonstrations and report what it learned."""
    from polyguard_assets.training.checkpoints import resume_point, run_fingerprint
    from polyguard_assets.training.progress import read_history
    from polyguard_assets.training.publish import replaced_directory, weights_sha256
    from polyguard_assets.training.sft_trainer import build_trainer

    reporter.milestone("sft: loading the base model and the corpus")
    fingerprint = run_fingerprint(config, config.model_dir)
    checkpoint = resume_point(config.work_dir, fingerprint)
    trainer, choice, rows = build_trainer(config, reporter)
    outcome = trainer.train(resume_from_checkpoint=checkpoint)
    with replaced_directory(config.output_dir) as directory:
        trainer.save_adapter(directory)
    shutil.rmtree(config.work_dir, ignore_errors=True)
    history = read_history(config.history_path)
    return {
        "stage": "sft",
        "rows": rows,
        "steps": outcome.global_step,
        "resumed_from": checkpoint,
        "train_seconds": round(outcome.metrics["train_runtime"], 3),
        "first_loss": history[0]["loss"],
        "last_loss": history[-1]["loss"],
        "last_token_accuracy": history[-1].get("mean_token_accuracy"),
        "compute": choice.to_dict(),
        "fingerprint": fingerprint,
        "adapter_sha256": weights_sha256(config.output_dir),
        "adapter_dir": config.output_dir,
        "history_path": config.history_path,
    }


def main() -> int:
    """Command line."""
    return run_entry_point(SftConfig, train)


if __name__ == "__main__":
    sys.exit(main())
