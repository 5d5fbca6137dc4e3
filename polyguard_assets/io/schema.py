"""Declared schemas of table assets (`schemas.csv`): column, type, meaning; checked on write and read."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd
import pyarrow as pa

from polyguard_env.errors import PolyGuardError

TABLE = Path(__file__).with_name("schemas.csv")
TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "strings": pa.list_(pa.string()),
    "floats": pa.list_(pa.float64()),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One declared column."""

    name: str
    type: str
    meaning: str


@cache
def schemas() -> dict[str, tuple[Column, ...]]:
    """Asset key to its columns, in order."""
    found: dict[str, list[Column]] = {}
    with TABLE.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            found.setdefault(row["asset"], []).append(Column(row["column"], row["type"], row["meaning"]))
    return {name: tuple(columns) for name, columns in found.items()}


def arrow_schema(asset: str) -> pa.Schema:
    """The Arrow schema of an asset.

    Raises:
        PolyGuardError: the asset has no declared schema.
    """
    if asset not in schemas():
        raise PolyGuardError("schema", asset, "declare its columns in polyguard_assets/io/schemas.csv")
    return pa.schema([pa.field(column.name, TYPES[column.type]) for column in schemas()[asset]])


def to_table(asset: str, value: pd.DataFrame | pa.Table) -> pa.Table:
    """`value` with exactly the asset's declared columns and types.

    Raises:
        PolyGuardError: a column is missing, unexpected or of another type.
    """
    schema = arrow_schema(asset)
    names = list(value.columns) if isinstance(value, pd.DataFrame) else value.column_names
    missing = [name for name in schema.names if name not in names]
    extra = [name for name in names if name not in schema.names]
    if missing or extra:
        raise PolyGuardError(f"columns of {asset}", {"missing": missing, "unexpected": extra}, "match schemas.csv")
    try:
        if isinstance(value, pd.DataFrame):
            return pa.Table.from_pandas(
                value[schema.names], schema=schema, preserve_index=False
            ).replace_schema_metadata(None)
        return value.select(schema.names).cast(schema)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise PolyGuardError(f"types of {asset}", str(error), "give values of the types in schemas.csv") from error
