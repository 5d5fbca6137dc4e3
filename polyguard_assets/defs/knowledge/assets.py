"""Knowledge: vocabulary, classes, interaction graph and rule tables, and the snapshot that joins them."""

import json

import dagster as dg
import networkx as nx
import pandas as pd

from polyguard_assets.charts import counts, inline
from polyguard_assets.io.results import versioned
from polyguard_assets.paths import knowledge_folder, raw_wheels, within_project
from polyguard_assets.versions import KNOWLEDGE, source_version
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.build import (
    build_classes,
    build_interactions,
    build_profiles,
    build_rules,
    drugs_from,
)
from polyguard_env.knowledge.compile import read_sources
from polyguard_env.knowledge.schema import RULE_KINDS
from polyguard_env.knowledge.vocabulary import build_vocabulary
from polyguard_env.sources.join import agreement, with_supplied

GROUP = "knowledge"
CODE = source_version(*KNOWLEDGE, "polyguard_env/sources/join.py", "polyguard_assets/defs/knowledge/assets.py")
SOURCES = ["ansm_thesaurus", "drug_names"]


@dg.asset(group_name=GROUP, deps=SOURCES, code_version=CODE, kinds={"parquet", "pandas"})
def drug_vocabulary() -> dg.MaterializeResult[pd.DataFrame]:
    """Ingredients with the names that resolve to them: names wheel, thesaurus and formulary joined."""
    frame = build_vocabulary(*read_sources(raw_wheels()))
    return versioned(
        "drug_vocabulary", frame, ingredients=len(frame), formulary=int(frame["formulary"].sum()),
        names=int(frame["names"].map(len).sum()), with_drugbank_id=int((frame["drugbank_id"] != "").sum()),
        with_rxcui=int((frame["rxcui"] != "").sum()),
    )  # fmt: skip


@dg.asset(group_name=GROUP, code_version=CODE, kinds={"parquet", "pandas"})
def drug_classes(drug_vocabulary: pd.DataFrame) -> dg.MaterializeResult[pd.DataFrame]:
    """Each drug's classes in the therapeutic class tree, ancestors included."""
    frame = build_classes(drug_vocabulary)
    return versioned("drug_classes", frame, classes=int(frame["class_id"].nunique()))


@dg.asset(group_name=GROUP, code_version=CODE, kinds={"parquet", "pandas"})
def drug_profiles() -> dg.MaterializeResult[pd.DataFrame]:
    """The formulary: doses, elimination, enzyme roles and risks of each fully profiled ingredient."""
    frame = build_profiles()
    return versioned(
        "drug_profiles", frame, ingredients=len(frame), use_weight=float(frame["use_weight"].astype(float).sum())
    )


@dg.asset(group_name=GROUP, deps=SOURCES, code_version=CODE, kinds={"parquet", "networkx"})
def ddi_graph(
    drug_vocabulary: pd.DataFrame,
    drug_classes: pd.DataFrame,
    drug_profiles: pd.DataFrame,
    supplied_interactions: pd.DataFrame,
) -> dg.MaterializeResult[pd.DataFrame]:
    """The interaction graph: graded edges from the thesaurus, curated class rules, derivation and supplied sources.

    Supplied grades never outrank the project's own; the metadata says where they agree and what they add.
    """
    thesaurus, names = read_sources(raw_wheels())
    frame = build_interactions(thesaurus, names, drugs_from(drug_vocabulary, drug_classes, drug_profiles))
    supplied = agreement(frame, supplied_interactions) or "not supplied"
    frame = with_supplied(frame, supplied_interactions)
    graph = nx.from_pandas_edgelist(frame, "drug_a", "drug_b", ["severity"])
    degrees = sorted(graph.degree, key=lambda pair: -pair[1])[:10]
    severities = {str(name): int(count) for name, count in frame["severity"].value_counts().items()}
    mechanisms = {str(name): float(count) for name, count in frame["mechanism"].value_counts().head(12).items()}
    return versioned(
        "ddi_graph", frame, edges=len(frame), drugs=graph.number_of_nodes(), disagreeing=int(frame["disagree"].sum()),
        components=nx.number_connected_components(graph), severities=severities, most_connected=dict(degrees),
        mechanisms=dg.MetadataValue.md(inline(counts(mechanisms, "Edges by mechanism"), "mechanisms")),
        supplied=supplied,
    )  # fmt: skip


def rule_asset(kind: str) -> dg.AssetsDefinition:
    """The asset of one rule table, expanded to drugs."""

    @dg.asset(name=f"{kind}_rules", group_name=GROUP, code_version=CODE, kinds={"parquet"},
              description=f"The {kind.replace('_', ' ')} rules, one row per drug they apply to.")  # fmt: skip
    def rules(
        drug_vocabulary: pd.DataFrame, drug_classes: pd.DataFrame, drug_profiles: pd.DataFrame
    ) -> dg.MaterializeResult[pd.DataFrame]:
        every = build_rules(drugs_from(drug_vocabulary, drug_classes, drug_profiles))
        frame = every[every["kind"] == kind].reset_index(drop=True)
        return versioned(
            f"{kind}_rules", frame, rules=int(frame["rule_id"].nunique()), drugs=int(frame["drug_id"].nunique())
        )

    return rules


RULE_ASSETS = {kind: rule_asset(kind) for kind in RULE_KINDS}


@dg.asset(
    group_name=GROUP,
    code_version=CODE,
    kinds={"parquet"},
    ins={f"{kind}_rules": dg.AssetIn() for kind in RULE_KINDS},
)
def knowledge_snapshot(
    drug_vocabulary: pd.DataFrame,
    drug_classes: pd.DataFrame,
    drug_profiles: pd.DataFrame,
    ddi_graph: pd.DataFrame,
    **rules: pd.DataFrame,
) -> dg.MaterializeResult[None]:
    """The knowledge base that environments, server and corpora load; its fingerprint goes into every report."""
    together = pd.concat([rules[f"{kind}_rules"] for kind in RULE_KINDS], ignore_index=True)
    vocabulary = drug_vocabulary.assign(names=drug_vocabulary["names"].map(list))
    knowledge = KnowledgeBase(
        {
            "vocabulary": vocabulary,
            "classes": drug_classes,
            "profiles": drug_profiles,
            "interactions": ddi_graph,
            "rules": together,
        }
    )
    knowledge.save(knowledge_folder())
    return dg.MaterializeResult(
        metadata={
            "knowledge_fingerprint": knowledge.fingerprint,
            "path": dg.MetadataValue.path(within_project(knowledge_folder())),
            "drugs": len(knowledge.drugs),
            "interactions": len(ddi_graph),
            "rules": len(together),
        },
        data_version=dg.DataVersion(knowledge.fingerprint),
    )


def fingerprint() -> str:
    """The materialized snapshot's fingerprint."""
    return str(json.loads((knowledge_folder() / "manifest.json").read_text(encoding="utf-8"))["fingerprint"])


ASSETS = [drug_vocabulary, drug_classes, drug_profiles, ddi_graph, *RULE_ASSETS.values(), knowledge_snapshot]
