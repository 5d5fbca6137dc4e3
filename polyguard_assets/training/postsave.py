"""Inference from the exported artifact: `python -m polyguard_assets.training.postsave --config FILE.json`.

The process is given one model directory and loads nothing else, so whatever answers is the artifact:
there is no other model to fall back to.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from polyguard_assets.training.config import PostsaveConfig
from polyguard_assets.training.process import Reporter, run_entry_point
from polyguard_env.errors import PolyGuardError

ANSWER_COLUMNS = ("system", "user", "candidates")


def answer(config: PostsaveConfig, reporter: Reporter) -> dict[str, Any]:
    """Answer prompts with the exported artifact, freely and by choice, and name what answered."""
    from polyguard_assets.training.corpus import read_corpus
    from polyguard_assets.training.inference import CandidateScorer, Decision
    from polyguard_assets.training.publish import weights_sha256

    artifact = Path(config.artifact_dir)
    if (artifact / "adapter_config.json").exists():
        raise PolyGuardError("artifact_dir", str(artifact), "give the merged model, not an adapter")
    rows = read_corpus(config.corpus_path, ANSWER_COLUMNS, config.split)
    scorer = CandidateScorer(artifact, dtype=config.dtype, device=config.device, threads=config.threads)
    sha256 = weights_sha256(artifact)
    if config.expected_sha256 and sha256 != config.expected_sha256:
        raise PolyGuardError("artifact_sha256", sha256, f"merge again: the merge report says {config.expected_sha256}")
    reporter.milestone(f"postsave: {config.artifact_name} ({sha256[:12]}) answers {config.prompts} prompts")
    chosen = rows.iloc[:: max(1, len(rows) // config.prompts)][: config.prompts]
    decisions = [
        Decision(system, user, tuple(candidates))
        for system, user, candidates in chosen[list(ANSWER_COLUMNS)].itertuples(index=False)
    ]
    answers: list[dict[str, Any]] = []
    for decision, score in zip(decisions, scorer.scores_many(decisions), strict=True):
        generated = scorer.generate(decision.system, decision.user, config.max_new_tokens)
        answers.append(
            {
                "user": decision.user,
                "candidates": list(decision.candidates),
                "chosen": decision.candidates[int(score.argmax())],
                "confidence": round(float(scorer.probabilities(score).max()), 4),
                "generated": generated,
                "valid": generated in decision.candidates,
                "agrees": generated == decision.candidates[int(score.argmax())],
            }
        )
    valid = sum(entry["valid"] for entry in answers) / len(answers)
    if valid < config.min_valid:
        raise PolyGuardError(
            "valid",
            valid,
            f"train longer: at least {config.min_valid:.0%} of free answers must copy an option",
        )
    return {
        "stage": "postsave",
        "artifact_name": config.artifact_name,
        "artifact_dir": str(artifact),
        "artifact_sha256": sha256,
        "fallback_used": not holds_weights_of(scorer.model, artifact),
        "prompts": len(answers),
        "valid_rate": valid,
        "agreement_rate": sum(entry["agrees"] for entry in answers) / len(answers),
        "compute": scorer.compute.to_dict(),
        "answers": answers,
    }


def holds_weights_of(model: Any, artifact: Path) -> bool:
    """Whether a loaded model's tensors are those of the artifact's files, in the precision it computes in."""
    import torch
    from safetensors import safe_open

    loaded = model.state_dict()
    for file in sorted(artifact.glob("*.safetensors")):
        with safe_open(file, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 (no mapping, though it has keys)
                if name not in loaded:
                    return False
                if not torch.equal(loaded[name].cpu(), tensors.get_tensor(name).to(loaded[name].dtype)):
                    return False
    return True


def main() -> int:
    """Command line."""
    return run_entry_point(PostsaveConfig, answer)


if __name__ == "__main__":
    sys.exit(main())
