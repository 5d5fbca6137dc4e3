"""DailyMed labels: structured product labels (SPL, HL7 v3 XML) from files or its web services."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

import pandas as pd

from polyguard_env.errors import PolyGuardError
from polyguard_env.sources.fetch import Fetcher
from polyguard_env.sources.labels import LabelText, iso_date, labels_frame, one_line
from polyguard_env.sources.supplied import Files, Wanted

SOURCE = "dailymed"
FILES = (Wanted("labels", ("*.xml",)),)
NAMESPACE = {"spl": "urn:hl7-org:v3"}
TAG = "{urn:hl7-org:v3}"
# LOINC codes of label sections.
LOINC = {
    "34066-1": "boxed_warning",
    "34067-9": "indications_and_usage",
    "34068-7": "dosage_and_administration",
    "34070-3": "contraindications",
    "43685-7": "warnings_and_cautions",
    "34071-1": "warnings",
    "42232-9": "precautions",
    "34073-7": "drug_interactions",
    "34084-4": "adverse_reactions",
    "34082-8": "geriatric_use",
    "43684-0": "use_in_specific_populations",
}


def read(files: Files) -> pd.DataFrame:
    """The sections of every label file.

    Raises:
        PolyGuardError: a file is no SPL document.
    """
    return labels_frame(text for path in files["labels"] for text in parse(path.read_bytes(), path.name))


def fetch(fetcher: Fetcher, base: str, drugs: Sequence[str], labels_per_drug: int = 1) -> pd.DataFrame:
    """Labels of the named drugs from the web services.

    Args:
        base: for example https://dailymed.nlm.nih.gov/dailymed.

    Raises:
        PolyGuardError: the server refused or failed, or its answer is not of the published shape.
    """
    texts: list[LabelText] = []
    services = f"{base.rstrip('/')}/services/v2"
    for name in drugs:
        found = fetcher.get(f"{services}/spls.json", {"drug_name": name, "pagesize": labels_per_drug}, absent=(404,))
        for set_id in _set_ids(found, name)[:labels_per_drug] if found else ():
            url = f"{services}/spls/{set_id}.xml"
            texts += parse(fetcher.get(url) or b"", f"DailyMed label {set_id}", url)
    return labels_frame(texts)


def _set_ids(body: bytes, name: str) -> list[str]:
    place = f"DailyMed answer for {name}"
    try:
        return [str(row["setid"]) for row in json.loads(body)["data"]]
    except (ValueError, KeyError, TypeError) as error:
        raise PolyGuardError(f"{place}, data", str(error), "expected DailyMed's list of labels with setid") from error


def parse(body: bytes, place: str, url: str = "") -> Iterator[LabelText]:
    """The sections of interest of one SPL document.

    Raises:
        PolyGuardError: it is no XML, declares entities, or is no SPL document.
    """
    if b"<!ENTITY" in body or b"<!DOCTYPE" in body:
        raise PolyGuardError(place, "document type declaration", "give an SPL document without one")
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        line, column = error.position
        raise PolyGuardError(f"{place}, line {line} column {column}", str(error), "give well-formed XML") from error
    set_id = root.find("spl:setId", NAMESPACE)
    if root.tag != f"{TAG}document" or set_id is None or not set_id.get("root"):
        raise PolyGuardError(f"{place}, setId", root.tag, "give an SPL document (urn:hl7-org:v3) with a setId")
    effective = root.find("spl:effectiveTime", NAMESPACE)
    date = iso_date(effective.get("value", "") if effective is not None else "")
    names = _names(root, "genericMedicine") or _names(root, "manufacturedProduct")
    for section in root.iter(f"{TAG}section"):
        kind = LOINC.get(_code(section), "")
        text = one_line(" ".join(_own_text(section)))
        if kind and text:
            yield LabelText(set_id.get("root", ""), date, names, (), kind, text, url)


def _names(root: ElementTree.Element, tag: str) -> tuple[str, ...]:
    found = (element.find("spl:name", NAMESPACE) for element in root.iter(f"{TAG}{tag}"))
    return tuple(dict.fromkeys(one_line("".join(name.itertext())) for name in found if name is not None))


def _code(section: ElementTree.Element) -> str:
    code = section.find("spl:code", NAMESPACE)
    return code.get("code", "") if code is not None else ""


def _own_text(section: ElementTree.Element) -> Iterator[str]:
    """Title and text of a section and of its parts, but for parts that are sections of interest themselves."""
    for child in section:
        if child.tag in (f"{TAG}title", f"{TAG}text"):
            yield " ".join(child.itertext())
        elif child.tag == f"{TAG}component":
            for part in child.findall("spl:section", NAMESPACE):
                if _code(part) not in LOINC:
                    yield from _own_text(part)
