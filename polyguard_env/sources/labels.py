"""What label sources have in common: the sections of interest and the shape of a label text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

COLUMNS = ("record", "date", "names", "rxcuis", "section", "text", "url")
SECTIONS = (
    "boxed_warning", "indications_and_usage", "dosage_and_administration", "contraindications",
    "warnings_and_cautions", "warnings", "precautions", "drug_interactions", "adverse_reactions", "geriatric_use",
    "use_in_specific_populations",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LabelText:
    """One section of one label.

    Attributes:
        record: set id, or file and line. date: effective date (YYYY-MM-DD) or "".
        names: generic names, else brand names. rxcuis: RxNorm ids where given.
        section: one of `SECTIONS`.
        url: where it came from, or "".
    """

    record: str
    date: str
    names: tuple[str, ...]
    rxcuis: tuple[str, ...]
    section: str
    text: str
    url: str = ""


def labels_frame(texts: Iterable[LabelText]) -> pd.DataFrame:
    """One row per section."""
    rows = [(t.record, t.date, list(t.names), list(t.rxcuis), t.section, t.text, t.url) for t in texts]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def section_of(name: str) -> str:
    """The section a heading means, or ""."""
    plain = re.sub(r"[^a-z]+", "_", name.lower()).strip("_").replace("boxed_warnings", "boxed_warning")
    aliases = {"warnings_and_precautions": "warnings_and_cautions"}
    plain = aliases.get(plain, plain)
    return plain if plain in SECTIONS else ""


def iso_date(text: str) -> str:
    """YYYY-MM-DD of a label's YYYYMMDD (or longer); "" when it is none."""
    digits = text[:8]
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if len(digits) == 8 and digits.isdecimal() else ""


def one_line(text: str) -> str:
    """Text with single spaces."""
    return re.sub(r"\s+", " ", text).strip()
