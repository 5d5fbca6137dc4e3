"""The source assets in Dagster: not supplied is an empty table that says so; supplied joins with provenance."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from polyguard_assets.definitions import asset_groups
from polyguard_assets.defs.knowledge import supplied as joined
from polyguard_assets.defs.sources import supplied, web
from polyguard_assets.io.parquet import ParquetIOManager
from polyguard_assets.supplied import SuppliedSources, configured_services, supply_signature
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase

READERS = {**supplied.READERS, **web.READERS}
SOURCES = [*supplied.ASSETS, *web.ASSETS]
HEADER = "DDInterID_A,Drug_A,DDInterID_B,Drug_B,Level\n"


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POLYGUARD_DATA_LAKE", str(tmp_path / "lake"))
    return tmp_path / "lake"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def made(lake: Path, instance: dg.DagsterInstance, assets: list[Any], **settings: Any) -> dict[str, Any]:
    """Metadata of each materialized asset."""
    resources = {
        "io_manager": ParquetIOManager(base_dir=str(lake), groups=asset_groups()),
        "supplied_sources": SuppliedSources(**settings),
    }
    result = dg.materialize(assets, instance=instance, resources=resources)
    made = [event.step_materialization_data.materialization for event in result.get_asset_materialization_events()]
    return {one.asset_key.path[-1]: {name: cell.value for name, cell in one.metadata.items()} for one in made}


@dg.asset
def drug_vocabulary() -> pd.DataFrame:
    return KnowledgeBase.default().tables["vocabulary"]


@dg.asset
def pharmacogenomics_rules() -> pd.DataFrame:
    rules = KnowledgeBase.default().tables["rules"]
    return rules[rules["kind"] == "pharmacogenomics"].reset_index(drop=True)


GIVEN = [drug_vocabulary, pharmacogenomics_rules]


def test_sources_not_supplied_are_empty_tables_that_say_so(lake: Path, instance: dg.DagsterInstance) -> None:
    shown = made(lake, instance, [*GIVEN, *SOURCES, *joined.ASSETS])
    assert set(shown) >= set(READERS)
    for name in READERS:
        assert shown[name]["status"] == "not supplied" and shown[name]["dagster/row_count"] == 0
        assert shown[name]["licence"] and shown[name]["citation"] and shown[name]["supply_at"]
    assert shown["supplied_interactions"]["dagster/row_count"] == 0


def test_a_supplied_source_joins_with_checksum_and_provenance(
    lake: Path, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    folder = tmp_path / "mine" / "ddinter"
    folder.mkdir(parents=True)
    (folder / "ddinter_downloads_code_A.csv").write_text(HEADER + "DDInter1,Warfarin,DDInter2,Advil,Major\n")
    shown = made(
        lake,
        instance,
        [*GIVEN, *SOURCES, *joined.ASSETS],
        folder=str(tmp_path / "mine"),
    )
    assert shown["ddinter_interactions"]["status"] == "supplied" and shown["ddinter_interactions"]["rows"] == 1
    assert len(shown["ddinter_interactions"]["files"]["ddinter_downloads_code_A.csv"]) == 64
    assert "NC-SA" in shown["ddinter_interactions"]["licence"]
    assert shown["supplied_interactions"]["resolved"] == 1


def test_a_malformed_source_fails_with_file_row_and_field(
    lake: Path, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    path = tmp_path / "ddinter_downloads_code_A.csv"
    path.write_text(HEADER + "DDInter1,Warfarin,DDInter2,Advil,Dire\n")
    with pytest.raises(PolyGuardError, match="line 2, Level"):
        made(lake, instance, [a for a in supplied.ASSETS if "ddinter" in str(a.key)], locations={"ddinter": str(path)})


def test_configured_locations_must_exist_and_be_known(tmp_path: Path) -> None:
    with pytest.raises(PolyGuardError, match=r"locations\.ddinter"):
        SuppliedSources(locations={"ddinter": str(tmp_path / "no")}).files("ddinter", ())
    with pytest.raises(PolyGuardError, match="drugbank"):
        SuppliedSources(locations={"drugbank": "x"}).files("ddinter", ())


def test_a_url_is_downloaded_once(lake: Path, instance: dg.DagsterInstance, double: Any) -> None:
    double.answer = lambda path: (200, {}, (HEADER + "DDInter1,Warfarin,DDInter2,Advil,Major\n").encode())
    assets = [a for a in supplied.ASSETS if "ddinter" in str(a.key)]
    where = {"ddinter": f"{double.url}/ddinter_downloads_code_A.csv"}
    for _ in range(2):
        assert made(lake, instance, assets, locations=where)["ddinter_interactions"]["rows"] == 1
    assert len(double.asked) == 1


def test_new_files_change_the_signature(lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYGUARD_SOURCES", str(tmp_path))
    assert supply_signature("ddinter") == "none"
    (tmp_path / "ddinter").mkdir()
    (tmp_path / "ddinter" / "a.csv").write_text("x")
    assert supply_signature("ddinter") != "none"
    assert supply_signature("openfda") == "none" and configured_services() == {}
    monkeypatch.setenv("POLYGUARD_OPENFDA_URL", "https://api.fda.gov")
    assert supply_signature("openfda") != "none" and configured_services() == {"openfda": "https://api.fda.gov"}


def test_a_configured_service_is_asked_and_its_labels_join(
    lake: Path, instance: dg.DagsterInstance, double: Any
) -> None:
    label = {"set_id": "s1", "effective_time": "20230101", "warnings": ["Bleeding."],
             "openfda": {"generic_name": ["WARFARIN SODIUM"]}}  # fmt: skip
    double.answer = lambda path: (200, {}, json.dumps({"results": [label]}).encode())
    shown = made(
        lake, instance, [*GIVEN, *SOURCES, *joined.ASSETS], services={"openfda": double.url}, drugs=["warfarin"]
    )
    assert shown["openfda_labels"]["status"] == "fetched" and shown["openfda_labels"]["requests"] == 1
    assert shown["supplied_texts"]["resolved"] == 1 and shown["dailymed_labels"]["status"] == "not supplied"


def test_the_samples_flow_through(
    lake: Path, instance: dg.DagsterInstance, tmp_path: Path, shared: Callable[[str], Path]
) -> None:
    for source, sample in (("ddinter", "ddinter"), ("rxnorm", "rxnorm_ingredients")):
        shutil.copytree(shared(sample), tmp_path / "mine" / source)
    shown = made(
        lake,
        instance,
        [*GIVEN, *SOURCES, *joined.ASSETS],
        folder=str(tmp_path / "mine"),
    )
    assert shown["supplied_names"]["by_status"]["same"] > 3000
    assert shown["supplied_interactions"]["resolved"] > 350
