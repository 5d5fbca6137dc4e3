"""Cohorts of any size to Parquet, at constant memory and with bytes that do not depend on the batch size."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from polyguard_env.errors import PolyGuardError
from polyguard_env.patients.generate import PatientGenerator

ROW_GROUP = 50_000


def write_cohort(
    generator: PatientGenerator,
    path: Path,
    count: int,
    batch: int = 25_000,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write patients 0 to `count` - 1, atomically, one row each.

    Args:
        count: number of patients, 1 or more.
        batch: patients generated at a time, 1 or more; peak memory grows with it, the file's bytes do not change.
        progress: told the number written after each row group.

    Returns:
        The size of the file in bytes.

    Raises:
        PolyGuardError: count or batch below 1.
    """
    for name, value in (("count", count), ("batch", batch)):
        if value < 1:
            raise PolyGuardError(name, value, "give a whole number of 1 or more")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        schema = generator.table(0, 1).schema
        with pq.ParquetWriter(unfinished, schema, compression="zstd", compression_level=1) as writer:
            for start in range(0, count, ROW_GROUP):
                end = min(start + ROW_GROUP, count)
                parts = [generator.table(at, min(batch, end - at)) for at in range(start, end, batch)]
                writer.write_table(pa.concat_tables(parts).combine_chunks(), row_group_size=ROW_GROUP)
                if progress:
                    progress(end)
        os.replace(unfinished, path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise
    return path.stat().st_size
