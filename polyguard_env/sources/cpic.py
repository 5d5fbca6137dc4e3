"""CPIC's gene-drug pairs: the published table (comma or tab separated) or the API's pair_view (JSON)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from polyguard_env.errors import PolyGuardError
from polyguard_env.sources.supplied import Files, Wanted, one_of, open_text, read_rows

SOURCE = "cpic"
FILES = (Wanted("pairs", ("*cpic*.csv", "*cpic*.tsv", "*cpic*.txt", "*pair*.csv", "*pair*.tsv", "*.json")),)
COLUMNS = ("gene", "drug", "rxcui", "level", "guideline")
LEVELS = {level: level for level in ("A", "A/B", "B", "B/C", "C", "C/D", "D")}


def read(files: Files) -> pd.DataFrame:
    """Every pair once, with CPIC's level of evidence and action.

    Raises:
        PolyGuardError: a malformed row or object, named by file, line (or place) and field.
    """
    rows: dict[tuple[str, str], tuple[str, str, str, str, str]] = {}
    for path in files["pairs"]:
        for row in _objects(path) if path.suffix == ".json" else _lines(path):
            rows.setdefault((row[0], row[1]), row)
    return pd.DataFrame(list(rows.values()), columns=list(COLUMNS))


def _lines(path: Path) -> list[tuple[str, str, str, str, str]]:
    rows = []
    delimiter = "," if path.suffix == ".csv" else "\t"
    for line, row in read_rows(path, ("Gene", "Drug", "CPIC Level"), ("Guideline",), delimiter):
        level = one_of(path, line, "CPIC Level", row["CPIC Level"].strip(), LEVELS)
        for field in ("Gene", "Drug"):
            one_of(path, line, field, "name" if row[field].strip() else "", {"name": ""})
        rows.append((row["Gene"].strip(), row["Drug"].strip(), "", level, row["Guideline"].strip()))
    return rows


def _objects(path: Path) -> list[tuple[str, str, str, str, str]]:
    try:
        with open_text(path) as handle:
            pairs = json.load(handle)
    except (OSError, ValueError) as error:
        raise PolyGuardError(path.name, str(error), "give the JSON of CPIC's pair_view") from error
    if not isinstance(pairs, list):
        raise PolyGuardError(path.name, type(pairs).__name__, "give a list of pairs")
    return [_pair(path, number, pair) for number, pair in enumerate(pairs)]


def _pair(path: Path, number: int, pair: Any) -> tuple[str, str, str, str, str]:
    place = f"{path.name} pair[{number}]"
    if not isinstance(pair, dict):
        raise PolyGuardError(place, pair, "give an object")
    for field in ("genesymbol", "drugname", "cpiclevel"):
        if not isinstance(pair.get(field), str) or not pair[field]:
            raise PolyGuardError(f"{place}, {field}", pair.get(field), "give a text")
    if pair["cpiclevel"] not in LEVELS:
        raise PolyGuardError(f"{place}, cpiclevel", pair["cpiclevel"], f"use one of {', '.join(LEVELS)}")
    system, _, rxcui = str(pair.get("drugid") or "").partition(":")
    guideline = str(pair.get("guidelinename") or "")
    return pair["genesymbol"], pair["drugname"], rxcui if system == "RxNorm" else "", pair["cpiclevel"], guideline
