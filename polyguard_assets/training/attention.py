"""Attention over packed rows, registered with transformers as `packed_groups`.

Attention is computed group by group, so its cost grows with the prompts' lengths and not with the
square of the packed row. Calls without a layout (generation) are ordinary scaled dot-product attention.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from polyguard_assets.training.packing import PackedLayout

PACKED_GROUPS = "packed_groups"


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    packed_layout: PackedLayout | None = None,
    **options: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Attention of a packed row.

    Args:
        query: (1, heads, tokens, head size).
        key, value: (1, key-value heads, tokens, head size).
        packed_layout: groups and masks; None falls through to ordinary attention.

    Returns:
        (1, tokens, heads, head size), and None for the weights.
    """
    if packed_layout is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **options)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    prefix = packed_layout.prefix
    sizes = [prefix, *packed_layout.sizes] if prefix else list(packed_layout.sizes)
    # Splitting once keeps the backward pass to one concatenation; slices would each add a full-size tensor.
    queries, keys, values = (list(torch.split(part[0], sizes, 1)) for part in (query, key, value))
    outputs = []
    if prefix:
        causal = torch.ones(prefix, prefix, dtype=torch.bool, device=query.device).tril()
        outputs.append(_attend(queries.pop(0), keys[0], values[0], causal, scale))
        first_key, first_value = keys.pop(0), values.pop(0)
        keys = [torch.cat([first_key, own], 1) for own in keys]
        values = [torch.cat([first_value, own], 1) for own in values]
    for own_query, own_key, own_value, mask in zip(queries, keys, values, packed_layout.masks, strict=True):
        outputs.append(_attend(own_query, own_key, own_value, mask, scale))
    return torch.cat(outputs, 1).transpose(0, 1).unsqueeze(0), None


def _attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, scale: float
) -> torch.Tensor:
    """Attention of one group: query (heads, n, d), key and value (key-value heads, m, d), mask (n, m).

    Written out because the fused CPU kernel's bfloat16 backward pass takes three times as long.
    Query heads that share a key-value head are stacked along the tokens, so keys are never repeated.
    """
    heads, tokens, size = query.shape
    shared = key.shape[0]
    stacked = (query * scale).reshape(shared, heads // shared * tokens, size)
    scores = torch.bmm(stacked, key.transpose(1, 2)).view(shared, heads // shared, tokens, -1)
    weights = scores.masked_fill(~mask, float("-inf")).softmax(-1, dtype=torch.float32).to(query.dtype)
    return torch.bmm(weights.view(shared, heads // shared * tokens, -1), value).view(heads, tokens, size)


AttentionInterface.register(PACKED_GROUPS, packed_attention)
AttentionMaskInterface.register(PACKED_GROUPS, sdpa_mask)
