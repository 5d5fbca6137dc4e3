"""DDInter's public downloads: graded pairs by ATC group.

Licence CC BY-NC-SA 4.0: supplied by the user, never packaged. The level "Unknown" is not a positive.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from polyguard_env.sources.supplied import Files, Wanted, one_of, read_rows

SOURCE = "ddinter"
FILES = (Wanted("pairs", ("ddinter_downloads_code_*.csv", "ddinter*.csv", "ddinter*.csv.gz")),)
COLUMNS = ("name_a", "name_b", "severity", "source_id", "file")
LEVELS = {"Major": "major", "Moderate": "moderate", "Minor": "minor", "Unknown": ""}


def read(files: Files) -> pd.DataFrame:
    """Every pair of every file once, graded "major", "moderate", "minor" or "" (unknown).

    Raises:
        PolyGuardError: a malformed row, named by file, line and field.
    """
    found: dict[tuple[str, str], tuple[str, str, str]] = {}
    for path in files["pairs"]:
        _read_into(found, path)
    rows = [(*names, *rest) for names, rest in found.items()]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _read_into(found: dict[tuple[str, str], tuple[str, str, str]], path: Path) -> None:
    columns = ("DDInterID_A", "Drug_A", "DDInterID_B", "Drug_B", "Level")
    for line, row in read_rows(path, columns):
        severity = one_of(path, line, "Level", row["Level"], LEVELS)
        for field in ("Drug_A", "Drug_B"):
            one_of(path, line, field, "name" if row[field].strip() else "", {"name": ""})
        a, b = sorted(((row["Drug_A"].strip(), row["DDInterID_A"]), (row["Drug_B"].strip(), row["DDInterID_B"])))
        found.setdefault((a[0], b[0]), (severity, f"{a[1]}+{b[1]}", path.name))
