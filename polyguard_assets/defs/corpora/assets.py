"""Training corpora: demonstrations for SFT, prompts with candidates for GRPO, and their summary."""

from hashlib import blake2b

import dagster as dg
import pandas as pd

from polyguard_assets.io.results import versioned
from polyguard_assets.settings import Settings
from polyguard_assets.versions import made_with, source_version
from polyguard_env.corpora import grpo_rows, sft_rows

GROUP = "corpora"
CODE = made_with(source_version("polyguard_env/corpora.py", "polyguard_assets/defs/corpora"), "sft_share")


def for_sft(scenario_id: str, share: float) -> bool:
    """True when a scenario's decisions become demonstrations; by its id alone."""
    digest = blake2b(scenario_id.encode(), digest_size=8, person=b"sftshare").digest()
    return int.from_bytes(digest, "big") / 2**64 < share


@dg.asset(group_name=GROUP, code_version=CODE, kinds={"parquet"})
def sft_corpus(scenario_rollouts: pd.DataFrame, settings: Settings) -> dg.MaterializeResult[pd.DataFrame]:
    """Demonstrations: compact observation, best action text."""
    chosen = scenario_rollouts["scenario_id"].map(lambda name: for_sft(name, settings.sft_share))
    frame = sft_rows(scenario_rollouts[chosen])
    return versioned("sft_corpus", frame, demonstrations=len(frame), scenarios=int(frame["scenario_id"].nunique()))


@dg.asset(group_name=GROUP, code_version=CODE, kinds={"parquet"})
def grpo_corpus(scenario_rollouts: pd.DataFrame, settings: Settings) -> dg.MaterializeResult[pd.DataFrame]:
    """Prompts with their candidates, from other scenarios than the demonstrations; no rewards inside."""
    chosen = scenario_rollouts["scenario_id"].map(lambda name: not for_sft(name, settings.sft_share))
    frame = grpo_rows(scenario_rollouts[chosen])
    return versioned("grpo_corpus", frame, prompts=len(frame), scenarios=int(frame["scenario_id"].nunique()))


@dg.asset(group_name=GROUP, code_version=CODE, kinds={"parquet"})
def corpus_summary(sft_corpus: pd.DataFrame, grpo_corpus: pd.DataFrame) -> dg.MaterializeResult[pd.DataFrame]:
    """Rows, scenarios, patients and mechanisms of each corpus by sub-environment and difficulty."""
    both = pd.concat([sft_corpus.assign(corpus="sft_corpus"), grpo_corpus.assign(corpus="grpo_corpus")])
    grouped = both.groupby(["corpus", "sub_environment", "difficulty"], observed=True)
    frame = grouped.agg(
        rows=("row_id", "size"),
        scenarios=("scenario_id", "nunique"),
        patients=("patient_id", "nunique"),
        mechanisms=("mechanism", "nunique"),
        mean_characters=("user", lambda texts: float(texts.map(len).mean())),
    ).reset_index()
    return versioned("corpus_summary", frame, rows=int(frame["rows"].sum()))


def leaked_pairs(corpus: pd.DataFrame, holdout_pairs: set[str]) -> int:
    """Rows of a corpus whose regimen holds a holdout pair."""

    def leaks(drugs: list[str]) -> bool:
        return any(f"{a}+{b}" in holdout_pairs for a in drugs for b in drugs if a < b)

    return int(corpus["drugs"].map(leaks).sum())


@dg.asset_check(
    asset="corpus_summary",
    blocking=True,
    additional_ins={name: dg.AssetIn() for name in ("grpo_corpus", "sft_corpus", "scenario_set")},
)
def corpora_hold_no_holdout_pair(
    corpus_summary: pd.DataFrame, grpo_corpus: pd.DataFrame, sft_corpus: pd.DataFrame, scenario_set: pd.DataFrame
) -> dg.AssetCheckResult:
    """No holdout or validation pair, patient or scenario occurs in a training corpus; no reward is in the GRPO one."""
    other = scenario_set[scenario_set["split"] != "train"]
    pairs = set(other["pairs"].explode().dropna())
    found = {}
    for name, corpus in (("sft_corpus", sft_corpus), ("grpo_corpus", grpo_corpus)):
        found[f"{name}_pairs"] = leaked_pairs(corpus, pairs)
        found[f"{name}_patients"] = len(set(corpus["patient_id"]) & set(other["patient_id"]))
        found[f"{name}_scenarios"] = len(set(corpus["scenario_id"]) & set(other["scenario_id"]))
    rewardless = not any("reward" in name for name in grpo_corpus.columns)
    return dg.AssetCheckResult(
        passed=not any(found.values()) and rewardless, metadata=found | {"rewardless": rewardless}
    )


ASSETS = [sft_corpus, grpo_corpus, corpus_summary]
CHECKS = [corpora_hold_no_holdout_pair]
