"""RxNorm's Rich Release Format: names of ingredients, salts, combinations and brands, and what they hold.

`RXNCONSO.RRF` has the names, `RXNREL.RRF` the relations. A relation row reads "second concept RELA first
concept". A comma-separated extract with columns rxcui and rxnorm_name is read too.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from polyguard_env.errors import PolyGuardError
from polyguard_env.sources.supplied import Files, Wanted, read_pipe_rows, read_rows

SOURCE = "rxnorm"
FILES = (
    Wanted("names", ("rxnconso.rrf", "rxnconso.rrf.gz", "rxnorm_ingredients.csv")),
    Wanted("relations", ("rxnrel.rrf", "rxnrel.rrf.gz"), required=False),
)
COLUMNS = ("rxcui", "name", "term_type", "ingredients", "drugbank_id")
CONSO = {"RXCUI": 0, "LAT": 1, "SAB": 11, "TTY": 12, "STR": 14, "SUPPRESS": 16}
CONSO_WIDTH = 18
REL = {"RXCUI1": 0, "RXCUI2": 4, "RELA": 7, "SAB": 10, "SUPPRESS": 14}
REL_WIDTH = 16
# Ingredient, precise ingredient (salt), multiple ingredients, brand name; synonyms of these are kept too.
TERM_TYPES = ("IN", "PIN", "MIN", "BN")
HOLDS = {"has_part", "tradename_of", "form_of", "has_ingredient"}


def read(files: Files) -> pd.DataFrame:
    """Names with the ingredient concepts (RxCUI of type IN) they stand for.

    Raises:
        PolyGuardError: a malformed line, or an RxCUI that is no number.
    """
    extracts = [path for path in files["names"] if path.name.lower().endswith(".csv")]
    releases = [path for path in files["names"] if path not in extracts]
    frames = [_extract(path) for path in extracts]
    if releases:
        frames.append(_release(releases, files["relations"]))
    return pd.concat(frames, ignore_index=True)


def _extract(path: Path) -> pd.DataFrame:
    rows = []
    for line, row in read_rows(path, ("rxcui", "rxnorm_name"), ("drugbank_id",)):
        rxcui = _rxcui(path, line, "rxcui", row["rxcui"])
        rows.append((rxcui, row["rxnorm_name"], "IN", [rxcui], row["drugbank_id"]))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _release(names: list[Path], relations: tuple[Path, ...]) -> pd.DataFrame:
    kinds: dict[str, str] = {}
    texts: dict[tuple[str, str], str] = {}
    for path in names:
        for line, row in read_pipe_rows(path, CONSO, CONSO_WIDTH):
            if row["SAB"] != "RXNORM" or row["LAT"] != "ENG" or row["SUPPRESS"] not in ("N", ""):
                continue
            rxcui = _rxcui(path, line, "RXCUI", row["RXCUI"])
            if row["TTY"] in TERM_TYPES:
                kinds[rxcui] = row["TTY"]
            if row["TTY"] in (*TERM_TYPES, "SY", "TMSY"):
                texts.setdefault((rxcui, row["STR"]), row["TTY"])
    held = _ingredients(kinds, relations)
    rows = [
        (rxcui, name, kind, sorted(held.get(rxcui, ())), "") for (rxcui, name), kind in texts.items() if rxcui in kinds
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _ingredients(kinds: dict[str, str], relations: tuple[Path, ...]) -> dict[str, set[str]]:
    direct: dict[str, set[str]] = {rxcui: {rxcui} for rxcui, kind in kinds.items() if kind == "IN"}
    parts: dict[str, set[str]] = {}
    for path in relations:
        for line, row in read_pipe_rows(path, REL, REL_WIDTH):
            if row["RELA"] not in HOLDS or row["SAB"] != "RXNORM":
                continue
            whole = _rxcui(path, line, "RXCUI2", row["RXCUI2"])
            part = _rxcui(path, line, "RXCUI1", row["RXCUI1"])
            if whole in kinds and part in kinds:
                parts.setdefault(whole, set()).add(part)
    found = dict(direct)
    for rxcui in kinds:
        if rxcui not in found:
            found[rxcui] = _leaves(rxcui, parts, direct, frozenset())
    return found


def _leaves(rxcui: str, parts: dict[str, set[str]], direct: dict[str, set[str]], seen: frozenset[str]) -> set[str]:
    if rxcui in direct:
        return direct[rxcui]
    inner = (part for part in parts.get(rxcui, ()) if part not in seen)
    return {leaf for part in inner for leaf in _leaves(part, parts, direct, seen | {rxcui})}


def _rxcui(path: Path, line: int, field: str, text: str) -> str:
    if not text.isdecimal():
        raise PolyGuardError(f"{path.name} line {line}, {field}", text, "give an RxNorm concept id (a number)")
    return text
