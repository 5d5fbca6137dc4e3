"""The corpus and its search: sourced passages, recall on questions, no held-out pair for training."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from polyguard_assets.defs.evidence.assets import leaking_passages, passages_are_sourced
from polyguard_env.__main__ import main
from polyguard_env.environment.splits import pair_split
from polyguard_env.errors import PolyGuardError
from polyguard_env.evidence.corpus import CorpusBuilder, frame_of, training_passages
from polyguard_env.evidence.labels import label_passages, newest, pieces
from polyguard_env.evidence.names import NameFinder
from polyguard_env.evidence.questions import make_questions, recall
from polyguard_env.evidence.search import EvidenceIndex, word_tokens
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.risk.index import RuleIndex
from polyguard_env.sources.join import TEXTS


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return KnowledgeBase.default()


@pytest.fixture(scope="module")
def builder(knowledge: KnowledgeBase) -> CorpusBuilder:
    return CorpusBuilder(knowledge)


@pytest.fixture(scope="module")
def corpus(builder: CorpusBuilder) -> pd.DataFrame:
    return frame_of(builder.from_tables())


@pytest.fixture(scope="module")
def index(corpus: pd.DataFrame, knowledge: KnowledgeBase) -> EvidenceIndex:
    return EvidenceIndex(corpus, knowledge)


def test_every_passage_has_id_source_year_and_drugs(corpus: pd.DataFrame, knowledge: KnowledgeBase) -> None:
    assert passages_are_sourced(corpus).passed
    assert not passages_are_sourced(corpus.assign(source="")).passed
    assert not passages_are_sourced(pd.concat([corpus, corpus.head(1)])).passed
    assert {drug for drugs in corpus["drugs"] for drug in drugs} <= set(knowledge.drugs)
    assert set(corpus["kind"]) >= {"interaction", "profile", "renal", "taper", "drug_disease", "omission"}


def test_every_formulary_interaction_has_its_passage(corpus: pd.DataFrame, knowledge: KnowledgeBase) -> None:
    edges = knowledge.interactions()
    known = {drug_id for drug_id, drug in knowledge.drugs.items() if drug.profile}
    expected = edges["drug_a"].isin(known) & edges["drug_b"].isin(known)
    assert int((corpus["kind"] == "interaction").sum()) == int(expected.sum())


@pytest.mark.parametrize(
    ("question", "passage"),
    [
        ("can I mix Coumadin and Advil?", "interaction:ibuprofen+warfarin"),
        ("WARFARIN SODIUM with ibuprofène", "interaction:ibuprofen+warfarin"),
        ("Glucophage when the kidneys fail", "renal001"),
        ("facts about Xarelto", "profile:rivaroxaban"),
    ],
)
def test_plain_questions_find_their_passage(index: EvidenceIndex, question: str, passage: str) -> None:
    assert passage in [hit.passage_id for hit in index.search(question)]


def test_recall_at_five(corpus: pd.DataFrame, knowledge: KnowledgeBase, index: EvidenceIndex) -> None:
    questions = make_questions(corpus, knowledge, per_kind=60, seed=11)
    found, _ = recall(index, questions)
    assert found["all"] >= 0.95 and found["other names"] >= 0.95
    assert sum(question.other_name for question in questions) > 50
    assert make_questions(corpus, knowledge, per_kind=60, seed=11) == questions


def test_questions_are_worded_unlike_passages(corpus: pd.DataFrame, knowledge: KnowledgeBase) -> None:
    texts = dict(zip(corpus["passage_id"], corpus["text"]))
    for question in make_questions(corpus, knowledge, per_kind=20, seed=3):
        words = set(word_tokens(question.text))
        assert len(words & set(word_tokens(texts[min(question.answers)]))) < len(words), question


def test_search_that_ignores_the_question_would_fail(corpus: pd.DataFrame, knowledge: KnowledgeBase) -> None:
    shuffled = corpus.assign(passage_id=list(reversed(corpus["passage_id"])))
    questions = make_questions(corpus, knowledge, per_kind=10, seed=3)
    assert recall(EvidenceIndex(shuffled, knowledge), questions)[0]["all"] < 0.1


def test_nothing_known_finds_nothing(index: EvidenceIndex) -> None:
    assert index.search("zzyzx qwerty") == [] and index.search("") == []


def test_training_text_names_no_held_out_pair(corpus: pd.DataFrame, knowledge: KnowledgeBase) -> None:
    kept = training_passages(corpus)
    assert 0 < len(kept) < len(corpus)
    assert leaking_passages(kept, knowledge) == []
    held = corpus[corpus["split"] == "holdout"]
    assert set(leaking_passages(held.head(20), knowledge)) == set(held["passage_id"].head(20))


def label(text: str, drugs: list[str]) -> pd.DataFrame:
    row = ("openfda", 2023, "set-1", "2023-05-01", drugs, ["X"], "drug_interactions", text, "", bool(drugs))
    return pd.DataFrame([row], columns=list(TEXTS))


def held_out_pair(knowledge: KnowledgeBase, builder: CorpusBuilder) -> tuple[str, str]:
    edges = knowledge.interactions()
    index = RuleIndex(knowledge)
    both = (
        (a, b) for a, b in zip(edges["drug_a"], edges["drug_b"]) if a in builder.formulary and b in builder.formulary
    )
    return next(pair for pair in both if pair_split(*pair, index) == "holdout")


def test_a_label_that_names_a_held_out_pair_is_marked(knowledge: KnowledgeBase, builder: CorpusBuilder) -> None:
    a, b = held_out_pair(knowledge, builder)
    text = f"Take care with {knowledge.drugs[b].name}."
    (passage,) = label_passages(label(text, [a]), builder)
    assert passage.split == "holdout" and passage.date == "2023-05-01" and passage.source == "openfda"
    frame = frame_of([passage])
    assert training_passages(frame).empty
    assert leaking_passages(frame, knowledge) == [passage.passage_id]
    assert list(label_passages(label(text, []), builder)) == []


def test_only_the_newest_labels_of_a_drug_are_kept() -> None:
    many = pd.concat([label(f"Text {n}.", ["warfarin"]).assign(date=f"202{n}-01-01") for n in range(6)])
    kept = newest(many.reset_index(drop=True))
    assert sorted(kept["date"]) == ["2023-01-01", "2024-01-01", "2025-01-01"]


def test_long_labels_are_cut_at_sentences() -> None:
    text = "One two three. " * 200
    cut = pieces(text, most=50)
    assert all(len(piece.split()) <= 50 and piece.endswith("three.") for piece in cut)
    assert " ".join(cut).split() == text.split()
    assert len(pieces("word " * 120, most=50)) == 3 and pieces("") == []


def test_names_are_found_longest_first(knowledge: KnowledgeBase) -> None:
    finder = NameFinder(knowledge)
    assert finder.find("acetylsalicylic acid, then Coumadin and coumadin") == ("aspirin", "warfarin")
    assert finder.find("warfarn") == ()


def test_an_index_comes_back_as_it_was(index: EvidenceIndex, knowledge: KnowledgeBase, tmp_path: Path) -> None:
    index.save(tmp_path)
    again = EvidenceIndex.load(tmp_path, knowledge)
    question = "Is quitting Xanax cold turkey dangerous?"
    assert again.search(question) == index.search(question)
    changed = index.corpus.assign(text="other")
    changed.to_parquet(tmp_path / "passages.parquet", index=False)
    with pytest.raises(PolyGuardError, match="passages changed"):
        EvidenceIndex.load(tmp_path, knowledge)
    with pytest.raises(PolyGuardError, match="materialize evidence_index"):
        EvidenceIndex.load(tmp_path / "none", knowledge)


def test_the_command_prints_passages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evidence", "--query", "Coumadin with Advil", "--most", "1"]) == 0
    shown = capsys.readouterr().out
    assert "interaction:ibuprofen+warfarin" in shown and "Not a medical device" in shown
    assert main(["evidence", "--query", " "]) == 2
    assert "--query" in capsys.readouterr().err
