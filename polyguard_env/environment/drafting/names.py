"""Invented names of products."""

from __future__ import annotations

from random import Random

from polyguard_env.knowledge.base import KnowledgeBase

ONSETS = ("b", "br", "c", "d", "f", "gl", "k", "l", "m", "n", "pr", "r", "s", "t", "v", "x", "z", "tr", "h", "j")
VOWELS = ("a", "e", "i", "o", "u", "ae", "io")
CODAS = ("", "", "l", "n", "r", "s", "x")
ENDINGS = ("va", "xa", "ra", "tis", "zen", "quo", "lia", "mox", "dera", "vio", "nix", "tora")


def invented_name(rng: Random, knowledge: KnowledgeBase) -> str:
    """A pronounceable name that no drug or product of the tables has."""
    while True:
        syllables = [
            ONSETS[rng.randrange(len(ONSETS))] + VOWELS[rng.randrange(len(VOWELS))] + CODAS[rng.randrange(len(CODAS))]
            for _ in range(1 + rng.randrange(2))
        ]
        name = "".join(syllables) + ENDINGS[rng.randrange(len(ENDINGS))]
        if not knowledge.resolve_all(name):
            return name
