"""Builds the knowledge: vocabulary, classes, interaction graph and rules, from tables and pinned sources.

Pure functions over DataFrames; the asset graph and `python -m polyguard_env build-knowledge` call them.
"""

from __future__ import annotations

import bz2
import json
import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import pandas as pd

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.ansm import Thesaurus, english_ids, expand
from polyguard_env.knowledge.derive import derive_pairs
from polyguard_env.knowledge.formulary import formulary_rows, profile_of, split
from polyguard_env.knowledge.names import normalise, slug
from polyguard_env.knowledge.rules import Selector, expand_rules, interaction_rows
from polyguard_env.knowledge.schema import SEVERITY_RANK, Drug
from polyguard_env.knowledge.tabular import read_fragments

NAME_DICTIONARY = "drug_named_entity_recognition/drug_ner_dictionary.pkl.bz2"
ANSM_SOURCE, ANSM_YEAR = "ansm2020", 2020
DERIVED_SOURCE, DERIVED_YEAR = "fda_cyp", 2023
OUTRANKS = {"rule": 3, "ansm": 2, "derived": 1}


@dataclass(frozen=True, slots=True)
class NameDictionary:
    """Names of the `drug-named-entity-recognition` wheel: variant to canonical, canonical to identifiers."""

    canonical: dict[str, str]
    identifiers: dict[str, dict[str, object]]


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
    canonical = {normalise(name): found[0] for name, found in data["drug_variant_to_canonical"].items()}
    return NameDictionary(canonical, data["drug_canonical_to_data"])


def build_vocabulary(thesaurus: Thesaurus, names: NameDictionary) -> pd.DataFrame:
    """Ingredients with their names.

    Returns:
        One row per drug: drug_id, name, rxcui, drugbank_id, atc, names (sorted, normalised), class_ids,
        formulary (bool), sources.
    """
    rows: dict[str, dict[str, object]] = {}
    for canonical, facts in names.identifiers.items():
        known = "drugbank_id" in facts and {"mesh_id", "wikipedia_url", "medline_plus_id"} & facts.keys()
        if known and "," not in canonical and slug(canonical):
            rows[slug(canonical)] = _row(slug(canonical), str(facts["name"]), str(facts["drugbank_id"]), "drugner")
    english = english_ids(sorted(thesaurus.substances), _known_names(names))
    for substance, drug_id in english.items():
        row = rows.setdefault(drug_id, _row(drug_id, drug_id.replace("_", " ").capitalize(), "", ANSM_SOURCE))
        row["rxcui"] = row["rxcui"] or thesaurus.rxcui.get(substance, "")
        row["names"].add(substance)  # type: ignore[attr-defined]
    for entry in formulary_rows():
        drug_id = entry["drug_id"]
        row = rows.setdefault(drug_id, _row(drug_id, entry["name"].capitalize(), "", entry["sources"].split(";")[0]))
        row |= {"formulary": True, "atc": ";".join(split(entry["atc"]))}
        row["class_ids"] = ";".join([entry["class_id"], *split(entry["other_classes"])])
        row["names"] |= {normalise(n) for n in (*split(entry["brands"]), *split(entry["synonyms"]))}  # type: ignore[operator]
    for variant, canonical in names.canonical.items():
        if slug(canonical) in rows:
            rows[slug(canonical)]["names"].add(variant)  # type: ignore[attr-defined]
    frame = pd.DataFrame([row | {"names": sorted(row["names"])} for _, row in sorted(rows.items())])  # type: ignore[call-overload]
    return frame


def _row(drug_id: str, name: str, drugbank_id: str, source: str) -> dict[str, object]:
    return {
        "drug_id": drug_id, "name": name, "rxcui": "", "drugbank_id": drugbank_id, "atc": "",
        "names": {normalise(name), drug_id.replace("_", " ")}, "class_ids": "", "formulary": False, "sources": source,
    }  # fmt: skip


def _known_names(names: NameDictionary) -> dict[str, str]:
    """Normalised English names to drug ids, brands left out of French matching only by exactness."""
    return {variant: slug(canonical) for variant, canonical in names.canonical.items()}


def class_tree() -> dict[str, str]:
    """Class id to parent id ("" at the top)."""
    return {row["class_id"]: row["parent_id"] for row in read_fragments("classes")}


def build_classes(vocabulary: pd.DataFrame) -> pd.DataFrame:
    """Drug-class memberships, ancestors included: drug_id, class_id, distance (0 for the leaf)."""
    tree = class_tree()
    rows = []
    for drug_id, cell in zip(vocabulary["drug_id"], vocabulary["class_ids"], strict=True):
        seen: set[str] = set()
        for leaf in split(str(cell)):
            distance, name = 0, leaf
            while name:
                if name not in tree:
                    raise PolyGuardError(f"class of {drug_id}", name, "add the class to classes.csv")
                if name not in seen:
                    rows.append({"drug_id": drug_id, "class_id": name, "distance": distance})
                    seen.add(name)
                distance, name = distance + 1, tree[name]
    return pd.DataFrame(rows, columns=["drug_id", "class_id", "distance"])


