"""Results of table assets."""

from typing import Any

import dagster as dg
import pandas as pd

from polyguard_assets.io.parquet import table_hash
from polyguard_assets.io.schema import to_table


def versioned(asset: str, frame: pd.DataFrame, **metadata: Any) -> dg.MaterializeResult[pd.DataFrame]:
    """A table result whose data version is its content."""
    return dg.MaterializeResult(
        value=frame, metadata=metadata, data_version=dg.DataVersion(table_hash(to_table(asset, frame)))
    )
