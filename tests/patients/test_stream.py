"""Cohorts to Parquet: the same bytes at any batch size, whole files or none."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients import stream
from polyguard_env.patients.generate import PatientGenerator
from polyguard_env.risk.review import rule_index


@pytest.fixture(scope="module")
def generator() -> PatientGenerator:
    return PatientGenerator(rule_index(KnowledgeBase.default()), seed=5)


def test_the_same_bytes_at_any_batch_size(
    generator: PatientGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "ROW_GROUP", 1000)
    digests = set()
    for batch in (13, 999, 1000, 10_000):
        path = tmp_path / f"{batch}.parquet"
        assert stream.write_cohort(generator, path, 2_500, batch) == path.stat().st_size
        digests.add(sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1
    assert pq.read_table(path).to_pylist() == generator.table(0, 2_500).to_pylist()


def test_progress_is_told_and_nothing_half_written(
    generator: PatientGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "ROW_GROUP", 100)
    told: list[int] = []

    def stop(number: int) -> None:
        told.append(number)
        if number == 300:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stream.write_cohort(generator, tmp_path / "cohort.parquet", 1000, 50, stop)
    assert told == [100, 200, 300] and not list(tmp_path.iterdir())


@pytest.mark.parametrize(("count", "batch", "field"), [(0, 10, "count"), (10, 0, "batch")])
def test_impossible_sizes_are_refused(
    generator: PatientGenerator, tmp_path: Path, count: int, batch: int, field: str
) -> None:
    with pytest.raises(PolyGuardError) as caught:
        stream.write_cohort(generator, tmp_path / "cohort.parquet", count, batch)
    assert caught.value.field == field
