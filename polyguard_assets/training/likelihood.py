"""Log-likelihoods of packed candidates under a causal language model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel

from polyguard_assets.training.packing import PackedBatch

ROWS_AT_A_TIME = 64


@dataclass(frozen=True)
class PackedLikelihood:
    """Scores of a packed batch.

    Attributes:
        token: (targets,) log-probability of each answer token, float32.
        candidate: (candidates,) their sum per candidate.
        correct: (targets,) True where the token is the model's first choice.
    """

    token: torch.Tensor
    candidate: torch.Tensor
    correct: torch.Tensor


def packed_likelihood(model: Any, batch: PackedBatch) -> PackedLikelihood:
    """Score every candidate of a packed batch in one forward pass.

    The output head, 49,152 columns wide in the embedded model, sees only the places that predict an
    answer token, and the place every candidate of a prompt begins from only once.

    Args:
        model: loaded with `packed_groups` attention; adapters that are active take part.
    """
    causal: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    backbone = getattr(causal, causal.base_model_prefix)
    hidden = backbone(
        input_ids=batch.input_ids,
        position_ids=batch.position_ids,
        # A four-dimensional mask is passed through untouched; the layout holds the real masks.
        attention_mask=torch.ones(1, 1, 1, 1, dtype=torch.bool, device=batch.input_ids.device),
        use_cache=False,
        packed_layout=batch.layout,
    ).last_hidden_state
    rows = hidden[0].index_select(0, batch.rows)
    head = causal.get_output_embeddings().weight
    token, correct = target_log_probability(rows, head, batch.row_of_target, batch.targets)
    candidate = token.new_zeros(len(batch.lengths)).index_add(0, batch.candidate_of_target, token)
    return PackedLikelihood(token, candidate, correct)


def target_log_probability(
    hidden: torch.Tensor, head: torch.Tensor, row_of_target: torch.Tensor, targets: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities of tokens predicted from hidden states, and whether each is the first choice.

    Args:
        hidden: (rows, size).
        head: (vocabulary, size), frozen.
        row_of_target: (targets,) the row each token is predicted from.
        targets: (targets,) token ids.

    Returns:
        (targets,) float32 and (targets,) bool.
    """
    apply: Any = TargetLogProbability.apply
    token, correct = apply(hidden, head, row_of_target, targets)
    return token, correct


class TargetLogProbability(torch.autograd.Function):
    """Log-probabilities of chosen tokens from hidden states, a few rows at a time.

    The full (rows, vocabulary) matrix is never kept: it is computed again in the backward pass, which
    is cheaper on a CPU than writing and reading it. The head itself is frozen and gets no gradient.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        head: torch.Tensor,
        row_of_target: torch.Tensor,
        targets: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """hidden (rows, size), head (vocabulary, size), row_of_target and targets (targets,)."""
        total = hidden.new_empty(len(hidden), dtype=torch.float32)
        token = hidden.new_empty(len(targets), dtype=torch.float32)
        correct = torch.empty(len(targets), dtype=torch.bool, device=hidden.device)
        for rows, chosen in _chunks(len(hidden), row_of_target):
            logits = torch.nn.functional.linear(hidden[rows], head).float()
            total[rows] = torch.logsumexp(logits, -1)
            local = row_of_target[chosen] - rows.start
            token[chosen] = logits[local, targets[chosen]] - total[rows][local]
            correct[chosen] = logits.argmax(-1)[local] == targets[chosen]
        ctx.save_for_backward(hidden, head, row_of_target, targets, total)
        ctx.mark_non_differentiable(correct)
        return token, correct

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Gradient of the hidden states: (one-hot − softmax) times the head, weighed by the tokens' gradients."""
        hidden, head, row_of_target, targets, total = ctx.saved_tensors
        of_token = gradients[0].float()
        of_row = total.new_zeros(len(hidden)).index_add(0, row_of_target, of_token)
        result = torch.empty_like(hidden)
        for rows, chosen in _chunks(len(hidden), row_of_target):
            logits = torch.nn.functional.linear(hidden[rows], head).float()
            slope = logits.sub_(total[rows, None]).exp_().mul_(-of_row[rows, None])
            local = row_of_target[chosen] - rows.start
            slope.index_put_((local, targets[chosen]), of_token[chosen], accumulate=True)
            result[rows] = slope.to(head.dtype) @ head
        return result, None, None, None


def _chunks(rows: int, row_of_target: torch.Tensor) -> list[tuple[slice, torch.Tensor]]:
    """Slices of rows, each with the numbers of the targets predicted there."""
    parts = []
    for start in range(0, rows, ROWS_AT_A_TIME):
        end = min(start + ROWS_AT_A_TIME, rows)
        parts.append((slice(start, end), ((row_of_target >= start) & (row_of_target < end)).nonzero()[:, 0]))
    return parts
