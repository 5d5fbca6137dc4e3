"""openFDA, DailyMed and RxNav against a local double of their true answers, and their files."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from polyguard_env.errors import PolyGuardError
from polyguard_env.sources import dailymed, openfda, rxnav
from polyguard_env.sources.fetch import Fetcher
from polyguard_env.sources.join import supplied_texts
from polyguard_env.sources.resolve import Resolver
from polyguard_env.sources.supplied import find_files

Write = Callable[[str, str], Path]
LABEL = {
    "id": "f3a7", "set_id": "aa-11", "version": "12", "effective_time": "20230517",
    "spl_product_data_elements": ["Warfarin Sodium Warfarin Sodium"],
    "boxed_warning": ["WARNING: BLEEDING RISK\nWarfarin can cause major or fatal bleeding."],
    "drug_interactions": ["7 DRUG INTERACTIONS", "Concomitant use of NSAIDs increases bleeding."],
    "openfda": {"generic_name": ["WARFARIN SODIUM"], "brand_name": ["Jantoven"], "rxcui": ["855288"]},
}  # fmt: skip
ANSWER = {
    "meta": {"disclaimer": "d", "license": "CC0", "last_updated": "2023-06-01",
             "results": {"skip": 0, "limit": 1, "total": 61}},
    "results": [LABEL],
}  # fmt: skip
SPL = """<?xml version="1.0" encoding="UTF-8"?>
<document xmlns="urn:hl7-org:v3"><id root="1"/><code code="34391-3"/><title>WARFARIN tablet</title>
<effectiveTime value="20220301"/><setId root="bb-22"/><versionNumber value="3"/>
<component><structuredBody>
<component><section><id root="2"/><code code="48780-1"/><subject><manufacturedProduct><manufacturedProduct>
<name>Jantoven</name><asEntityWithGeneric><genericMedicine><name>warfarin sodium</name></genericMedicine>
</asEntityWithGeneric></manufacturedProduct></manufacturedProduct></subject></section></component>
<component><section><id root="3"/><code code="34073-7"/><title>7 DRUG INTERACTIONS</title>
<text><paragraph>General <content>note</content>.</paragraph></text>
<component><section><id root="4"/><code code="42229-5"/><title>7.1 Bleeding</title>
<text><paragraph>NSAIDs raise it.</paragraph></text></section></component></section></component>
<component><section><id root="5"/><code code="34082-8"/><title>8.5 Geriatric Use</title>
<text><paragraph>Lower doses.</paragraph></text></section></component>
</structuredBody></component></document>"""


def fetcher(folder: Path) -> Fetcher:
    return Fetcher(folder, interval=0.0, sleep=lambda seconds: None)


def test_openfda_answers_become_sections(double: Any, tmp_path: Path, resolver: Resolver) -> None:
    busy = {"first": True}

    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        query = parse_qs(urlparse(path).query)
        assert urlparse(path).path == "/drug/label.json" and query["limit"] == ["1"]
        if busy.pop("first", False):
            return 429, {"Retry-After": "1"}, b'{"error": {"code": "OVER_RATE_LIMIT", "message": "slow down"}}'
        if "warfarin" in query["search"][0]:
            return 200, {}, json.dumps(ANSWER).encode()
        return 404, {}, b'{"error": {"code": "NOT_FOUND", "message": "No matches found!"}}'

    double.answer = answer
    polite = fetcher(tmp_path)
    frame = openfda.fetch(polite, double.url, ["warfarin", "unobtainium"])
    assert polite.requests == 3 and frame["section"].tolist() == ["boxed_warning", "drug_interactions"]
    first = frame.iloc[0]
    assert (first["record"], first["date"], list(first["names"])) == ("aa-11", "2023-05-17", ["WARFARIN SODIUM"])
    joined = supplied_texts({"openfda": frame}, resolver)
    assert list(joined.iloc[0]["drugs"]) == ["warfarin"] and joined.iloc[0]["year"] == 2023


def test_openfda_files_json_zip_and_lines(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(ANSWER))
    with zipfile.ZipFile(tmp_path / "drug-label-0001-of-0013.json.zip", "w") as archive:
        archive.writestr("drug-label-0001-of-0013.json", json.dumps(ANSWER))
    line = {"drug": "FETZIMA", "section": "adverse_reactions", "text": "Nausea."}
    (tmp_path / "lines.jsonl").write_text(json.dumps(line) + "\n")
    assert len(openfda.read(find_files("openfda", tmp_path, openfda.FILES))) == 5


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("a.json", '{"results": [{"set_id": "x", "drug_interactions": "text"}]}', r"results\[0\]\.drug_interactions"),
        ("a.json", '{"results": [{}]}', r"a.json, results\[0\], id"),
        ("a.json", '{"results": 3}', "a.json, results"),
        ("a.json", '{"results": [', "line 1 column 14"),
        ("a.jsonl", '{"drug": "A", "section": "overdosage", "text": "t"}', "a.jsonl line 1, section"),
        ("a.jsonl", '\n{"drug": "A", "section": "warnings"}', "a.jsonl line 2, text"),
    ],
)
def test_a_malformed_label_file_names_place_and_field(write: Write, name: str, text: str, named: str) -> None:
    with pytest.raises(PolyGuardError, match=named):
        openfda.read(find_files("openfda", write(name, text), openfda.FILES))


def test_dailymed_searches_then_reads_the_label(double: Any, tmp_path: Path, resolver: Resolver) -> None:
    listing = {
        "metadata": {"total_elements": 1, "elements_per_page": 1, "total_pages": 1, "current_page": 1},
        "data": [{"spl_version": 3, "published_date": "Mar 01, 2022", "title": "WARFARIN", "setid": "bb-22"}],
    }
    failures = iter([500])

    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        if path.startswith("/services/v2/spls.json?drug_name=warfarin"):
            return 200, {}, json.dumps(listing).encode()
        assert path == "/services/v2/spls/bb-22.xml"
        return (next(failures), {}, b"") if failures.__length_hint__() else (200, {}, SPL.encode())

    double.answer = answer
    frame = dailymed.fetch(fetcher(tmp_path), double.url, ["warfarin"])
    assert frame["section"].tolist() == ["drug_interactions", "geriatric_use"]
    assert frame.iloc[0]["text"] == "7 DRUG INTERACTIONS General note . 7.1 Bleeding NSAIDs raise it."
    assert frame.iloc[0]["date"] == "2022-03-01" and frame.iloc[0]["url"].endswith("bb-22.xml")
    assert list(supplied_texts({"dailymed": frame}, resolver).iloc[0]["drugs"]) == ["warfarin"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("<document>", "label.xml, line 1"),
        ("<document xmlns='urn:hl7-org:v3'/>", "label.xml, setId"),
        ("<!DOCTYPE d [<!ENTITY x 'y'>]><document xmlns='urn:hl7-org:v3'>&x;</document>", "document type"),
    ],
)
def test_a_malformed_spl_names_the_file(write: Write, text: str, named: str) -> None:
    with pytest.raises(PolyGuardError, match=named):
        dailymed.read(find_files("dailymed", write("label.xml", text), dailymed.FILES))


def test_rxnav_gives_concepts_and_their_ingredients(double: Any, tmp_path: Path) -> None:
    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        url = urlparse(path)
        if url.path == "/REST/rxcui.json":
            name = parse_qs(url.query)["name"][0]
            group = {"name": name, "rxnormId": ["202421"]} if name == "Coumadin" else {"name": name}
            return 200, {}, json.dumps({"idGroup": group}).encode()
        assert url.path == "/REST/rxcui/202421/related.json" and url.query == "tty=IN"
        concept = {"rxcui": "11289", "name": "warfarin", "synonym": "", "tty": "IN", "language": "ENG"}
        groups = [{"tty": "IN", "conceptProperties": [concept]}]
        related = {"relatedGroup": {"rxcui": "202421", "termType": ["IN"], "conceptGroup": groups}}
        return 200, {}, json.dumps(related).encode()

    double.answer = answer
    frame = rxnav.fetch(fetcher(tmp_path), double.url, ["Coumadin", "Nothing"])
    assert frame[["rxcui", "name", "term_type"]].to_numpy().tolist() == [
        ["202421", "Coumadin", ""],
        ["11289", "warfarin", "IN"],
    ]
    assert frame["ingredients"].tolist() == [["11289"], ["11289"]]


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"other": 1}'])
def test_an_answer_of_another_shape_names_the_drug(double: Any, tmp_path: Path, body: bytes) -> None:
    double.answer = lambda path: (200, {}, body)
    with pytest.raises(PolyGuardError, match="RxNav answer for Coumadin"):
        rxnav.fetch(fetcher(tmp_path), double.url, ["Coumadin"])


def test_the_label_samples(shared: Callable[[str], Path], resolver: Resolver) -> None:
    frame = openfda.read(find_files("openfda", shared("fda_label_text"), openfda.FILES))
    assert len(frame) == 820
    assert supplied_texts({"openfda": frame}, resolver)["resolved"].mean() > 0.85
