"""`python -m polyguard_env collect-rxcuis`: RxNorm ids of pinned value sets to `identifiers_valuesets.csv`."""

from __future__ import annotations

import argparse
import csv
import os
from pathlib import Path

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.rxnorm_values import ingredient_ids, read_concepts
from polyguard_env.knowledge.tabular import read_table, tables_folder
from polyguard_env.knowledge.wheels import RXNORM_VALUES, fetch_wheel

TABLE = "identifiers_valuesets.csv"
SOURCE, YEAR = "rxnorm_valuesets", "2026"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--wheels", type=Path, default=Path("data_lake/raw/wheels"), help="folder of pinned wheels")
    parser.add_argument("--out", type=Path, default=None, help="folder of the table (the packaged one)")


def run(arguments: argparse.Namespace) -> int:
    """Write the table; the knowledge must be rebuilt after."""
    # RxNorm's ingredient of an acid may be its salt ("ethacrynate"); what was looked up by hand stands.
    held = {row["drug_id"] for row in read_table("identifiers.csv") if row["rxcui"]}
    own = {drug.drug_id: drug.name for drug in KnowledgeBase.default().drugs.values() if drug.drug_id not in held}
    found = ingredient_ids(read_concepts(fetch_wheel(RXNORM_VALUES, arguments.wheels)), own)
    out = arguments.out or tables_folder()
    out.mkdir(parents=True, exist_ok=True)
    part = (out / TABLE).with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(("drug_id", "rxcui", "drugbank_id", "source", "year"))
        writer.writerows((drug_id, rxcui, "", SOURCE, YEAR) for drug_id, rxcui in found.items())
    os.replace(part, out / TABLE)
    print(f"{len(found)} RxNorm ids; now run 'python -m polyguard_env build-knowledge'")
    return 0
