"""Supplied sources joined to the vocabulary, with provenance; the packaged knowledge stays as it is."""

import dagster as dg
import pandas as pd

from polyguard_assets.io.results import versioned
from polyguard_assets.versions import source_version
from polyguard_env.sources import join
from polyguard_env.sources.resolve import Resolver, added_aliases, joined_names

GROUP = "knowledge"
CODE = source_version("polyguard_env/sources", "polyguard_env/knowledge/names.py")


@dg.asset(group_name=GROUP, code_version=CODE, kinds={"parquet"})
def supplied_names(
    drug_vocabulary: pd.DataFrame, rxnorm_concepts: pd.DataFrame, rxnav_concepts: pd.DataFrame
) -> dg.MaterializeResult[pd.DataFrame]:
    """How RxNorm's names stand to the vocabulary's; names only RxNorm knows help to resolve other sources."""
    concepts = pd.concat([rxnorm_concepts, rxnav_concepts], ignore_index=True)
    frame = joined_names(concepts, Resolver(drug_vocabulary))
    status = {str(name): int(count) for name, count in frame["status"].value_counts().items()}
    differs = frame.loc[frame["status"] == "differs", "name"].head(50).tolist()
    return versioned("supplied_names", frame, names=len(frame), by_status=status, differing=differs)


@dg.asset(group_name=GROUP, code_version=CODE, kinds={"parquet"})
def supplied_interactions(
    drug_vocabulary: pd.DataFrame,
    supplied_names: pd.DataFrame,
    ddinter_interactions: pd.DataFrame,
    twosides_signals: pd.DataFrame,
) -> dg.MaterializeResult[pd.DataFrame]:
    """DDInter's graded pairs and TWOSIDES' signals as drug ids."""
    resolver = Resolver(drug_vocabulary, added_aliases(supplied_names))
    frame = join.supplied_interactions(ddinter_interactions, twosides_signals, resolver)
    unresolved = join.unresolved_names(frame, ("name_a", "name_b"), resolver)
    return versioned(
        "supplied_interactions", frame, pairs=len(frame), resolved=int(frame["resolved"].astype(bool).sum()),
        unresolved_names=unresolved, unresolved=len(unresolved),
    )  # fmt: skip


@dg.asset(group_name=GROUP, code_version=CODE, kinds={"parquet"})
def supplied_texts(
    drug_vocabulary: pd.DataFrame,
    supplied_names: pd.DataFrame,
    openfda_labels: pd.DataFrame,
    dailymed_labels: pd.DataFrame,
) -> dg.MaterializeResult[pd.DataFrame]:
    """Label sections with the drugs they are about; the evidence corpus takes its label passages from here."""
    resolver = Resolver(drug_vocabulary, added_aliases(supplied_names))
    frame = join.supplied_texts({"openfda": openfda_labels, "dailymed": dailymed_labels}, resolver)
    lost = sorted({name for names in frame.loc[~frame["resolved"].astype(bool), "names"] for name in names})
    return versioned(
        "supplied_texts", frame, sections=len(frame), resolved=int(frame["resolved"].astype(bool).sum()),
        unresolved=len(lost), unresolved_names=lost[:50],
    )  # fmt: skip


@dg.asset(group_name=GROUP, code_version=CODE, kinds={"parquet"})
def supplied_effects(
    drug_vocabulary: pd.DataFrame, supplied_names: pd.DataFrame, onsides_effects: pd.DataFrame
) -> dg.MaterializeResult[pd.DataFrame]:
    """Adverse effects that labels name (OnSIDES), by drug id."""
    resolver = Resolver(drug_vocabulary, added_aliases(supplied_names))
    frame = join.supplied_effects(onsides_effects, resolver)
    unresolved = join.unresolved_names(frame, ("name",), resolver)
    return versioned(
        "supplied_effects", frame, effects=len(frame), drugs=int(frame["drug_id"].nunique()),
        unresolved_names=unresolved, unresolved=len(unresolved),
    )  # fmt: skip


@dg.asset(group_name=GROUP, code_version=CODE, kinds={"parquet"})
def supplied_pharmacogenomics(
    drug_vocabulary: pd.DataFrame,
    supplied_names: pd.DataFrame,
    cpic_pairs: pd.DataFrame,
    pharmacogenomics_rules: pd.DataFrame,
) -> dg.MaterializeResult[pd.DataFrame]:
    """CPIC's gene-drug pairs by drug id, and which of its level A pairs our rules lack."""
    resolver = Resolver(drug_vocabulary, added_aliases(supplied_names))
    frame = join.supplied_pharmacogenomics(cpic_pairs, resolver)
    unresolved = join.unresolved_names(frame, ("name",), resolver)
    return versioned(
        "supplied_pharmacogenomics", frame, pairs=len(frame), unresolved_names=unresolved, unresolved=len(unresolved),
        level_a_without_rule=join.genes_without_rule(frame, pharmacogenomics_rules),
    )  # fmt: skip


ASSETS = [supplied_names, supplied_interactions, supplied_texts, supplied_effects, supplied_pharmacogenomics]
