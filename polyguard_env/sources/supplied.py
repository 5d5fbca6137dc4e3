"""Finding supplied files and reading their rows; every error names the file, the line and the field."""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import IO

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.wheels import file_sha256

IGNORED = ("source*.txt", "readme*", "*licen[cs]e*", ".*", "*.md")
csv.field_size_limit(min(sys.maxsize, 1 << 30))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file (or files) a source consists of.

    Attributes:
        name: what the reader calls it.
        patterns: file-name patterns, any case.
        required: without it the supply is incomplete.
    """

    name: str
    patterns: tuple[str, ...]
    required: bool = True


Files = Mapping[str, tuple[Path, ...]]


def find_files(source: str, location: Path, wanted: Sequence[Wanted]) -> dict[str, tuple[Path, ...]]:
    """The source's files under `location` (a folder, or the one file); empty when nothing was supplied.

    Raises:
        PolyGuardError: some files are there but a required one is missing.
    """
    if location.is_file():
        present = [location]
    elif location.is_dir():
        present = sorted(path for path in location.rglob("*") if path.is_file() and not _ignored(path.name))
    else:
        present = []
    if not present:
        return {}
    found = {
        part.name: tuple(p for p in present if any(fnmatch(p.name.lower(), each.lower()) for each in part.patterns))
        for part in wanted
    }
    for part in wanted:
        if part.required and not found[part.name]:
            names = ", ".join(path.name for path in present[:5])
            raise PolyGuardError(f"{source} files", names, f"supply {' or '.join(part.patterns)} as published")
    return found


def _ignored(name: str) -> bool:
    return any(fnmatch(name.lower(), pattern) for pattern in IGNORED)


def checksums(files: Files) -> dict[str, str]:
    """File name to SHA-256, of every file."""
    return {path.name: file_sha256(path) for path in sorted({p for paths in files.values() for p in paths})}


def combined_sha256(sums: Mapping[str, str]) -> str:
    """One hash of a whole supply."""
    return sha256("\n".join(f"{sums[name]}  {name}" for name in sorted(sums)).encode()).hexdigest()


def open_text(path: Path) -> IO[str]:
    """A text file, gunzipped when its name ends in .gz."""
    if path.name.lower().endswith(".gz"):
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def read_rows(
    path: Path, columns: Sequence[str], optional: Sequence[str] = (), delimiter: str = ","
) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and the named columns of each row of a delimited file with a header (any case).

    Raises:
        PolyGuardError: a column is missing, a row has the wrong number of cells, or the file is not text.
    """
    try:
        with open_text(path) as handle:
            reader = csv.reader(handle, delimiter=delimiter)
            header = [name.strip().lower() for name in next(reader, [])]
            if header and header[0].startswith("date last updated"):
                header = [name.strip().lower() for name in next(reader, [])]
            missing = [name for name in columns if name.lower() not in header]
            if missing:
                fix = f"it has {', '.join(header[:20]) or 'no header'}; supply the file as published"
                raise PolyGuardError(f"{path.name} line 1, columns {', '.join(missing)}", "missing", fix)
            kept = [*columns, *(name for name in optional if name.lower() in header)]
            places = [header.index(name.lower()) for name in kept]
            pick = itemgetter(*places) if len(places) > 1 else lambda row: (row[places[0]],)
            absent = {name: "" for name in optional if name.lower() not in header}
            for row in reader:
                if not row:
                    continue
                if len(row) != len(header):
                    fix = f"give {len(header)} cells, as the header has"
                    raise PolyGuardError(f"{path.name} line {reader.line_num}", f"{len(row)} cells", fix)
                yield reader.line_num, dict(zip(kept, pick(row), strict=True)) | absent
    except (UnicodeDecodeError, EOFError, OSError, csv.Error) as error:
        raise PolyGuardError(f"{path.name}", str(error), "it cannot be read; supply the file again") from error


def read_pipe_rows(path: Path, columns: Mapping[str, int], width: int) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and the named columns of a Rich Release Format file: no header, pipes, one at the end.

    Raises:
        PolyGuardError: a line has not `width` cells, or the file is not text.
    """
    names, pick = tuple(columns), itemgetter(*columns.values())
    try:
        with open_text(path) as handle:
            for number, line in enumerate(handle, start=1):
                cells = line.rstrip("\r\n").split("|")
                if len(cells) != width + 1 or cells[-1]:
                    fix = f"give {width} cells, each ended by a pipe"
                    raise PolyGuardError(f"{path.name} line {number}", line.rstrip()[:80], fix)
                yield number, dict(zip(names, pick(cells), strict=True))
    except (UnicodeDecodeError, EOFError, OSError) as error:
        raise PolyGuardError(f"{path.name}", str(error), "it cannot be read; supply the file again") from error


def as_number(path: Path, line: int, field: str, text: str) -> float:
    """A finite number.

    Raises:
        PolyGuardError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if value != value or value in (float("inf"), float("-inf")):
        raise PolyGuardError(f"{path.name} line {line}, {field}", text, "give a number")
    return value


def one_of(path: Path, line: int, field: str, text: str, allowed: Mapping[str, str]) -> str:
    """The meaning of a coded value.

    Raises:
        PolyGuardError: the code is not one the format knows.
    """
    if text not in allowed:
        raise PolyGuardError(f"{path.name} line {line}, {field}", text, f"use one of {', '.join(allowed)}")
    return allowed[text]


def as_date(path: Path, line: int, field: str, text: str) -> str:
    """The day of a date or time stamp, YYYY-MM-DD; "" for an empty cell.

    Raises:
        PolyGuardError: it is no date.
    """
    from datetime import date

    if not text:
        return ""
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError:
        raise PolyGuardError(f"{path.name} line {line}, {field}", text, "give a date as YYYY-MM-DD") from None
