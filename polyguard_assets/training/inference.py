"""Scoring candidates and generating answers with a local model; the policies built on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from polyguard_assets.training.adapters import load_adapter, load_model, load_tokenizer
from polyguard_assets.training.calibration import Calibration, softmax
from polyguard_assets.training.dtype import compute_dtype, resolve_device
from polyguard_assets.training.encoding import encode_group, encode_prompt
from polyguard_assets.training.likelihood import packed_likelihood
from polyguard_assets.training.packing import PromptGroup, pack
from polyguard_assets.training.policy_gradient import split_scores
from polyguard_env.environment.messages import PolyGuardAction, PolyGuardObservation
from polyguard_env.environment.render import SYSTEM_PROMPT
from polyguard_env.errors import PolyGuardError
from polyguard_env.policies.policy import Policy, cite

# Keeps the working memory of a pass near 100 MB for the embedded model.
TOKENS_PER_PASS = 4096


@dataclass(frozen=True)
class Decision:
    """A prompt to decide.

    Attributes:
        candidates: action texts, at least one.
    """

    system: str
    user: str
    candidates: tuple[str, ...]


class CandidateScorer:
    """Log-likelihoods of action texts under a local model.

    Args:
        model_dir: base or merged model.
        adapter_dir: adapter to put on it; None for the model alone.
        dtype: "auto", "float32" or "bfloat16".
        threads: CPU threads; None leaves torch's own.
        max_tokens: longest prompt with an answer.

    Raises:
        PolyGuardError: the model or adapter is missing.
    """

    def __init__(
        self,
        model_dir: Path | str,
        adapter_dir: Path | str | None = None,
        *,
        dtype: str = "auto",
        device: str = "auto",
        threads: int | None = None,
        max_tokens: int = 1024,
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self.device = resolve_device(device)
        self.compute = compute_dtype(dtype, self.device)
        self.tokenizer: Any = load_tokenizer(model_dir)
        self.max_tokens = max_tokens
        self.calibration = Calibration.load(adapter_dir or model_dir)
        self.model: Any = load_model(model_dir, self.compute.torch_dtype, self.device)
        if adapter_dir is not None:
            # Merged once: scoring then costs what the base costs.
            self.model = load_adapter(self.model.float(), adapter_dir, trainable=False).merge_and_unload()
            self.model = self.model.to(self.compute.torch_dtype)
        self.model.eval()

    def scores(self, system: str, user: str, candidates: Sequence[str]) -> np.ndarray:
        """Log-likelihood of each candidate as the answer, (candidates,) float64, in nats."""
        return self.scores_many([Decision(system, user, tuple(candidates))])[0]

    def scores_many(self, decisions: Sequence[Decision]) -> list[np.ndarray]:
        """Scores of several prompts, packed into as few passes as memory allows."""
        groups = [encode_group(self.tokenizer, d.system, d.user, d.candidates, self.max_tokens) for d in decisions]
        scores: list[np.ndarray] = []
        for part in _passes(groups):
            batch = pack(part).to(self.device)
            with torch.inference_mode():
                likelihood = packed_likelihood(self.model, batch)
            split = split_scores(
                likelihood.candidate, batch.lengths, batch.group_sizes, self.calibration.length_normalise
            )
            scores += [score.cpu().numpy().astype(np.float64) for score in split]
        return scores

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """Calibrated probabilities of candidates from their scores."""
        return softmax(scores, self.calibration.temperature)

    def generate(self, system: str, user: str, max_new_tokens: int = 24) -> str:
        """The model's free answer, greedily decoded."""
        ids = torch.tensor([encode_prompt(self.tokenizer, system, user)], device=self.device)
        with torch.inference_mode():
            output = self.model.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=max_new_tokens, do_sample=False
            )
        text = str(self.tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True))
        return text.strip()


class LanguageModelPolicy(Policy):
    """Chooses the candidate the model finds most likely.

    Args:
        name: as in reports: base, sft, grpo or llm_only.
    """

    def __init__(self, scorer: CandidateScorer, name: str = "llm_only") -> None:
        self.scorer = scorer
        self.name = name

    def choose(self, env: Any, observation: PolyGuardObservation) -> PolyGuardAction:
        """The action to take next, with its calibrated probability as confidence."""
        return self.choose_many([observation])[0]

    def choose_many(self, observations: Sequence[PolyGuardObservation]) -> list[PolyGuardAction]:
        """Actions for several episodes at once, scored in shared passes.

        Raises:
            PolyGuardError: an observation without candidates (its episode is over).
        """
        for observation in observations:
            if not observation.candidates:
                raise PolyGuardError("observation", observation.episode_id, "reset the episode; it offers no action")
        decisions = [
            Decision(SYSTEM_PROMPT, observation.text, tuple(c.text for c in observation.candidates))
            for observation in observations
        ]
        return [
            self._action(observation, score)
            for observation, score in zip(observations, self.scorer.scores_many(decisions), strict=True)
        ]

    def _action(self, observation: PolyGuardObservation, score: np.ndarray) -> PolyGuardAction:
        best = int(np.argmax(score))
        candidate = observation.candidates[best]
        return PolyGuardAction(
            candidate_id=candidate.candidate_id,
            confidence=float(self.scorer.probabilities(score)[best]),
            evidence_ids=cite(candidate, observation.regimen),
        )


def _passes(groups: Sequence[PromptGroup]) -> Iterator[list[PromptGroup]]:
    """Groups in order, as many at a time as fit a pass."""
    part: list[PromptGroup] = []
    tokens = 0
    for group in groups:
        size = len(group.prompt) + sum(map(len, group.candidates))
        if part and tokens + size > TOKENS_PER_PASS:
            yield part
            part, tokens = [], 0
        part.append(group)
        tokens += size
    if part:
        yield part
