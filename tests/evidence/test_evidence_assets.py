"""The evidence assets and the supplied patients in Dagster, on the packaged knowledge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from polyguard_assets.definitions import asset_groups
from polyguard_assets.defs.evidence import assets as evidence
from polyguard_assets.defs.patients import supplied as patients
from polyguard_assets.io.parquet import ParquetIOManager
from polyguard_assets.paths import evidence_index_folder, knowledge_folder
from polyguard_assets.supplied import empty
from polyguard_env.evidence.search import EvidenceIndex
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.sources.join import TEXTS
from polyguard_env.sources.records import PatientRecord, records_frame

LABEL = ("openfda", 2023, "set-1", "2023-05-01", ["warfarin"], ["Coumadin"], "boxed_warning", "Bleeding.", "", True)


@dg.asset
def supplied_texts() -> pd.DataFrame:
    return pd.DataFrame([LABEL], columns=list(TEXTS))


@dg.asset
def supplied_names() -> pd.DataFrame:
    return empty("supplied_names")


def records(name: str) -> dg.AssetsDefinition:
    @dg.asset(name=name)
    def made() -> pd.DataFrame:
        if name != "synthea_patients":
            return empty(name)
        record = PatientRecord("synthea", "1", 80, "F", conditions=["icd10|I48.91"])
        for drug in ("Coumadin", "Advil", "Unobtainium"):
            record.take(drug, 30.0)
        return records_frame([record])

    return made


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POLYGUARD_DATA_LAKE", str(tmp_path))
    KnowledgeBase.default().save(knowledge_folder())
    return tmp_path


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def run(lake: Path, instance: dg.DagsterInstance, assets: list[Any]) -> dg.ExecuteInProcessResult:
    store = ParquetIOManager(base_dir=str(lake), groups=asset_groups())
    return dg.materialize(assets, instance=instance, resources={"io_manager": store})


def test_corpus_and_index_pass_their_checks(lake: Path, instance: dg.DagsterInstance) -> None:
    result = run(lake, instance, [supplied_texts, *evidence.ASSETS, *evidence.CHECKS])
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert len(checks) == 3 and all(check.passed for check in checks.values())
    assert float(checks["evidence_is_found"].metadata["recall_at_5"].value) >= 0.95  # type: ignore[arg-type]
    hits = EvidenceIndex.load(evidence_index_folder(), KnowledgeBase.default()).search(
        "boxed label warning of warfarin"
    )
    assert any(hit.passage_id.startswith("label:openfda:") and hit.date == "2023-05-01" for hit in hits)


def test_supplied_patients_are_reviewed_and_what_is_lost_is_listed(lake: Path, instance: dg.DagsterInstance) -> None:
    result = run(lake, instance, [supplied_names, *map(records, patients.RECORDS), *patients.ASSETS])
    metadata = result.asset_materializations_for_node("supplied_patients")[0].metadata
    assert metadata["patients"].value == 1 and metadata["findings"].value > 0  # type: ignore[operator]
    assert metadata["unresolved_names"].value == {"Unobtainium": 1}
    frame = pd.read_parquet(lake / "curated" / "supplied_patients.parquet")
    assert list(frame.iloc[0]["drugs"]) == ["warfarin", "ibuprofen"] and frame.iloc[0]["source"] == "synthea"
