"""Typed Parquet: round trips, refused columns and types, corrupt files, blocking checks."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from polyguard_assets.io import schema
from polyguard_assets.io.parquet import ParquetIOManager, read_parquet, table_hash
from polyguard_assets.io.schema import to_table
from polyguard_env.errors import PolyGuardError

SUMMARY = {
    "corpus": ["sft_corpus"], "sub_environment": ["DDI"], "difficulty": ["easy"], "rows": [3], "scenarios": [2],
    "patients": [2], "mechanisms": [1], "mean_characters": [310.5],
}  # fmt: skip


@dg.asset
def corpus_summary() -> pd.DataFrame:
    return pd.DataFrame(SUMMARY)


@dg.asset_check(asset=corpus_summary, blocking=True)
def never_passes(corpus_summary: pd.DataFrame) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=len(corpus_summary) > 10)


@dg.asset
def reader(corpus_summary: pd.DataFrame) -> None:
    assert corpus_summary["rows"].tolist() == [3]


def store(lake: Path) -> ParquetIOManager:
    return ParquetIOManager(base_dir=str(lake), groups={"corpus_summary": "corpora"})


def test_a_table_comes_back_as_it_was(lake: Path, instance: dg.DagsterInstance) -> None:
    result = dg.materialize([corpus_summary, reader], instance=instance, resources={"io_manager": store(lake)})
    assert result.success
    metadata = result.asset_materializations_for_node("corpus_summary")[0].metadata
    assert metadata["dagster/row_count"].value == 1
    assert [c.name for c in metadata["dagster/column_schema"].schema.columns] == list(SUMMARY)
    assert [path.name for path in (lake / "corpora").iterdir()] == ["corpus_summary.parquet"]


def test_a_failing_blocking_check_stops_the_child(lake: Path, instance: dg.DagsterInstance) -> None:
    result = dg.materialize(
        [corpus_summary, never_passes, reader], instance=instance, resources={"io_manager": store(lake)},
        raise_on_error=False,
    )  # fmt: skip
    assert not result.success
    assert result.asset_materializations_for_node("corpus_summary")
    assert not result.asset_materializations_for_node("reader")


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(SUMMARY).drop(columns=["rows"]),
        pd.DataFrame(SUMMARY).assign(surprise=1),
        pd.DataFrame(SUMMARY).assign(rows=["three"]),
    ],
)
def test_wrong_columns_and_types_are_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(PolyGuardError, match="corpus_summary"):
        to_table("corpus_summary", frame)


def test_a_corrupt_file_names_the_asset_to_make_again(lake: Path) -> None:
    path = store(lake).path_of("corpus_summary", None)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(PolyGuardError, match="materialize corpus_summary again"):
        read_parquet("corpus_summary", path)
    with pytest.raises(PolyGuardError, match="materialize corpus_summary first"):
        read_parquet("corpus_summary", path.with_name("absent.parquet"))


def test_an_interrupted_write_leaves_nothing(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from polyguard_assets.io import parquet

    def broken(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(parquet.pq, "write_table", broken)
    path = store(lake).path_of("corpus_summary", None)
    with pytest.raises(KeyboardInterrupt):
        parquet.write_parquet(to_table("corpus_summary", pd.DataFrame(SUMMARY)), path)
    assert list(path.parent.iterdir()) == []


def test_the_content_hash_follows_the_content() -> None:
    one = table_hash(to_table("corpus_summary", pd.DataFrame(SUMMARY)))
    same = table_hash(to_table("corpus_summary", pd.DataFrame(SUMMARY)))
    other = table_hash(to_table("corpus_summary", pd.DataFrame(SUMMARY | {"rows": [4]})))
    assert one == same != other


def test_every_declared_type_is_known() -> None:
    for asset in schema.schemas():
        assert len(schema.arrow_schema(asset)) > 0