def drugs_from(vocabulary: pd.DataFrame, classes: pd.DataFrame) -> dict[str, Drug]:
    """Drug objects by id, profiles attached."""
    profiles = {row["drug_id"]: profile_of(row) for row in formulary_rows()}
    held: dict[str, list[str]] = {}
    for row in classes.sort_values(["drug_id", "distance"], kind="stable").itertuples():
        held.setdefault(str(row.drug_id), []).append(str(row.class_id))
    return {
        str(row.drug_id): Drug(
            str(row.drug_id), str(row.name), str(row.rxcui), str(row.drugbank_id), split(str(row.atc)),
            tuple(held.get(str(row.drug_id), ())), profiles.get(str(row.drug_id)),
        )
        for row in vocabulary.itertuples(index=False)
    }  # fmt: skip


def build_interactions(thesaurus: Thesaurus, names: NameDictionary, drugs: Mapping[str, Drug]) -> pd.DataFrame:
    """The interaction graph.

    A pair's grade comes from its highest-ranking source (curated rule, thesaurus, derivation); all its
    sources are kept, and `disagree` says whether they grade it differently.

    Returns:
        One row per pair: drug_a < drug_b, severity, mechanism, effect, management, sources, years, disagree.
    """
    votes: dict[tuple[str, str], list[tuple[int, int, dict[str, object]]]] = {}

    def vote(a: str, b: str, kind: str, severity: str, **fields: object) -> None:
        entry = {"severity": severity, **fields}
        votes.setdefault((a, b), []).append((OUTRANKS[kind], SEVERITY_RANK[severity], entry))

    english = english_ids(sorted(thesaurus.substances), _known_names(names))
    effects = {row["term"]: row["effect"] for row in read_fragments("mechanisms")}
    for pair in expand(thesaurus):
        a, b = english.get(pair.a), english.get(pair.b)
        if a and b and a != b and a in drugs and b in drugs:
            vote(min(a, b), max(a, b), "ansm", pair.severity, mechanism=pair.mechanism, effect=effects[pair.mechanism],
                 management=pair.management, source=ANSM_SOURCE, year=ANSM_YEAR)  # fmt: skip
    for a, b, row in interaction_rows(Selector(drugs)):
        vote(a, b, "rule", row["severity"], mechanism=row["mechanism"], effect=row["effect"],
             management=row["management"], source=row["source"], year=int(row["year"]))  # fmt: skip
    profiles = {drug_id: drug.profile for drug_id, drug in drugs.items() if drug.profile}
    for a, b, severity, mechanism, management in derive_pairs(profiles):
        vote(a, b, "derived", severity, mechanism=mechanism, effect=effects[mechanism], management=management,
             source=DERIVED_SOURCE, year=DERIVED_YEAR)  # fmt: skip
    rows = []
    for (a, b), cast in sorted(votes.items()):
        best = max(cast, key=lambda entry: (entry[0], entry[1], str(entry[2]["mechanism"])))[2]
        by_source = {str(entry["source"]): int(str(entry["year"])) for _, _, entry in cast}
        rows.append(
            {
                "drug_a": a, "drug_b": b, "severity": best["severity"], "mechanism": _mechanism(best, cast),
                "effect": best["effect"], "management": best["management"],
                "sources": ";".join(sorted(by_source)), "years": ";".join(str(by_source[s]) for s in sorted(by_source)),
                "disagree": len({entry["severity"] for _, _, entry in cast}) > 1,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _mechanism(best: dict[str, object], cast: Iterable[tuple[int, int, dict[str, object]]]) -> str:
    """The best source's mechanism, or another's where it names none."""
    named = [str(entry["mechanism"]) for *_, entry in cast if entry["mechanism"] != "other"]
    return named[0] if best["mechanism"] == "other" and named else str(best["mechanism"])


def build_rules(drugs: Mapping[str, Drug]) -> pd.DataFrame:
    """Every rule table, expanded to drugs: rule_id, kind, drug_id, severity, fields (JSON), strength, source, year."""
    return pd.DataFrame(
        [
            {
                "rule_id": rule.rule_id, "kind": rule.kind, "drug_id": rule.drug_id, "severity": rule.severity,
                "fields": json.dumps(rule.fields, sort_keys=True), "strength": rule.strength,
                "source": rule.source, "year": rule.year,
            }
            for rule in expand_rules(Selector(drugs))
        ]
    )  # fmt: skip
