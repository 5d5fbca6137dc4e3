"""Builds the knowledge: vocabulary, classes, interaction graph and rules, from tables and pinned sources.

Pure functions over DataFrames; the asset graph and `python -m polyguard_env build-knowledge` call them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.ansm import Thesaurus, expand
from polyguard_env.knowledge.derive import derive_pairs
from polyguard_env.knowledge.formulary import formulary_rows, profile_of, split
from polyguard_env.knowledge.roles import Roles, roles_by_drug
from polyguard_env.knowledge.rules import Selector, ceilings, expand_rules, interaction_rows, spoken
from polyguard_env.knowledge.schema import SEVERITY_RANK, ClassNode, Drug
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.knowledge.vocabulary import NameDictionary, build_vocabulary, thesaurus_ids

__all__ = [
    "build_classes",
    "build_interactions",
    "build_profiles",
    "build_rules",
    "build_vocabulary",
    "class_tree",
    "drugs_from",
]

ANSM_SOURCE, ANSM_YEAR = "ansm2020", 2020
OUTRANKS = {"rule": 3, "ansm": 2, "derived": 1}


def class_tree() -> dict[str, ClassNode]:
    """Class id to class.

    Raises:
        PolyGuardError: a class without origin, source or year.
    """
    nodes = {}
    for row in read_fragments("classes"):
        for column in ("origin", "source", "year"):
            if not row.get(column):
                fix = "say what the class is from: origin, source (a key of sources.csv) and year"
                raise PolyGuardError(f"classes.csv {row['class_id']} {column}", "", fix)
        nodes[row["class_id"]] = ClassNode(**row | {"year": int(row["year"])})  # type: ignore[arg-type]
    return nodes


def build_classes(vocabulary: pd.DataFrame) -> pd.DataFrame:
    """Drug-class memberships, ancestors included.

    Returns:
        One row per drug and class: drug_id, class_id, distance (0 for the leaf), source and year of the class.
    """
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
                    node = tree[name]
                    row = {"class_id": name, "distance": distance, "source": node.source, "year": node.year}
                    rows.append({"drug_id": drug_id} | row)
                    seen.add(name)
                distance, name = distance + 1, tree[name].parent_id
    return pd.DataFrame(rows, columns=["drug_id", "class_id", "distance", "source", "year"])


def build_profiles() -> pd.DataFrame:
    """The formulary, one row per drug, every column as text (see `profile_of`)."""
    return pd.DataFrame(formulary_rows())


def drugs_from(vocabulary: pd.DataFrame, classes: pd.DataFrame, profile_rows: pd.DataFrame) -> dict[str, Drug]:
    """Drug objects by id, profiles attached."""
    rows: list[Any] = profile_rows.to_dict("records")
    profiles = {row["drug_id"]: profile_of(row) for row in rows}
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
    sources are kept, and `disagree` says whether they grade it differently. A ceiling of `ceilings.csv` keeps
    class-wide grades of the thesaurus and of derivation from pairs whose label says otherwise; a mere "take into
    account" of the thesaurus does not hold for a drug of local use.

    Returns:
        One row per pair: drug_a < drug_b, severity, mechanism, effect, management, sources, years, disagree.
    """
    votes: dict[tuple[str, str], list[tuple[int, int, dict[str, object]]]] = {}
    selector, roles = Selector(drugs), roles_by_drug(drugs)
    most = ceilings(selector)

    def vote(a: str, b: str, kind: str, severity: str, **fields: object) -> None:
        if kind != "rule" and (a, b) in most:
            if most[a, b] == "none":
                return
            severity = min(severity, most[a, b], key=SEVERITY_RANK.__getitem__)
        entry = {"severity": severity, **fields}
        votes.setdefault((a, b), []).append((OUTRANKS[kind], SEVERITY_RANK[severity], entry))

    english = thesaurus_ids(thesaurus, names)
    effects = {row["term"]: row["effect"] for row in read_fragments("mechanisms")}
    for pair in expand(thesaurus):
        a, b = english.get(pair.a), english.get(pair.b)
        if a and b and a != b and a in drugs and b in drugs:
            if pair.severity == "minor" and not (_systemic(roles, a) and _systemic(roles, b)):
                continue
            effect = pair.effect.format(a=spoken(drugs[a]), b=spoken(drugs[b])) or effects[pair.mechanism]
            vote(min(a, b), max(a, b), "ansm", pair.severity, mechanism=pair.mechanism, effect=effect,
                 management=pair.management, source=ANSM_SOURCE, year=ANSM_YEAR)  # fmt: skip
    for a, b, row in interaction_rows(selector):
        vote(a, b, "rule", row["severity"], mechanism=row["mechanism"], effect=row["effect"],
             management=row["management"], source=row["source"], year=int(row["year"]))  # fmt: skip
    for a, b, found in derive_pairs(roles):
        vote(a, b, "derived", found.severity, mechanism=found.mechanism,
             effect=found.effect.format(x=spoken(drugs[found.victim])) if found.victim else effects[found.mechanism],
             management=found.management, source=found.source, year=found.year)  # fmt: skip
    rows = []
    for (a, b), cast in sorted(votes.items()):
        best = max(cast, key=lambda entry: (entry[0], entry[1], str(entry[2]["mechanism"])))[2]
        told = best if best["mechanism"] != "other" else _named(cast) or best
        by_source = {str(entry["source"]): int(str(entry["year"])) for _, _, entry in cast}
        graded = {str(e["source"]): max(rank for _, rank, f in cast if f["source"] == e["source"]) for *_, e in cast}
        rows.append(
            {
                "drug_a": a, "drug_b": b, "severity": best["severity"], "mechanism": told["mechanism"],
                "effect": told["effect"], "management": best["management"],
                "sources": ";".join(sorted(by_source)), "years": ";".join(str(by_source[s]) for s in sorted(by_source)),
                "disagree": len(set(graded.values())) > 1,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _systemic(roles: Mapping[str, Roles], drug_id: str) -> bool:
    """True unless the drug's profile has local routes only."""
    return drug_id not in roles or roles[drug_id].systemic


def _named(cast: Iterable[tuple[int, int, dict[str, object]]]) -> dict[str, object] | None:
    """The highest-ranking entry that names its mechanism."""
    named = [entry for entry in cast if entry[2]["mechanism"] != "other"]
    return max(named, key=lambda entry: (entry[0], entry[1], str(entry[2]["mechanism"])))[2] if named else None


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
