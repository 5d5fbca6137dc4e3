"""Pieces of a compact text and their sizes in tokens.

A size holds two counts in one number, so that sizes add up like numbers: an estimate, from which the level of detail
follows, and what the embedded model's tokenizer makes of the text at most.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Generic, TypeVar

ESTIMATED = re.compile(r"[A-Za-z]+| ?[0-9]|[^A-Za-z0-9 ]")
COUNTED = re.compile(r" ?[A-Za-z]+| ?[0-9]|\):|[^A-Za-z0-9 ]")
LETTERS_PER_TOKEN = 4
# Signs of one token though of several bytes.
ONE_TOKEN = ("…", "):")
# Pieces of each kind that are remembered.
KEPT = 50_000
# The estimate stands above this bit, the count below it.
BITS = 20
COUNT = (1 << BITS) - 1
# One token by both counts.
ONE = (1 << BITS) + 1

Piece = tuple[str, int]
K = TypeVar("K")
V = TypeVar("V")


class Remembered(dict[K, V], Generic[K, V]):
    """What a function makes of a key, remembered; all is forgotten when `KEPT` are.

    A look-up touches less memory than one of `lru_cache`, which notes the order of use: what is looked up for a
    scenario never met is mostly not in the processor's own memory.
    """

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[K], V]) -> None:
        self._make = make

    def __missing__(self, key: K) -> V:
        if len(self) >= KEPT:
            self.clear()
        found = self[key] = self._make(key)
        return found


def estimated_tokens(text: str) -> int:
    """Tokens a small language model's tokenizer makes of a compact text, from letters, digits and signs: an estimate.

    Names of drugs take more, common words fewer. Counts add up over lines, with one for each line break.
    """
    return sum(
        -(-len(piece) // LETTERS_PER_TOKEN) if piece.isalpha() else len(piece) for piece in ESTIMATED.findall(text)
    )


def counted_tokens(text: str) -> int:
    """Tokens that the embedded model's tokenizer makes of a text at most.

    Words are looked up in `word_tokens.csv`; one that is not there is taken for more than made-up names have. The
    tokenizer joins no word or digit with what stands beside it, but some signs.
    """
    known = _words()
    return sum([known.get(piece) or _unlisted(piece) for piece in COUNTED.findall(text)])


def _word(text: str) -> int:
    """The size of what stands between two spaces, with that before it."""
    return estimated_tokens(text) << BITS | counted_tokens(text)


def _sized(text: str) -> int:
    # Word by word, for words come again where texts do not.
    first, *rest = text.split(" ")
    return sum([of_word(f" {word}") for word in rest], of_word(first))


of_word = Remembered(_word).__getitem__
# Both counts of a text in one number; sizes of pieces that begin with a space or a sign add up.
size: Callable[[str], int] = Remembered(_sized).__getitem__


def measured(text: str) -> Piece:
    """A text with its size."""
    return text, size(text)


def joined(pieces: list[str]) -> Piece:
    """The text of pieces, each but the first beginning with a space or a sign, with its size."""
    return "".join(pieces), sum([size(piece) for piece in pieces])


def _unlisted(piece: str) -> int:
    """Most tokens of a word, sign or digit that the table does not list."""
    letters = piece.strip(" ")
    if letters.isalpha() and letters.isascii():
        return 2 * len(letters) // 3 + 1
    return 1 if piece in ONE_TOKEN else len(piece.encode())


@cache
def _words() -> dict[str, int]:
    """Tokens of the words that texts are made of, with a space before each where one may stand there.

    Source: the tokenizer of SmolLM2-135M-Instruct (2024), read by `python -m polyguard_assets.training.word_tokens`.
    """
    with resources.files("polyguard_env.environment").joinpath("word_tokens.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    found = {row["word"]: int(row["at_start"]) for row in rows}
    return found | {f" {row['word']}": int(row["after_space"]) for row in rows}
