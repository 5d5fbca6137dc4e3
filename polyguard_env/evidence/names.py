"""Recognising drug names in running text: longest known name first, exactly as the vocabulary has it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.names import normalise

WORD = re.compile(r"[a-z0-9]+")
LONGEST, SHORTEST = 5, 4


class NameFinder:
    """Finds drugs in text.

    Args:
        knowledge: whose names count.
        only: drug ids of interest; others are not looked for.
    """

    def __init__(self, knowledge: KnowledgeBase, only: Collection[str] | None = None) -> None:
        wanted = set(knowledge.drugs if only is None else only)
        self._names: dict[tuple[str, ...], tuple[str, ...]] = {}
        everything = [(name, (drug_id,)) for name, drug_id in knowledge.names.items()]
        for name, drugs in [*everything, *knowledge.names.combinations()]:
            words = tuple(WORD.findall(name))
            # Names of one to three letters are mostly ordinary words or abbreviations of something else.
            if set(drugs) <= wanted and words and len(words) <= LONGEST and len("".join(words)) >= SHORTEST:
                self._names.setdefault(words, drugs)
        # By first word, the words of the longest name that begins with it: most words of a text begin none.
        self._longest: dict[str, int] = {}
        for words in self._names:
            self._longest[words[0]] = max(len(words), self._longest.get(words[0], 0))

    def find(self, text: str) -> tuple[str, ...]:
        """Drug ids named in a text, in order of appearance, each once."""
        return tuple(dict.fromkeys(drug_id for _, drugs in self.spans(text) for drug_id in drugs))

    def spans(self, text: str) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Name words and drug ids of every name in a text."""
        words = WORD.findall(normalise(text))
        place = 0
        while place < len(words):
            for size in range(min(self._longest.get(words[place], 0), len(words) - place), 0, -1):
                name = tuple(words[place : place + size])
                if name in self._names:
                    yield name, self._names[name]
                    place += size
                    break
            else:
                place += 1
