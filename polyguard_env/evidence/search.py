"""Search over passages: BM25 (the bm25s library) on words, recognised drugs and lay terms."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from polyguard_env.errors import PolyGuardError
from polyguard_env.evidence.names import WORD, NameFinder
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.names import normalise

if TYPE_CHECKING:
    import bm25s

TERMS = Path(__file__).with_name("terms.csv")
STOPWORDS = Path(__file__).with_name("stopwords.csv")
MANIFEST, PASSAGES, FOLDER = "manifest.json", "passages.parquet", "bm25"
# Passages about a class carry a token for each of its drugs, and profiles are long: length is no fault in either.
K1, B = 1.2, 0.0
# A drug named in the question matters more than any word of it.
DRUG_WEIGHT = 3
# A passage about a pair seldom answers a question about one drug, unless it asks what goes with it.
PAIR_WORDS = frozenset(("interact", "interaction", "combine", "combination", "mix", "mixing", "together", "plus"))
LONE_DRUG_FACTOR = 0.5
# Labels are many and long; the curated tables come first unless the question asks for the label.
LABEL_WORDS = frozenset(("label", "leaflet", "boxed", "adverse", "reaction", "effect", "trial", "indication"))
LABEL_FACTOR = 0.7
# A rule of a whole scale names hundreds of drugs; whoever asks about one of them wants what is said of it.
BROAD_DRUGS, BROAD_FACTOR = 60, 0.75


@cache
def stopwords() -> frozenset[str]:
    """Words that say nothing about what is asked."""
    return frozenset(STOPWORDS.read_text(encoding="utf-8").split()[1:])


@cache
def lay_terms() -> tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]:
    """Lay phrases and the words passages use for them."""
    with TERMS.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    return tuple(
        (re.compile(rf"\b{re.escape(normalise(row['phrase']))}\b"), tuple(word_tokens(row["words"]))) for row in rows
    )


def word_tokens(text: str) -> list[str]:
    """Words without stopwords, plurals made singular."""
    return [_singular(word) for word in WORD.findall(normalise(text)) if word not in stopwords()]


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def drug_token(drug_id: str) -> str:
    """The token that stands for a drug, whatever name the text uses."""
    return f"drug:{drug_id}"


def passage_tokens(text: str, drugs: Sequence[str]) -> list[str]:
    """What a passage is indexed under."""
    return [*word_tokens(text), *map(drug_token, drugs)]


@dataclass(frozen=True, slots=True)
class Hit:
    """A found passage and its score."""

    passage_id: str
    kind: str
    source: str
    year: int
    date: str
    drugs: tuple[str, ...]
    text: str
    score: float


class EvidenceIndex:
    """A searchable corpus.

    Args:
        corpus: passages (see `corpus.COLUMNS`).
        knowledge: whose names are recognised in questions.
    """

    def __init__(self, corpus: pd.DataFrame, knowledge: KnowledgeBase, scorer: bm25s.BM25 | None = None) -> None:
        if corpus.empty:
            raise PolyGuardError("evidence corpus", "empty", "build it from a knowledge base with a formulary")
        self.corpus = corpus.reset_index(drop=True)
        self.finder = NameFinder(knowledge, {drug for drugs in corpus["drugs"] for drug in drugs})
        self._scorer = scorer or _scorer(self.corpus)
        self._from_labels = (self.corpus["kind"] == "label").to_numpy()
        self._broad = (self.corpus["drugs"].map(len) > BROAD_DRUGS).to_numpy()
        self._about_pairs = (self.corpus["kind"] == "interaction").to_numpy()

    def search(self, question: str, most: int = 5) -> list[Hit]:
        """The best passages, best first; ties in the order of the corpus. Empty when no word is known."""
        tokens = [token for token in self.question_tokens(question) if token in self._scorer.vocab_dict]
        if not tokens:
            return []
        scores = self._scorer.get_scores(tokens)
        drugs = {token for token in tokens if token.startswith("drug:")}
        if len(drugs) == 1 and not PAIR_WORDS & set(tokens):
            scores = np.where(self._about_pairs, scores * LONE_DRUG_FACTOR, scores)
        if drugs:
            scores = np.where(self._broad, scores * BROAD_FACTOR, scores)
        if not LABEL_WORDS & set(tokens):
            scores = np.where(self._from_labels, scores * LABEL_FACTOR, scores)
        order = np.lexsort((np.arange(len(scores)), -scores))[:most]
        return [self._hit(int(place), float(scores[place])) for place in order if scores[place] > 0]

    def question_tokens(self, question: str) -> list[str]:
        """Words, their technical equivalents, and recognised drugs."""
        plain = normalise(question)
        found: list[str] = []
        names: set[str] = set()
        for words, drugs in self.finder.spans(question):
            names |= {_singular(word) for word in words}
            found += [drug_token(drug) for drug in drugs] * DRUG_WEIGHT
        words_left = [word for word in word_tokens(question) if word not in names]
        technical = [word for pattern, words in lay_terms() if pattern.search(plain) for word in words]
        return [*words_left, *technical, *found]

    def _hit(self, place: int, score: float) -> Hit:
        row = self.corpus.iloc[place]
        return Hit(
            row["passage_id"], row["kind"], row["source"], int(row["year"]), row["date"], tuple(row["drugs"]),
            row["text"], score,
        )  # fmt: skip

    def save(self, folder: Path) -> dict[str, Any]:
        """Write passages, index and a manifest; the manifest comes last and says what the rest must be."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)
        self.corpus.to_parquet(folder / PASSAGES, index=False)
        self._scorer.save(str(folder / FOLDER), show_progress=False)
        manifest = {"passages": len(self.corpus), "corpus_sha256": corpus_sha256(self.corpus), "k1": K1, "b": B}
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        return manifest

    @classmethod
    def load(cls, folder: Path, knowledge: KnowledgeBase) -> EvidenceIndex:
        """A saved index.

        Raises:
            PolyGuardError: it is missing, or its passages are not those it was made from.
        """
        import bm25s

        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            corpus = pd.read_parquet(folder / PASSAGES)
            scorer = bm25s.BM25.load(str(folder / FOLDER), show_progress=False)
        except (OSError, ValueError) as error:
            raise PolyGuardError("evidence index", folder.name, f"materialize evidence_index ({error})") from error
        if manifest["corpus_sha256"] != corpus_sha256(corpus):
            raise PolyGuardError(
                "evidence index", folder.name, "its passages changed; materialize evidence_index again"
            )
        return cls(corpus, knowledge, scorer)


def _scorer(corpus: pd.DataFrame) -> bm25s.BM25:
    # Imported here: reviewing a regimen needs no search library.
    import bm25s

    scorer = bm25s.BM25(k1=K1, b=B)
    tokens = [passage_tokens(text, drugs) for text, drugs in zip(corpus["text"], corpus["drugs"], strict=True)]
    scorer.index(tokens, show_progress=False)
    return scorer


def corpus_sha256(corpus: pd.DataFrame) -> str:
    """Content hash of the passages."""
    digest = sha256()
    for passage_id, text in zip(corpus["passage_id"], corpus["text"], strict=True):
        digest.update(f"{passage_id}\x1f{text}\x1e".encode())
    return digest.hexdigest()
