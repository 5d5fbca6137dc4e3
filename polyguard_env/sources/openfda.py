"""openFDA drug labels: bulk download files, answers of the API, and plain lines of label text.

The API answers 404 when nothing matches and 429 when asked too often.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from polyguard_env.errors import PolyGuardError
from polyguard_env.sources.fetch import Fetcher
from polyguard_env.sources.labels import SECTIONS, LabelText, iso_date, labels_frame, one_line, section_of
from polyguard_env.sources.supplied import Files, Wanted, open_text

SOURCE = "openfda"
FILES = (Wanted("labels", ("*.json", "*.json.gz", "*.json.zip", "*.jsonl", "*.jsonl.gz")),)
ENDPOINT = "/drug/label.json"


def read(files: Files) -> pd.DataFrame:
    """The sections of every label of every file.

    Raises:
        PolyGuardError: a file is no JSON, or a record is not of the published shape.
    """
    return labels_frame(text for path in files["labels"] for text in _texts(path))


def fetch(fetcher: Fetcher, base: str, drugs: Sequence[str], labels_per_drug: int = 1) -> pd.DataFrame:
    """Labels of the named drugs from the API.

    Args:
        base: for example https://api.fda.gov.

    Raises:
        PolyGuardError: the server refused or failed, or its answer is not of the published shape.
    """
    texts: list[LabelText] = []
    for name in drugs:
        query: dict[str, str | int] = {"search": f'openfda.generic_name:"{name}"', "limit": labels_per_drug}
        body = fetcher.get(f"{base.rstrip('/')}{ENDPOINT}", query, absent=(404,))
        if body is not None:
            texts += _parsed(body.decode("utf-8"), f"openFDA answer for {name}")
    return labels_frame(texts)


def _texts(path: Path) -> Iterator[LabelText]:
    try:
        if path.name.lower().endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                for member in archive.namelist():
                    yield from _parsed(archive.read(member).decode("utf-8"), f"{path.name}/{member}")
        elif ".jsonl" in path.name.lower():
            with open_text(path) as handle:
                for number, line in enumerate(handle, start=1):
                    if line.strip():
                        yield from _line(line, path.name, number)
        else:
            with open_text(path) as handle:
                yield from _parsed(handle.read(), path.name)
    except (OSError, EOFError, UnicodeDecodeError, zipfile.BadZipFile) as error:
        raise PolyGuardError(path.name, str(error), "it cannot be read; supply the file again") from error


def _line(line: str, name: str, number: int) -> Iterator[LabelText]:
    record = _json(line, f"{name} line {number}")
    place = f"{name} line {number}"
    drug = _text(record, "drug" if "drug" in record else "label", place)
    section = section_of(_text(record, "section", place))
    if not section:
        raise PolyGuardError(f"{place}, section", record["section"], f"use one of {', '.join(SECTIONS)}")
    yield LabelText(f"{name}:{number}", "", (drug,), (), section, one_line(_text(record, "text", place)))


def _parsed(text: str, place: str) -> Iterator[LabelText]:
    answer = _json(text, place)
    results = answer.get("results")
    if not isinstance(results, list):
        raise PolyGuardError(f"{place}, results", results, "give openFDA's answer, a list of labels")
    for number, label in enumerate(results):
        where = f"{place}, results[{number}]"
        if not isinstance(label, dict):
            raise PolyGuardError(where, label, "give an object")
        about = label.get("openfda") or {}
        names = about.get("generic_name") or about.get("substance_name") or about.get("brand_name") or []
        record = _text(label, "set_id" if "set_id" in label else "id", where)
        for section in SECTIONS:
            parts = label.get(section, [])
            if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
                raise PolyGuardError(f"{where}.{section}", parts, "give a list of texts")
            if parts:
                yield LabelText(
                    record, iso_date(str(label.get("effective_time", ""))), tuple(names),
                    tuple(about.get("rxcui", ())), section, one_line(" ".join(parts)),
                )  # fmt: skip


def _json(text: str, place: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise PolyGuardError(f"{place}, line {error.lineno} column {error.colno}", error.msg, "give JSON") from error
    if not isinstance(found, dict):
        raise PolyGuardError(place, type(found).__name__, "give a JSON object")
    return found


def _text(record: dict[str, Any], field: str, place: str) -> str:
    value = record.get(field)
    if not isinstance(value, str) or not value:
        raise PolyGuardError(f"{place}, {field}", value, "give a text")
    return value
