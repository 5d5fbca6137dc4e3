"""`KnowledgeBase`: the facts, loaded from a snapshot and looked up by id.

A snapshot is a folder of Parquet files and a manifest. The packaged one is built by
`python -m polyguard_env build-knowledge` and tracked; the asset graph materializes another.
"""

from __future__ import annotations

import json
import os
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.build import drugs_from
from polyguard_env.knowledge.formulary import split
from polyguard_env.knowledge.names import NameIndex
from polyguard_env.knowledge.schema import RULE_KINDS, Drug, Interaction, Rule
from polyguard_env.knowledge.tabular import read_fragments, tables_hash

TABLES = ("vocabulary", "classes", "profiles", "interactions", "rules")
MANIFEST = "manifest.json"
KNOWLEDGE_VARIABLE = "POLYGUARD_KNOWLEDGE"
REBUILD = "run 'python -m polyguard_env build-knowledge'"


class Coded:
    """A column whose equal cells are one object: few words stand in many rows.

    Args:
        codes: place of each row's value, shape (rows,).
        values: the values, each once.
    """

    __slots__ = ("codes", "values")

    def __init__(self, codes: np.ndarray, values: list[Any]) -> None:
        self.codes, self.values = codes, values

    @classmethod
    def of(cls, column: pd.Series) -> Coded:
        """A table's column."""
        codes, values = pd.factorize(column, use_na_sentinel=False)
        return cls(codes.astype(np.int32), values.tolist())

    def __getitem__(self, row: int) -> Any:
        return self.values[self.codes[row]]

    def to_list(self, change: Callable[[Any], Any]) -> list[Any]:
        """The rows' values, each value changed once."""
        changed = [change(value) for value in self.values]
        return [changed[code] for code in self.codes.tolist()]

    def renumbered(self, numbers: Mapping[Any, int]) -> np.ndarray:
        """The rows' values as numbers, shape (rows,)."""
        numbered: np.ndarray = np.array([numbers[value] for value in self.values], dtype=np.int64)[self.codes]
        return numbered


