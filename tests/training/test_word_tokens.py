"""The table of words' tokens against a tokenizer of the embedded model's kind, trained on the words themselves."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from polyguard_assets.training import word_tokens
from polyguard_env.environment import pieces
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS, make_id
from polyguard_env.knowledge.base import KnowledgeBase


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tokenizer]:
    """A small tokenizer over bytes that parts texts as the embedded model's does, and its folder."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    trainer = trainers.BpeTrainer(
        vocab_size=2_000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    found = word_tokens.words(KnowledgeBase.default())
    made.train_from_iterator([*found, *(f" {word}" for word in found), *["a): ( + ? …"] * 900], trainer)
    folder = tmp_path_factory.mktemp("base")
    made.save(str(folder / "tokenizer.json"))
    return folder, made


def test_texts_are_counted_as_the_tokenizer_counts_them(
    tokenizer: tuple[Path, Tokenizer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, made = tokenizer
    out = tmp_path / "word_tokens.csv"
    assert word_tokens.main(["--model", str(folder), "--out", str(out)]) == 0
    with out.open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["word"] for row in rows] == sorted({row["word"] for row in rows}) and len(rows) > 3_000
    table = {row["word"]: int(row["at_start"]) for row in rows}
    table |= {f" {row['word']}": int(row["after_space"]) for row in rows}
    env = PolyGuardEnv()
    texts = [
        env.reset(seed=1, scenario_id=make_id("train", name, level, number)).text
        for name in SUB_ENVIRONMENTS
        for level in DIFFICULTIES
        for number in range(4)
        if name != "NEW_DRUG_DECOMPOSITION"
    ]
    monkeypatch.setattr(pieces, "_words", lambda: table)
    counts = [(pieces.counted_tokens(text), len(made.encode(text).ids)) for text in texts]
    assert all(count >= real for count, real in counts)
    assert sum(count == real for count, real in counts) > 0.9 * len(counts)


def test_the_packaged_table_has_the_words_of_drugs_and_roles() -> None:
    known = pieces._words()
    assert all(known[word] >= 1 for word in (" warfarin", "warfarin", " bleed", " finish", "Options"))
    assert known["isosorbide"] > pieces.estimated_tokens("isosorbide")


def test_a_folder_without_a_tokenizer_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "word_tokens.csv"
    assert word_tokens.main(["--model", str(tmp_path), "--out", str(out)]) == 2
    assert capsys.readouterr().err.startswith("error: model:") and not out.exists()
