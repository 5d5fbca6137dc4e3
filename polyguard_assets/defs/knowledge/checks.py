"""Checks of the knowledge: every row sourced, the graph sound, the snapshot the one the package ships."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pandas as pd

from polyguard_assets.paths import knowledge_folder
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.formulary import profile_of
from polyguard_env.knowledge.schema import RULE_KINDS
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.knowledge.validate import FIRST_YEAR, STRENGTHS
from polyguard_env.sources.catalogue import catalogue

LEAST_INGREDIENTS, LEAST_PROFILES, LEAST_EDGES = 2_500, 500, 30_000


@dg.asset_check(asset="drug_vocabulary", blocking=True)
def vocabulary_is_complete(drug_vocabulary: pd.DataFrame) -> dg.AssetCheckResult:
    """At least 2,500 ingredients, ids unique, every one with a name."""
    unique = drug_vocabulary["drug_id"].is_unique
    named = bool((drug_vocabulary["names"].map(len) > 0).all())
    return dg.AssetCheckResult(
        passed=len(drug_vocabulary) >= LEAST_INGREDIENTS and unique and named,
        metadata={"ingredients": len(drug_vocabulary), "unique_ids": unique, "all_named": named},
    )


@dg.asset_check(asset="ddi_graph", blocking=True)
def edges_are_sound(ddi_graph: pd.DataFrame) -> dg.AssetCheckResult:
    """At least 30,000 edges, each pair once and in order, every one with known sources and years."""
    known = {row["source"] for row in read_fragments("sources")} | set(catalogue())
    sourced = ddi_graph["sources"].map(lambda cell: set(str(cell).split(";")) <= known and bool(cell))
    dated = ddi_graph["years"].map(lambda cell: all(part.isdecimal() for part in str(cell).split(";")))
    ordered = bool((ddi_graph["drug_a"] < ddi_graph["drug_b"]).all())
    once = not ddi_graph.duplicated(["drug_a", "drug_b"]).any()
    return dg.AssetCheckResult(
        passed=len(ddi_graph) >= LEAST_EDGES and bool(sourced.all()) and bool(dated.all()) and ordered and once,
        metadata={"edges": len(ddi_graph), "without_source": int((~sourced).sum()), "ordered": ordered, "once": once},
    )


@dg.asset_check(asset="drug_profiles", blocking=True)
def profiles_are_sound(drug_profiles: pd.DataFrame) -> dg.AssetCheckResult:
    """Every profile parses, is of a drug with a class, and names its sources and year."""
    known = {row["source"] for row in read_fragments("sources")}
    rows: list[Any] = drug_profiles.to_dict("records")
    unsound = [row["drug_id"] for row in rows if not _profile_is_sound(row, known)]
    return dg.AssetCheckResult(
        passed=not unsound and len(rows) >= LEAST_PROFILES, metadata={"unsound": unsound, "profiles": len(rows)}
    )


def _profile_is_sound(row: Mapping[str, str], known: set[str]) -> bool:
    profile = profile_of(dict(row))
    return bool(row["class_id"] and profile.year) and set(profile.sources) <= known and profile.sources != ()


def rules_check(kind: str) -> dg.AssetChecksDefinition:
    """The check of one rule table."""

    @dg.asset_check(asset=f"{kind}_rules", name=f"{kind}_rules_are_sourced", blocking=True,
                    description="Every row names a known source, its year and its strength")  # fmt: skip
    def sourced(rules: pd.DataFrame) -> dg.AssetCheckResult:
        return rules_verdict(rules)

    return sourced


def rules_verdict(rules: pd.DataFrame) -> dg.AssetCheckResult:
    """Passes when no row lacks source, year or strength."""
    known = {row["source"] for row in read_fragments("sources")}
    unsourced = rules[~rules["source"].isin(known)]
    undated = rules[rules["year"] < FIRST_YEAR]
    vague = rules[~rules["strength"].isin(STRENGTHS)]
    return dg.AssetCheckResult(
        passed=len(rules) > 0 and not len(unsourced) and not len(undated) and not len(vague),
        metadata={"rows": len(rules), "unsourced": len(unsourced), "undated": len(undated), "vague": len(vague)},
    )


@dg.asset_check(asset="knowledge_snapshot")
def snapshot_is_the_packaged_one() -> dg.AssetCheckResult:
    """The snapshot made from the sources is the one the package ships (a warning: run build-knowledge)."""
    made = KnowledgeBase.load(knowledge_folder()).fingerprint
    shipped = KnowledgeBase.load(_packaged()).fingerprint
    return dg.AssetCheckResult(
        passed=made == shipped,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"made": made, "shipped": shipped},
    )


def _packaged() -> str:
    from polyguard_env.knowledge.base import snapshot_folder

    return str(snapshot_folder())


CHECKS = [
    vocabulary_is_complete,
    profiles_are_sound,
    edges_are_sound,
    *(rules_check(kind) for kind in RULE_KINDS),
    snapshot_is_the_packaged_one,
]
