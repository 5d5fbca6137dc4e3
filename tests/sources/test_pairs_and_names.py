"""DDInter pairs and RxNorm names: the published formats, samples of them, and their joins."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.sources import ddinter, rxnorm_rrf, twosides
from polyguard_env.sources.join import agreement, supplied_interactions, unresolved_names, with_supplied
from polyguard_env.sources.resolve import Resolver, added_aliases, joined_names
from polyguard_env.sources.supplied import find_files

Write = Callable[[str, str], Path]
NO_PAIRS = pd.DataFrame(columns=list(ddinter.COLUMNS))
NO_SIGNALS = pd.DataFrame(columns=list(twosides.COLUMNS))
HEADER = "DDInterID_A,Drug_A,DDInterID_B,Drug_B,Level\n"


def pairs(folder: Path) -> pd.DataFrame:
    return ddinter.read(find_files("ddinter", folder, ddinter.FILES))


def test_ddinter_pairs_join_as_drug_ids(write: Write, resolver: Resolver) -> None:
    text = (
        "DDInter1,Warfarin,DDInter2,Ibuprofen,Major\nDDInter2,Ibuprofen,DDInter1,Warfarin,Major\n"
        "DDInter3,Aspirin,DDInter4,Notadrugol,Unknown\n"
    )
    frame = pairs(write("ddinter_downloads_code_B.csv", HEADER + text))
    assert len(frame) == 2
    joined = supplied_interactions(frame, NO_SIGNALS, resolver)
    first, second = joined.to_dict("records")
    assert (first["drug_a"], first["drug_b"], first["severity"]) == ("ibuprofen", "warfarin", "major")
    assert (first["source"], first["year"], first["resolved"]) == ("ddinter", 2022, True)
    assert (second["severity"], second["resolved"], second["drug_a"]) == ("", False, "")
    assert unresolved_names(joined, ("name_a", "name_b"), resolver) == ["Notadrugol"]


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("DDInter1,Warfarin,DDInter2,Ibuprofen,Severe\n", "line 2, Level"),
        ("DDInter1,Warfarin,DDInter2,Ibuprofen\n", "line 2: '4 cells'"),
        ("DDInter1,Warfarin,DDInter2,,Major\n", "line 2, Drug_B"),
    ],
)
def test_a_malformed_pair_names_file_row_and_field(write: Write, row: str, named: str) -> None:
    with pytest.raises(PolyGuardError, match=f"ddinter_downloads_code_A.csv {named}"):
        pairs(write("ddinter_downloads_code_A.csv", HEADER + row))


def test_a_missing_column_and_a_binary_file_are_named(write: Write, tmp_path: Path) -> None:
    with pytest.raises(PolyGuardError, match="columns Level"):
        pairs(write("ddinter_downloads_code_A.csv", HEADER.replace(",Level", "")))
    (tmp_path / "supplied" / "ddinter_downloads_code_A.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(PolyGuardError, match="supply the file again"):
        pairs(tmp_path / "supplied")


def test_agreement_counts_what_is_shared_and_what_is_new(resolver: Resolver, knowledge: KnowledgeBase) -> None:
    supplied = supplied_interactions(
        pd.DataFrame(
            [("Warfarin", "Ibuprofen", "major", "1"), ("Vitamin C", "Paracetamol", "major", "2")],
            columns=["name_a", "name_b", "severity", "source_id"],
        ),
        NO_SIGNALS,
        resolver,
    )
    found = agreement(knowledge.interactions(), supplied)["ddinter"]
    assert found["in_graph"] == found["same_grade"] == 1
    assert found["only_supplied"] == {"major": 1}
    assert found["only_supplied_major"] == ["acetaminophen+ascorbic_acid"]


def test_the_ddinter_sample(shared: Callable[[str], Path], resolver: Resolver, knowledge: KnowledgeBase) -> None:
    frame = pairs(shared("ddinter"))
    assert len(frame) == 399 and frame["severity"].value_counts()["major"] == 126
    joined = supplied_interactions(frame, NO_SIGNALS, resolver)
    assert joined["resolved"].mean() > 0.95
    assert agreement(knowledge.interactions(), joined)["ddinter"]["in_graph"] > 50


def conso(rxcui: str, kind: str, name: str, sab: str = "RXNORM", suppress: str = "N") -> str:
    return f"{rxcui}|ENG||||||1|1|{rxcui}||{sab}|{kind}|{rxcui}|{name}||{suppress}|4096|\n"


def rel(part: str, rela: str, whole: str) -> str:
    return f"{part}||CUI|RO|{whole}||CUI|{rela}|1||RXNORM||||||\n"


CONSO = (
    conso("11289", "IN", "warfarin") + conso("114194", "BN", "Coumadin") + conso("114195", "BN", "Zzqbrand")
    + conso("11289", "SY", "warfarinol zz") + conso("855288", "PIN", "warfarin sodium zz")
    + conso("5487", "IN", "hydrochlorothiazide") + conso("29046", "IN", "lisinopril")
    + conso("9001", "BN", "Listhiazyl") + conso("9002", "MIN", "hydrochlorothiazide / lisinopril")
    + conso("77", "IN", "secret", sab="MTHSPL") + conso("78", "IN", "old", suppress="O")
    + conso("855332", "SCD", "warfarin sodium 5 MG Oral Tablet")
)  # fmt: skip
REL = (
    rel("11289", "tradename_of", "114194") + rel("11289", "tradename_of", "114195") + rel("11289", "form_of", "855288")
    + rel("5487", "has_part", "9002") + rel("29046", "has_part", "9002") + rel("9002", "tradename_of", "9001")
    + rel("9001", "has_tradename", "9002")
)  # fmt: skip


def test_rxnorm_names_lead_to_their_ingredients(write: Write, resolver: Resolver) -> None:
    write("RXNCONSO.RRF", CONSO)
    frame = rxnorm_rrf.read(find_files("rxnorm", write("RXNREL.RRF", REL), rxnorm_rrf.FILES))
    held = dict(zip(frame["name"], frame["ingredients"]))
    assert held["Coumadin"] == held["warfarinol zz"] == held["warfarin sodium zz"] == ["11289"]
    assert held["Listhiazyl"] == ["29046", "5487"]
    assert not {"secret", "old", "warfarin sodium 5 MG Oral Tablet"} & set(held)
    names = joined_names(frame, resolver)
    status = dict(zip(names["name"], names["status"]))
    assert status["warfarin"] == "same" and status["Zzqbrand"] == status["Listhiazyl"] == "added"
    helped = Resolver(pd.DataFrame({"drug_id": ["warfarin"], "names": [["warfarin"]], "rxcui": ["11289"]}),
                      added_aliases(names))  # fmt: skip
    assert helped.resolve_all("Zzqbrand") == ("warfarin",)
    assert set(helped.resolve_all("LISTHIAZYL")) == {"hydrochlorothiazide", "lisinopril"}
    assert helped.resolve_all("nameless", "11289") == ("warfarin",) and helped.resolve_all("warfarine") == ()


@pytest.mark.parametrize(
    ("text", "named"),
    [("11289|ENG|warfarin|\n", "RXNCONSO.RRF line 1"), (conso("x1", "IN", "warfarin"), "line 1, RXCUI")],
)
def test_a_malformed_release_names_the_line(write: Write, text: str, named: str) -> None:
    with pytest.raises(PolyGuardError, match=named):
        rxnorm_rrf.read(find_files("rxnorm", write("RXNCONSO.RRF", text), rxnorm_rrf.FILES))


def test_relations_without_names_are_incomplete(write: Write) -> None:
    with pytest.raises(PolyGuardError, match=r"rxnconso\.rrf"):
        find_files("rxnorm", write("RXNREL.RRF", REL), rxnorm_rrf.FILES)


def test_the_rxnorm_sample(shared: Callable[[str], Path], resolver: Resolver) -> None:
    frame = rxnorm_rrf.read(find_files("rxnorm", shared("rxnorm_ingredients"), rxnorm_rrf.FILES))
    names = joined_names(frame, resolver)
    assert len(frame) == 4082 and (names["status"] == "same").mean() > 0.8


TWOSIDES = (
    "drug_1_rxnorn_id,drug_1_concept_name,drug_2_rxnorm_id,drug_2_concept_name,condition_meddra_id,"
    "condition_concept_name,A,B,C,D,PRR,PRR_error,mean_reporting_frequency\n"
    "11289,Warfarin,5640,Ibuprofen,1,Haemorrhage,20,10,5,100,8.5,0.4,0.1\n"
    "5640,Ibuprofen,11289,Warfarin,2,Anaemia,9,10,5,100,3.0,0.4,0.1\n"
    "11289,Warfarin,5640,Ibuprofen,3,Nausea,20,100,5,100,1.2,0.4,0.1\n"
    "11289,Warfarin,5640,Ibuprofen,4,Rare,2,1,5,100,9.9,0.4,0.1\n"
)


def test_twosides_is_summed_up_by_pair(tmp_path: Path, resolver: Resolver) -> None:
    with gzip.open(tmp_path / "TWOSIDES.csv.gz", "wt") as handle:
        handle.write(TWOSIDES)
    frame = twosides.read(find_files("twosides", tmp_path, twosides.FILES))
    (row,) = frame.to_dict("records")
    assert (row["name_a"], row["signals"], row["effects"]) == ("Ibuprofen", 2, ["Haemorrhage", "Anaemia"])
    (joined,) = supplied_interactions(NO_PAIRS, frame, resolver).to_dict("records")
    assert (joined["drug_a"], joined["drug_b"], joined["severity"]) == ("ibuprofen", "warfarin", "")
    assert joined["effects"] == ["Haemorrhage", "Anaemia"] and joined["source"] == "twosides"


def test_a_truncated_or_malformed_twosides_is_named(tmp_path: Path) -> None:
    path = tmp_path / "TWOSIDES.csv.gz"
    path.write_bytes(gzip.compress(TWOSIDES.encode())[:-30])
    with pytest.raises(PolyGuardError, match=r"TWOSIDES\.csv\.gz: .*supply the file again"):
        twosides.read(find_files("twosides", tmp_path, twosides.FILES))
    path.write_bytes(gzip.compress(TWOSIDES.replace("8.5", "high").encode()))
    with pytest.raises(PolyGuardError, match="line 2, PRR"):
        twosides.read(find_files("twosides", tmp_path, twosides.FILES))


def test_supplied_grades_join_the_graph_without_outranking_it(knowledge: KnowledgeBase) -> None:
    edges = knowledge.interactions()
    held = edges[edges["severity"] == "major"].iloc[0]
    rows = [
        (held["drug_a"], held["drug_b"], "minor", [], "ddinter", 2022, "a", "b", "1", True),
        ("abacavir", "zinc_sulfate", "moderate", [], "ddinter", 2022, "a", "b", "2", True),
        ("abacavir", "ascorbic_acid", "", ["rash"], "twosides", 2012, "a", "b", "3", True),
        ("", "", "major", [], "ddinter", 2022, "x", "y", "4", False),
    ]
    columns = ["drug_a", "drug_b", "severity", "effects", "source", "year", "name_a", "name_b", "record", "resolved"]
    joined = with_supplied(edges, pd.DataFrame(rows, columns=columns))
    assert list(joined.columns) == list(edges.columns) and len(joined) == len(edges) + 1
    found = joined.set_index(["drug_a", "drug_b"])
    kept, new = found.loc[(held["drug_a"], held["drug_b"])], found.loc[("abacavir", "zinc_sulfate")]
    assert kept["severity"] == "major" and kept["disagree"] and "ddinter" in kept["sources"].split(";")
    assert len(kept["sources"].split(";")) == len(kept["years"].split(";"))
    assert (new["severity"], new["sources"], new["years"], new["disagree"]) == ("moderate", "ddinter", "2022", False)
    assert with_supplied(edges, joined.head(0).assign(resolved=[], severity=[])) is edges
