"""Reading the packaged CSV tables; a table may be split into fragments (`sources.csv`, `sources_*.csv`)."""

from __future__ import annotations

import csv
from functools import lru_cache
from hashlib import sha256
from importlib import resources
from pathlib import Path

from polyguard_env.errors import PolyGuardError


def tables_folder() -> Path:
    """The folder of packaged tables."""
    return Path(str(resources.files("polyguard_env.knowledge") / "tables"))


@lru_cache(maxsize=64)
def _read(path: Path) -> tuple[dict[str, str], ...]:
    with path.open(encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle)
        rows = []
        for row in reader:
            if None in row or None in row.values():
                raise PolyGuardError(f"{path.name} line {reader.line_num}", dict(row), "give every column one value")
            rows.append({name: value.strip() for name, value in row.items()})
    return tuple(rows)


def read_table(name: str, folder: Path | None = None) -> list[dict[str, str]]:
    """Rows of one table as dicts of text.

    Raises:
        PolyGuardError: the table is missing, or a row has too few or too many cells.
    """
    path = (folder or tables_folder()) / name
    if not path.is_file():
        raise PolyGuardError("table", name, "restore the file under polyguard_env/knowledge/tables")
    return list(_read(path))


def read_fragments(stem: str, folder: Path | None = None) -> list[dict[str, str]]:
    """Rows of `<stem>.csv` and every `<stem>_*.csv` beside it."""
    base = folder or tables_folder()
    paths = [base / f"{stem}.csv", *sorted(base.glob(f"{stem}_*.csv"))]
    return [row for path in paths if path.is_file() for row in _read(path)]


def read_folder(name: str, folder: Path | None = None) -> list[dict[str, str]]:
    """Rows of all tables of a subfolder, in file-name order."""
    base = (folder or tables_folder()) / name
    return [row for path in sorted(base.glob("*.csv")) for row in _read(path)]


def tables_hash(part: str = "") -> str:
    """Content hash of all tables, or of one subfolder's, independent of machine and time stamps."""
    base = tables_folder() / part
    digest = sha256()
    for path in sorted(base.rglob("*.csv")):
        digest.update(path.relative_to(base).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
