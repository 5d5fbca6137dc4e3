"""`python -m polyguard_env collect-names`: FDA's names list to `brands.csv` and `combinations_fda.csv`."""

from __future__ import annotations

import argparse
import csv
import os
from pathlib import Path

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.formulary import formulary_rows, split
from polyguard_env.knowledge.names import NameIndex, normalise
from polyguard_env.knowledge.tabular import read_fragments, read_table, tables_folder
from polyguard_env.knowledge.unii import new_names, read_unii
from polyguard_env.knowledge.wheels import UNII_NAMES, fetch_wheel

BRANDS, PRODUCTS = "brands.csv", "combinations_fda.csv"
SOURCE, YEAR = "fda_unii", "2025"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--wheels", type=Path, default=Path("data_lake/raw/wheels"), help="folder of pinned wheels")
    parser.add_argument("--out", type=Path, default=None, help="folder of the two tables (the packaged ones)")


def run(arguments: argparse.Namespace) -> int:
    """Write both tables; the knowledge must be rebuilt after."""
    knowledge = KnowledgeBase.default()
    known = without_collected(knowledge)
    interacting = {*knowledge.interactions()["drug_a"], *knowledge.interactions()["drug_b"]}
    medicines = {d.drug_id for d in knowledge.drugs.values() if d.profile or d.classes or d.drug_id in interacting}
    prescribed = {
        normalise(name): row["drug_id"] for row in formulary_rows() for name in (row["name"], *split(row["brands"]))
    }
    single, whole = new_names(read_unii(fetch_wheel(UNII_NAMES, arguments.wheels)), known, medicines, prescribed)
    for row in read_fragments("ambiguous"):
        single.pop(row["name"], None)
    out = arguments.out or tables_folder()
    out.mkdir(parents=True, exist_ok=True)
    _write(out / BRANDS, ("name", "drug_id"), list(single.items()))
    _write(out / PRODUCTS, ("name", "drug_ids"), [(name, ";".join(parts)) for name, parts in whole.items()])
    print(f"{len(single)} names, {len(whole)} combination products; now run 'python -m polyguard_env build-knowledge'")
    return 0


def without_collected(knowledge: KnowledgeBase) -> NameIndex:
    """The names in force without those an earlier run collected."""
    brands = {row["name"] for row in read_table(BRANDS)} if (tables_folder() / BRANDS).is_file() else set()
    products = {row["name"] for row in read_table(PRODUCTS)} if (tables_folder() / PRODUCTS).is_file() else set()
    return NameIndex(
        {name: drug_id for name, drug_id in knowledge.names.items() if name not in brands},
        {name: parts for name, parts in knowledge.names.combinations() if name not in products},
    )


def _write(path: Path, columns: tuple[str, str], rows: list[tuple[str, str]]) -> None:
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow([*columns, "source", "year"])
        writer.writerows((*row, SOURCE, YEAR) for row in rows)
    os.replace(part, path)
