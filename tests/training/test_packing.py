"""Packed rows score candidates exactly as separate rows do."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from polyguard_assets.training.adapters import load_model, new_adapter
from polyguard_assets.training.config import LoraSettings
from polyguard_assets.training.likelihood import packed_likelihood
from polyguard_assets.training.packing import PromptGroup, common_prefix_length, pack
from polyguard_env.errors import PolyGuardError

SHARED = [5, 6, 7, 8]
GROUPS = [
    PromptGroup([*SHARED, 20, 21, 22], [[30, 31, 2], [30, 2], [40, 41, 42, 2]]),
    PromptGroup([*SHARED, 23], [[2], [50, 51, 2]]),
    PromptGroup([*SHARED, 24, 25, 26, 27, 28], [[60, 2]]),
]


def separate_scores(model: torch.nn.Module, groups: list[PromptGroup]) -> torch.Tensor:
    """Each candidate behind its own copy of the prompt, without any packing."""
    scores = []
    for group in groups:
        for candidate in group.candidates:
            ids = torch.tensor([[*group.prompt, *candidate]])
            logs = model(input_ids=ids).logits[0].log_softmax(-1)
            place = len(group.prompt) - 1
            scores.append(sum(logs[place + i, token] for i, token in enumerate(candidate)))
    return torch.stack(scores)


@pytest.mark.parametrize(
    "groups",
    [GROUPS, GROUPS[:1], [PromptGroup([9, 10], [[3, 2]]), PromptGroup([11, 12, 13], [[4, 2], [3, 2]])]],
    ids=["shared beginning", "one prompt", "nothing shared"],
)
def test_packed_scores_equal_separate_scores(tiny_model_dir: Path, groups: list[PromptGroup]) -> None:
    model = load_model(tiny_model_dir, torch.float32).eval()
    with torch.no_grad():
        packed = packed_likelihood(model, pack(groups)).candidate
        assert torch.allclose(packed, separate_scores(model, groups), atol=1e-4)


def test_packed_gradients_equal_separate_gradients(tiny_model_dir: Path) -> None:
    torch.manual_seed(1)
    model = new_adapter(load_model(tiny_model_dir, torch.float32), LoraSettings(rank=4))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    weights = torch.linspace(-1, 1, 6)
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    packed = torch.autograd.grad((weights * packed_likelihood(model, pack(GROUPS)).candidate).sum(), trainable)
    separate = torch.autograd.grad((weights * separate_scores(model, GROUPS)).sum(), trainable)
    assert all(torch.allclose(one, other, atol=1e-4) for one, other in zip(packed, separate, strict=True))
    assert any(gradient.abs().max() > 1e-3 for gradient in packed)


def test_updates_above_a_layer_leave_the_layers_below_untouched(tiny_model_dir: Path) -> None:
    model = new_adapter(load_model(tiny_model_dir, torch.float32), LoraSettings(rank=4, first_layer=1))
    assert {name.split(".layers.")[1][0] for name, p in model.named_parameters() if p.requires_grad} == {"1"}
    with pytest.raises(PolyGuardError, match="first_layer"):
        new_adapter(load_model(tiny_model_dir, torch.float32), LoraSettings(first_layer=2))


def test_every_token_is_read_at_most_once_per_prompt() -> None:
    batch = pack(GROUPS)
    own = sum(len(g.prompt) - len(SHARED) + sum(len(c) - 1 for c in g.candidates) for g in GROUPS)
    assert batch.input_ids.shape == (1, len(SHARED) + own)
    assert batch.lengths.tolist() == [3, 2, 4, 1, 3, 2]
    assert batch.group_sizes == (3, 2, 1)


def test_common_prefix_leaves_each_prompt_a_token_of_its_own() -> None:
    assert common_prefix_length([[1, 2, 3], [1, 2, 3]]) == 2
    assert common_prefix_length([[1, 2], [1, 2, 3]]) == 1
    assert common_prefix_length([[1], [2]]) == 0


@pytest.mark.parametrize("groups", [[], [PromptGroup([], [[2]])], [PromptGroup([1], [])], [PromptGroup([1], [[]])]])
def test_nothing_to_pack_is_refused(groups: list[PromptGroup]) -> None:
    with pytest.raises(PolyGuardError):
        pack(groups)
