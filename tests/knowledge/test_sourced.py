"""Every clinical fact names its source and year, in every table; classes say what they are from."""

from __future__ import annotations

import csv
import re
import subprocess
from pathlib import Path

import pytest

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge import build
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.build import build_classes, class_tree
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.knowledge.validate import is_year
from polyguard_env.sources.catalogue import catalogue

ROOT = Path(__file__).parents[2]
# Tables that state nothing about a drug, a person or a disease.
NO_CLINICAL_FACT = {
    ".ci/audit_ignored.csv": "advisories of packages",
    "polyguard_assets/io/schemas.csv": "columns of assets",
    "polyguard_assets/training/model_runs.csv": "training settings",
    "polyguard_env/environment/word_tokens.csv": "tokens of words",
    "polyguard_env/evidence/body_substances.csv": "names that a search must not take for a drug",
    "polyguard_env/evidence/lay_conditions.csv": "lay phrases of the search questions",
    "polyguard_env/evidence/questions.csv": "sentences of the search questions",
    "polyguard_env/evidence/stopwords.csv": "words a search passes over",
    "polyguard_env/evidence/terms.csv": "lay words and the words searched for them",
    "tests/knowledge/free_text_names.csv": "names as people write them",
    "tests/knowledge/misspelt.csv": "misspellings and the names meant",
    "tests/knowledge/medication_lists.csv": "names as medication lists have them",
    "tests/patients/conditions_in_use.csv": "conditions as lists have them, with those meant",
    "tests/patients/directions.csv": "directions as people write them, with their doses",
}
ATC = re.compile(r"[A-Z](\d\d([A-Z]([A-Z](\d\d)?)?)?)?")


def tables() -> list[str]:
    told = subprocess.run(["git", "ls-files", "*.csv"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in told.stdout.split() if name not in NO_CLINICAL_FACT]


@pytest.mark.parametrize("name", tables())
def test_every_row_names_a_known_source_and_its_year(name: str) -> None:
    known = {row["source"] for row in read_fragments("sources")} | set(catalogue())
    with (ROOT / name).open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert rows
    for number, row in enumerate(rows, start=2):
        cell = row["sources" if "sources" in row else "source"]
        assert cell, f"{name} row {number}"
        # A worked example is cited in full, not by key.
        if name != "tests/risk/worked_examples.csv":
            assert set(cell.split(";")) <= known, f"{name} row {number}: {cell}"
            assert is_year(row["year"]), f"{name} row {number}: {row['year']}"


def test_every_exempt_table_exists() -> None:
    assert [name for name in NO_CLINICAL_FACT if not (ROOT / name).is_file()] == []


def test_the_atc_groups_a_class_is_from_hold_its_drugs() -> None:
    """Every drug of a class that has an ATC code has one in a group that the class names."""
    knowledge = KnowledgeBase.default()
    astray = []
    for node in class_tree().values():
        groups = tuple(node.origin.split(";"))
        if not all(ATC.fullmatch(group) for group in groups):
            assert node.source != "who_atc", f"{node.class_id}: {node.origin} is no ATC group"
            continue
        assert node.source in ("who_atc", "polyguard_classes"), node.class_id
        coded = {drug_id: knowledge.drugs[drug_id].atc for drug_id in knowledge.drugs_in_class(node.class_id)}
        astray += [
            (node.class_id, drug_id, codes)
            for drug_id, codes in coded.items()
            if codes and not any(code.startswith(groups) for code in codes)
        ]
    assert astray == []


def test_memberships_carry_the_source_of_their_class() -> None:
    frame = KnowledgeBase.default().tables["classes"]
    tree = class_tree()
    assert len(frame) > 4_000
    held = frame.drop_duplicates("class_id").itertuples()
    assert all((row.source, row.year) == (tree[row.class_id].source, tree[row.class_id].year) for row in held)


@pytest.mark.parametrize("column", ["origin", "source", "year"])
def test_a_class_without_origin_source_or_year_is_not_built(monkeypatch: pytest.MonkeyPatch, column: str) -> None:
    row = {"class_id": "x", "parent_id": "", "name": "X", "origin": "C", "source": "who_atc", "year": "2024"}
    monkeypatch.setattr(build, "read_fragments", lambda stem: [row | {column: ""}])
    with pytest.raises(PolyGuardError, match=f"classes.csv x {column}"):
        build_classes(KnowledgeBase.default().tables["vocabulary"].head(1))