class KnowledgeBase:
    """Drugs, interactions and rules of one snapshot.

    Args:
        tables: the tables by name (see `TABLES`).

    Attributes:
        drugs: drug id to Drug.
        fingerprint: content hash of the tables, the same on every machine.
    """

    def __init__(self, tables: Mapping[str, pd.DataFrame]) -> None:
        self.tables = dict(tables)
        self.fingerprint = fingerprint(tables)
        vocabulary = tables["vocabulary"]
        self.drugs: dict[str, Drug] = drugs_from(vocabulary, tables["classes"], tables["profiles"])
        self.names = NameIndex(
            {
                name: drug_id
                for drug_id, names in zip(vocabulary["drug_id"], vocabulary["names"], strict=True)
                for name in names
            },
            combination_products(self.drugs),
            {row["name"]: split(row["drug_ids"]) for row in read_fragments("ambiguous")},
            {drug.drug_id: drug.profile.use_weight for drug in self.drugs.values() if drug.profile},
        )
        edges = tables["interactions"]
        self._columns = {name: Coded.of(edges[name]) for name in edges.columns}
        ends = self._columns["drug_a"].values + self._columns["drug_b"].values
        self._number = {drug_id: number for number, drug_id in enumerate(dict.fromkeys(ends))}
        first, second = (self._columns[name].renumbered(self._number) for name in ("drug_a", "drug_b"))
        # A dictionary of them would hold ten times the memory.
        keys = first * len(self._number) + second
        order = np.argsort(keys, kind="stable")
        self._pairs, self._places = array("q", keys[order].tobytes()), array("i", order.astype(np.int32).tobytes())
        self._made: dict[int, Interaction] = {}
        self._rules: dict[str, tuple[Rule, ...]] = {}
        self._members: dict[str, frozenset[str]] = {
            str(name): frozenset(group["drug_id"]) for name, group in tables["classes"].groupby("class_id")
        }

    @classmethod
    def default(cls) -> KnowledgeBase:
        """The shared knowledge of this process: the packaged snapshot, or the one `POLYGUARD_KNOWLEDGE` names."""
        return _default(os.environ.get(KNOWLEDGE_VARIABLE, ""))

    @classmethod
    def load(cls, folder: Path | str) -> KnowledgeBase:
        """The knowledge of a snapshot folder.

        Raises:
            PolyGuardError: a file is missing or corrupt, or the content is not what the manifest says.
        """
        folder = Path(folder)
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            tables = {name: _read(folder / f"{name}.parquet") for name in TABLES}
        except (OSError, ValueError, pa.ArrowException) as error:
            raise PolyGuardError("knowledge snapshot", folder.name, f"{REBUILD} ({error})") from error
        knowledge = cls(tables)
        if knowledge.fingerprint != manifest["fingerprint"]:
            raise PolyGuardError("knowledge fingerprint", knowledge.fingerprint, f"the files changed; {REBUILD}")
        return knowledge

    def save(self, folder: Path) -> None:
        """Write the snapshot; files appear whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in TABLES:
            table = pa.Table.from_pandas(self.tables[name], preserve_index=False).replace_schema_metadata(None)
            with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as handle:
                pq.write_table(table, handle, compression="zstd", compression_level=12)
            os.chmod(handle.name, 0o644)
            os.replace(handle.name, folder / f"{name}.parquet")
        manifest = {
            "fingerprint": self.fingerprint,
            "tables_hash": tables_hash(),
            "rows": {name: len(self.tables[name]) for name in TABLES},
        }
        part = folder / f"{MANIFEST}.part"
        part.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        os.replace(part, folder / MANIFEST)

    def resolve(self, name: str) -> str | None:
        """The drug id of a name (brand, salt, synonym, any case, accents), or None. Never a guess."""
        return self.names.resolve(name)

    def resolve_all(self, name: str) -> tuple[str, ...]:
        """The ingredients of a name or combination; empty when any part is unknown."""
        return self.names.resolve_all(name)

    def suggest(self, name: str) -> list[str]:
        """Known names near a misspelt one, nearest first."""
        return self.names.suggest(name)

    def drug(self, drug_id: str) -> Drug:
        """One drug.

        Raises:
            PolyGuardError: no drug has this id.
        """
        if drug_id not in self.drugs:
            near = ", ".join(self.suggest(drug_id)[:3])
            raise PolyGuardError("drug_id", drug_id, f"use a known id{f'; near it: {near}' if near else ''}")
        return self.drugs[drug_id]

    def drugs_in_class(self, class_id: str) -> frozenset[str]:
        """Ids of the drugs of a class and its subclasses; empty for an unknown class."""
        return self._members.get(class_id, frozenset())

    def interaction(self, a: str, b: str) -> Interaction | None:
        """The graded edge between two drugs, in either order, or None."""
        one, other = (self._number.get(a), self._number.get(b)) if a < b else (self._number.get(b), self._number.get(a))
        if one is None or other is None:
            return None
        key = one * len(self._number) + other
        spot = bisect_left(self._pairs, key)
        if spot == len(self._pairs) or self._pairs[spot] != key:
            return None
        place = self._places[spot]
        if place not in self._made:
            column = {name: values[place] for name, values in self._columns.items()}
            self._made[place] = Interaction(
                column["drug_a"], column["drug_b"], column["severity"], column["mechanism"], column["effect"],
                column["management"], tuple(column["sources"].split(";")),
                tuple(int(year) for year in column["years"].split(";")), bool(column["disagree"]),
            )  # fmt: skip
        return self._made[place]

    def interactions(self) -> pd.DataFrame:
        """All edges, one row per pair."""
        return self.tables["interactions"]

    def rules(self, kind: str) -> Sequence[Rule]:
        """Rules of one kind, one per drug they apply to.

        Raises:
            PolyGuardError: an unknown kind.
        """
        if kind not in RULE_KINDS:
            raise PolyGuardError("rule kind", kind, f"use one of {', '.join(RULE_KINDS)}")
        if kind not in self._rules:
            rows = self.tables["rules"]
            self._rules[kind] = tuple(_rule(row) for row in rows[rows["kind"] == kind].itertuples(index=False))
        return self._rules[kind]


def _read(path: Path) -> pd.DataFrame:
    # One thread, and not as a data set: small files, read when a server starts, in as little memory as they need.
    frame: pd.DataFrame = pq.ParquetFile(path).read(use_threads=False).to_pandas()
    return frame


def _rule(row: Any) -> Rule:
    return Rule(
        row.rule_id, row.kind, row.drug_id, row.severity, orjson.loads(row.fields), row.strength, row.source,
        int(row.year),
    )  # fmt: skip


@lru_cache(maxsize=2)
def _default(folder: str) -> KnowledgeBase:
    return KnowledgeBase.load(Path(folder) if folder else snapshot_folder())


def snapshot_folder() -> Path:
    """The packaged snapshot's folder."""
    return Path(str(resources.files("polyguard_env.knowledge") / "snapshot"))


def combination_products(drugs: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Normalised names of combination products to their ingredients (`combinations.csv`)."""
    found = {row["name"]: tuple(row["drug_ids"].split(";")) for row in read_fragments("combinations")}
    return {name: ingredients for name, ingredients in found.items() if all(drug in drugs for drug in ingredients)}


def fingerprint(tables: Mapping[str, pd.DataFrame]) -> str:
    """Content hash of the tables, the combination products and what is known of allergies: 16 hex digits.

    Independent of machine, row order and column order.
    """
    digest = sha256()
    beside = ("combinations", "allergens", "cross_reactions")
    frames = {name: tables[name] for name in TABLES} | {name: pd.DataFrame(read_fragments(name)) for name in beside}
    for name, frame in frames.items():
        columns = [_texts(frame[column]) for column in sorted(frame.columns)]
        rows = sorted("\x1f".join(row) for row in zip(*columns, strict=True))
        digest.update(name.encode() + b"\0" + "\n".join(rows).encode() + b"\0")
    return digest.hexdigest()[:16]


def _texts(column: pd.Series) -> list[str]:
    if column.dtype == object:
        return [_text(cell) for cell in column.to_list()]
    return Coded.of(column).to_list(_text)


def _text(cell: object) -> str:
    if isinstance(cell, (str, bool, int, float)):
        return str(cell)
    return "\x1e".join(str(part) for part in cell)  # type: ignore[attr-defined]
