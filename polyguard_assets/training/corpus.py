"""Reading training corpora, with one clear error for whatever is wrong with the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from polyguard_env.errors import PolyGuardError

SFT_COLUMNS = ("system", "user", "completion")
GRPO_COLUMNS = ("row_id", "scenario_id", "prefix", "system", "user", "candidates")


def read_corpus(path: Path | str, columns: Sequence[str], split: str = "") -> pd.DataFrame:
    """Rows of a Parquet corpus.

    Args:
        columns: those that must be there.
        split: keep only rows of this split; empty keeps all.

    Raises:
        PolyGuardError: missing or corrupt file, missing columns, or no rows left.
    """
    fix = "materialize the corpus asset that writes it again"
    if not Path(path).is_file():
        raise PolyGuardError("corpus_path", str(path), fix)
    try:
        rows = pd.read_parquet(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise PolyGuardError("corpus_path", str(path), f"not readable as Parquet ({error}); {fix}") from error
    missing = [name for name in columns if name not in rows.columns]
    if missing:
        raise PolyGuardError("corpus_path", str(path), f"has no column {', '.join(missing)}; {fix}")
    if split:
        if "split" not in rows.columns:
            raise PolyGuardError("corpus_path", str(path), f"has no column split; {fix}")
        rows = rows[rows["split"] == split]
    if rows.empty:
        raise PolyGuardError("corpus_path", str(path), f"has no rows of split {split or 'any'}; {fix}")
    return rows.reset_index(drop=True)
