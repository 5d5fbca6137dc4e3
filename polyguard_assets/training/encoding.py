"""Chat prompts and answers as token ids, the same way in training, scoring and generation."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from polyguard_assets.training.packing import PromptGroup
from polyguard_env.errors import PolyGuardError


def messages(system: str, user: str) -> list[dict[str, str]]:
    """A chat of one system and one user turn."""
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def encode_prompt(tokenizer: PreTrainedTokenizerBase, system: str, user: str) -> list[int]:
    """Token ids up to where the assistant's answer begins."""
    text = tokenizer.apply_chat_template(messages(system, user), tokenize=False, add_generation_prompt=True)
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def encode_answer(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of an answer with the end-of-turn token, so that "stop x" is not a beginning of "stop x now"."""
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return [*ids, tokenizer.eos_token_id]


def encode_group(
    tokenizer: PreTrainedTokenizerBase, system: str, user: str, candidates: Sequence[str], max_tokens: int
) -> PromptGroup:
    """A prompt with its candidates.

    Raises:
        PolyGuardError: the prompt with its longest candidate exceeds `max_tokens`; nothing is cut silently.
    """
    group = PromptGroup(encode_prompt(tokenizer, system, user), [encode_answer(tokenizer, text) for text in candidates])
    longest = len(group.prompt) + max((len(candidate) for candidate in group.candidates), default=0)
    if longest > max_tokens:
        raise PolyGuardError(
            "prompt", f"{longest} tokens", f"shorten the prompt or raise max_tokens above {max_tokens}"
        )
    return group
