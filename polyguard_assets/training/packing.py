"""Packing prompts with their candidate answers into one row without padding.

A row holds the prompts' common beginning once, then for each prompt its own rest followed by its
candidates. Candidates see the common beginning, their prompt and themselves; positions are those
each candidate would have alone behind its prompt. One forward pass then scores every candidate of
every prompt exactly as separate rows would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from polyguard_env.errors import PolyGuardError


@dataclass(frozen=True)
class PromptGroup:
    """A prompt and the answers to weigh.

    Attributes:
        prompt: token ids up to where an answer begins.
        candidates: token ids of each answer, ending with the end-of-turn token.
    """

    prompt: Sequence[int]
    candidates: Sequence[Sequence[int]]


@dataclass(frozen=True)
class PackedLayout:
    """Who attends to whom in a packed row.

    Attributes:
        prefix: tokens of the common beginning at the row's start (0 for none).
        sizes: tokens of each group after the common beginning.
        masks: for each group (size, prefix + size), True where a token may look.
    """

    prefix: int
    sizes: tuple[int, ...]
    masks: tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class PackedBatch:
    """A packed row and where its answers are scored.

    Attributes:
        input_ids, position_ids: (1, tokens).
        rows: (scored,) places in the row whose output predicts some answer token, each once.
        row_of_target: (targets,) index into `rows`.
        targets: (targets,) the answer tokens.
        candidate_of_target: (targets,) running number of the candidate over the whole batch.
        lengths: (candidates,) tokens of each candidate.
        group_sizes: candidates of each prompt.
        layout: for the attention function.
    """

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    rows: torch.Tensor
    row_of_target: torch.Tensor
    targets: torch.Tensor
    candidate_of_target: torch.Tensor
    lengths: torch.Tensor
    group_sizes: tuple[int, ...]
    layout: PackedLayout

    def to(self, device: torch.device | str) -> PackedBatch:
        """The same batch on another device."""
        if torch.device(device) == self.input_ids.device:
            return self
        layout = PackedLayout(
            self.layout.prefix, self.layout.sizes, tuple(mask.to(device) for mask in self.layout.masks)
        )
        names = (
            "input_ids",
            "position_ids",
            "rows",
            "row_of_target",
            "targets",
            "candidate_of_target",
            "lengths",
        )
        return PackedBatch(
            **{name: getattr(self, name).to(device) for name in names},
            group_sizes=self.group_sizes,
            layout=layout,
        )


def common_prefix_length(prompts: Sequence[Sequence[int]]) -> int:
    """Tokens all prompts begin with, leaving each at least one of its own."""
    most = min(len(prompt) for prompt in prompts) - 1
    places = range(max(0, most))
    return next((i for i in places if any(prompt[i] != prompts[0][i] for prompt in prompts)), max(0, most))


def pack(groups: Sequence[PromptGroup]) -> PackedBatch:
    """Pack groups into one row.

    Raises:
        PolyGuardError: no group, an empty prompt, no candidates, or an empty candidate.
    """
    _check(groups)
    prefix = common_prefix_length([group.prompt for group in groups])
    ids: list[int] = list(groups[0].prompt[:prefix])
    positions: list[int] = list(range(prefix))
    rows: list[int] = []
    row_of_target: list[int] = []
    targets: list[int] = []
    candidate_of_target: list[int] = []
    sizes, masks = [], []
    candidate_number = 0
    for group in groups:
        start = len(ids)
        ids += group.prompt[prefix:]
        positions += range(prefix, len(group.prompt))
        last_prompt_row = len(rows)
        rows.append(len(ids) - 1)
        for candidate in group.candidates:
            # The last token of an answer is predicted, never read: it stays out of the row.
            inner = candidate[:-1]
            row_of_target += [last_prompt_row, *range(len(rows), len(rows) + len(inner))]
            rows += range(len(ids), len(ids) + len(inner))
            ids += inner
            positions += range(len(group.prompt), len(group.prompt) + len(inner))
            targets += candidate
            candidate_of_target += [candidate_number] * len(candidate)
            candidate_number += 1
        sizes.append(len(ids) - start)
        masks.append(_mask(prefix, len(group.prompt) - prefix, [len(c) - 1 for c in group.candidates]))
    return PackedBatch(
        input_ids=torch.tensor([ids]),
        position_ids=torch.tensor([positions]),
        rows=torch.tensor(rows),
        row_of_target=torch.tensor(row_of_target),
        targets=torch.tensor(targets),
        candidate_of_target=torch.tensor(candidate_of_target),
        lengths=torch.tensor([len(candidate) for group in groups for candidate in group.candidates]),
        group_sizes=tuple(len(group.candidates) for group in groups),
        layout=PackedLayout(prefix, tuple(sizes), tuple(masks)),
    )


def _mask(prefix: int, prompt: int, candidates: Sequence[int]) -> torch.Tensor:
    """(own tokens, prefix + own tokens): causal in the prompt, block-wise causal in the candidates."""
    size = prompt + sum(candidates)
    mask = torch.zeros(size, prefix + size, dtype=torch.bool)
    mask[:, :prefix] = True
    mask[:, prefix : prefix + prompt] = torch.ones(size, prompt, dtype=torch.bool).tril()
    start = prompt
    for length in candidates:
        end = start + length
        mask[start:end, prefix + start : prefix + end] = torch.ones(length, length, dtype=torch.bool).tril()
        start = end
    return mask


def _check(groups: Sequence[PromptGroup]) -> None:
    if not groups:
        raise PolyGuardError("groups", groups, "pack at least one prompt")
    for group in groups:
        if not group.prompt:
            raise PolyGuardError("prompt", group.prompt, "give every prompt at least one token")
        if not group.candidates or not all(group.candidates):
            raise PolyGuardError("candidates", group.candidates, "give every prompt at least one non-empty answer")
