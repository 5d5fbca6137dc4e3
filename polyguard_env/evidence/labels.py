"""Supplied label texts as passages: cut at sentences into pieces short enough to read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b

import pandas as pd

from polyguard_env.evidence.corpus import CorpusBuilder, Passage
from polyguard_env.evidence.names import NameFinder
from polyguard_env.evidence.sentences import words

MOST_WORDS = 160
# A generic has dozens of near-equal labels; the newest ones speak for all.
MOST_LABELS = 3
SENTENCE = re.compile(r"(?<=[.;:!?])\s+(?=[A-Z0-9•*])")


def label_passages(texts: pd.DataFrame, builder: CorpusBuilder) -> Iterator[Passage]:
    """Passages of the newest resolved label sections; equal pieces of one drug and section are kept once.

    The pairs of a piece are those of any two drugs it names or is about.
    """
    finder = NameFinder(builder.knowledge)
    seen: set[tuple[tuple[str, ...], str, str]] = set()
    kept = newest(texts)
    columns = (kept[name] for name in ("source", "year", "record", "date", "drugs", "section", "text"))
    for source, year, record, date, drugs, section, text in zip(*columns, strict=True):
        about = tuple(drugs)
        names = ", ".join(builder.knowledge.drugs[drug].name for drug in about)
        for number, piece in enumerate(pieces(text), start=1):
            if (about, section, piece) in seen:
                continue
            seen.add((about, section, piece))
            named = {*about, *finder.find(piece)}
            mark = blake2b(f"{record}|{section}".encode(), digest_size=6).hexdigest()
            yield builder.passage(
                f"label:{source}:{mark}.{number}", "label", source, int(year), about, named,
                f"Label of {names}, {words(section)}: {piece}", date,
            )  # fmt: skip


def newest(texts: pd.DataFrame, most: int = MOST_LABELS) -> pd.DataFrame:
    """Of the resolved sections, the `most` newest for each source, set of drugs and section, in the order given."""
    resolved = texts[texts["resolved"].astype(bool)]
    about = resolved["drugs"].map(lambda drugs: "+".join(drugs))
    order = resolved.assign(about=about).sort_values("date", ascending=False, kind="stable")
    kept = order.groupby(["source", "about", "section"], sort=False).head(most).index
    return resolved.loc[sorted(kept)]


def pieces(text: str, most: int = MOST_WORDS) -> list[str]:
    """Text cut at sentence ends into pieces of at most `most` words (a longer sentence is cut at a word)."""
    found: list[list[str]] = [[]]
    for sentence in SENTENCE.split(text):
        tokens = sentence.split()
        while tokens:
            room = most - len(found[-1])
            if len(tokens) > room and found[-1] and len(tokens) <= most:
                found.append([])
                continue
            found[-1] += tokens[:room]
            tokens = tokens[room:]
            if len(found[-1]) == most:
                found.append([])
    return [" ".join(piece) for piece in found if piece]
