"""`python -m polyguard_env build-knowledge`: tables and pinned sources to the packaged snapshot."""

from __future__ import annotations

import argparse
from pathlib import Path

from polyguard_env.knowledge.base import TABLES, snapshot_folder
from polyguard_env.knowledge.compile import compile_knowledge, read_sources
from polyguard_env.knowledge.validate import validate_tables


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--wheels", type=Path, default=Path("data_lake/raw/wheels"), help="folder of pinned wheels")
    parser.add_argument("--out", type=Path, default=None, help="snapshot folder (the packaged one by default)")


def run(arguments: argparse.Namespace) -> int:
    """Build and save; prints the counts."""
    knowledge = compile_knowledge(*read_sources(arguments.wheels))
    rows = validate_tables(knowledge.drugs)
    knowledge.save(arguments.out or snapshot_folder())
    counts = ", ".join(f"{len(knowledge.tables[name])} {name}" for name in TABLES)
    print(f"knowledge {knowledge.fingerprint}: {counts}; {rows} table rows valid")
    return 0
