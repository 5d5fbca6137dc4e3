"""The tables: valid as packaged, and one clear error naming file, row and column when not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.tabular import tables_folder
from polyguard_env.knowledge.validate import validate_tables


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return KnowledgeBase.default()


def test_the_packaged_tables_are_valid(knowledge: KnowledgeBase) -> None:
    assert validate_tables(knowledge.drugs) > 2_000


@pytest.mark.parametrize(
    ("table", "row", "column"),
    [
        ("synonyms.csv", "coumadinum,warfarin,nosuch,2024", "source"),
        ("synonyms.csv", "coumadinum,warfarin,who_inn,20240", "year"),
        ("classes.csv", "new_class,cardiovascular,New class,C,,2024", "source"),
        ("classes.csv", "new_class,cardiovascular,New class,C,nosuch,2024", "source"),
        ("classes.csv", "new_class,cardiovascular,New class,C,who_atc,", "year"),
        ("conditions.csv", "new_condition,New condition,I10,,2024", "source"),
        ("conditions.csv", "new_condition,New condition,I10,icd10cm2025,", "year"),
        ("conditions_rules.csv", "new_condition,New condition,I10,icd10,2024", "source"),
        ("measurements.csv", "new,New,mg/dL,0,9,polyguard_limits,2026,1,2,,2026", "source"),
        ("measurements.csv", "new,New,mg/dL,0,9,,2026,1,2,abim2026,2026", "limits_source"),
        ("measurements_rules.csv", "new,New,mg/dL,0,9,polyguard_limits,,1,2,abim2026,2026", "limits_year"),
        ("measurements.csv", "new,New,mg/dL,0,nine,polyguard_limits,2026,1,2,abim2026,2026", "high"),
        ("condition_priority.csv", "hypertension,1.0,BP,,2026", "source"),
        ("prevalence.csv", "hypertension,0.6,0.6,0.2,0.5,,,2022", "source"),
        ("units.csv", "creatinine,nmol/L,0.00001,0,ama2020,", "year"),
        ("sources.csv", "new2024,,Publisher,2024,facts only", "title"),
        ("sources.csv", "new2024,Title,Publisher,n.d.,facts only", "year"),
        ("sources.csv", "beers2023,Title,Publisher,2023,facts only", "source"),
        ("class_members.csv", "no_such_class,warfarin,who_atc,2024", "class_id"),
        ("class_members.csv", "ssris,no_such_drug,who_atc,2024", "drug_ids"),
        ("rules/interactions_labels.csv",
         "x1,drug:warfarin,drug:nosuch,major,bleeding,e,avoid,,,fda_label,2024,strong,", "side_b"),
        ("rules/interactions_labels.csv",
         "x1,drug:warfarin,drug:aspirin,severe,bleeding,e,avoid,,,fda_label,2024,strong,", "severity"),
        ("rules/interactions_labels.csv",
         "x1,drug:warfarin,drug:aspirin,major,bleeding,e,perhaps,,,fda_label,2024,strong,", "management"),
        ("rules/interactions_labels.csv",
         "class001,drug:warfarin,drug:aspirin,major,bleeding,e,avoid,,,fda_label,2024,strong,", "rule_id"),
        ("rules/interactions_labels.csv",
         "x1,drug:warfarin,role:3A4:inhibitor:mighty,major,bleeding,e,avoid,,,fda_label,2024,strong,", "side_b"),
        ("rules/interactions_labels.csv",
         "x1,drug:warfarin,warfarin,major,bleeding,e,avoid,,,fda_label,2024,strong,", "side_b"),
        ("synonyms.csv", "coumadinum,warfrin,who_inn,2024", "drug_id"),
        ("roles.csv", "warfrin,,known,,crediblemeds,2023", "drug_id"),
        ("derivation.csv", "bleeding,nan,3,major,bleeding,beers2023,2023", "least_low"),
        ("derivation.csv", "bleeding,two,3,major,bleeding,beers2023,2023", "least_low"),
    ],
)  # fmt: skip
def test_a_bad_cell_names_file_row_and_column(
    knowledge: KnowledgeBase, tmp_path: Path, table: str, row: str, column: str
) -> None:
    target = tmp_path / table
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(tables_folder() / table, target)
    lines = target.read_text(encoding="utf-8").splitlines()
    target.write_text("\n".join([*lines, row]) + "\n", encoding="utf-8")
    with pytest.raises(PolyGuardError, match=rf"{table}, row {len(lines) + 1}, {column}"):
        validate_tables(knowledge.drugs, tmp_path)


def test_a_row_with_too_few_cells_is_refused(knowledge: KnowledgeBase, tmp_path: Path) -> None:
    (tmp_path / "roles.csv").write_text("drug_id,cyp,source\nwarfarin,2C9\n", encoding="utf-8")
    with pytest.raises(PolyGuardError, match=r"roles\.csv, row 2"):
        validate_tables(knowledge.drugs, tmp_path)


def test_a_table_without_a_source_column_is_refused(knowledge: KnowledgeBase, tmp_path: Path) -> None:
    """Whatever the table is called: nothing but the list of sources goes without."""
    (tmp_path / "doses.csv").write_text("drug_id,dose\nwarfarin,5\n", encoding="utf-8")
    with pytest.raises(PolyGuardError, match=r"doses\.csv, row 2, source"):
        validate_tables(knowledge.drugs, tmp_path)
