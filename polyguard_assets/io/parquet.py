"""The IO manager of table assets: typed Parquet, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from polyguard_assets.io.schema import arrow_schema, schemas, to_table
from polyguard_assets.paths import within_project
from polyguard_env.errors import PolyGuardError

PREVIEW_ROWS = 5
FOLDERS = {
    "sources": "raw", "knowledge": "curated", "patients": "curated", "scenarios": "scenarios", "corpora": "corpora",
    "models": "models", "evaluation": "reports", "evidence": "evidence",
}  # fmt: skip


class ParquetIOManager(dg.ConfigurableIOManager):
    """Stores each table asset as one Parquet file (one per partition) under the data lake.

    Attributes:
        base_dir: the data lake.
        groups: asset key to group name, which picks the subfolder.
    """

    base_dir: str
    groups: dict[str, str] = {}

    def path_of(self, asset: str, partition: str | None) -> Path:
        """The file of an asset."""
        folder = Path(self.base_dir) / FOLDERS[self.groups.get(asset, "knowledge")]
        return folder / asset / f"{partition}.parquet" if partition else folder / f"{asset}.parquet"

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Check against the declared schema, write, and record rows, schema, size and content hash."""
        if obj is None:
            return
        asset = context.asset_key.path[-1]
        table = to_table(asset, obj)
        path = self.path_of(asset, context.partition_key if context.has_partition_key else None)
        write_parquet(table, path)
        context.add_output_metadata(
            {
                "dagster/row_count": table.num_rows,
                "dagster/column_schema": dg.TableSchema(
                    columns=[dg.TableColumn(c.name, c.type, description=c.meaning) for c in schemas()[asset]]
                ),
                "path": dg.MetadataValue.path(within_project(path)),
                "bytes": path.stat().st_size,
                "content_sha256": table_hash(table),
                "preview": dg.MetadataValue.md(preview(table)),
            }
        )

    def load_input(self, context: dg.InputContext) -> Any:
        """The upstream table as a DataFrame; of a partitioned asset, all partitions' rows together."""
        asset = context.asset_key.path[-1]
        if context.has_asset_partitions and len(context.asset_partition_keys) != 1:
            frames = [read_parquet(asset, self.path_of(asset, key)) for key in context.asset_partition_keys]
            return pd.concat(frames, ignore_index=True)
        partition = context.asset_partition_key if context.has_asset_partitions else None
        return read_parquet(asset, self.path_of(asset, partition))


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write zstd Parquet through a temporary file and a rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as handle:
        try:
            pq.write_table(table, handle, compression="zstd")
            handle.flush()
            os.fsync(handle.fileno())
        except BaseException:
            Path(handle.name).unlink(missing_ok=True)
            raise
    os.chmod(handle.name, 0o644)
    os.replace(handle.name, path)


def read_parquet(asset: str, path: Path) -> pd.DataFrame:
    """A stored table, checked against its declared schema.

    Raises:
        PolyGuardError: the file is missing, corrupt or of another schema; the fix names the asset.
    """
    fix = f"materialize {asset} again (delete {path.name} first)"
    if not path.is_file():
        raise PolyGuardError(f"file of {asset}", path.name, f"materialize {asset} first")
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise PolyGuardError(f"file of {asset}", path.name, f"it is corrupt ({error}); {fix}") from error
    if table.schema.remove_metadata() != arrow_schema(asset):
        raise PolyGuardError(f"schema of {asset}", path.name, fix)
    frame: pd.DataFrame = table.to_pandas()
    return frame


def table_hash(table: pa.Table) -> str:
    """Content hash of a table: 16 hex digits."""
    digest = sha256(str(table.schema).encode())
    for batch in table.combine_chunks().to_batches():
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        digest.update(sink.getvalue())
    return digest.hexdigest()[:16]


def preview(table: pa.Table) -> str:
    """The first rows as a Markdown table."""
    rows = table.slice(0, PREVIEW_ROWS).to_pylist()
    lines = ["| " + " | ".join(table.column_names) + " |", "|" + " --- |" * table.num_columns]
    for row in rows:
        cells = [str(value).replace("\n", " / ").replace("|", "\\|") for value in row.values()]
        lines.append("| " + " | ".join(cell if len(cell) <= 60 else cell[:57] + "..." for cell in cells) + " |")
    return "\n".join(lines)
