"""Pieces of a compact text and the tokens they take."""

from __future__ import annotations

import re
from functools import lru_cache

TOKEN = re.compile(r"[A-Za-z]+| ?[0-9]|[^A-Za-z0-9 ]")
LETTERS_PER_TOKEN = 4
# Pieces of each kind that are remembered.
KEPT = 50_000

Piece = tuple[str, int]


@lru_cache(maxsize=KEPT)
def estimated_tokens(text: str) -> int:
    """Tokens a small language model's tokenizer makes of a compact text, from letters, digits and signs.

    An estimate; `docs/environment.md` says how many observations the embedded model's tokenizer makes longer. Counts
    add up over lines, with one for each line break.
    """
    return sum(-(-len(piece) // LETTERS_PER_TOKEN) if piece.isalpha() else len(piece) for piece in TOKEN.findall(text))


def measured(text: str) -> Piece:
    """A text with its tokens."""
    return text, estimated_tokens(text)
