"""Synthetic patients, from the generator scenarios draw their persons from."""

import dagster as dg
import pandas as pd

from polyguard_assets.charts import counts, inline
from polyguard_assets.io.results import versioned
from polyguard_assets.paths import knowledge_folder
from polyguard_assets.settings import Settings
from polyguard_assets.versions import KNOWLEDGE, made_with, source_version
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.generate import PERSON_SEED, PatientGenerator
from polyguard_env.patients.realism import Comparison, compare
from polyguard_env.risk.review import rule_index

HERE = "polyguard_assets/defs/patients/assets.py"
CODE = made_with(source_version("polyguard_env/patients", "polyguard_env/risk", *KNOWLEDGE, HERE), "patients")


@dg.asset(group_name="patients", deps=["knowledge_snapshot"], code_version=CODE, kinds={"parquet", "numpy"})
def synthetic_patients(settings: Settings) -> dg.MaterializeResult[pd.DataFrame]:
    """Adults over 65 with correlated conditions, kidneys, labs, frailty and regimens prescribed for them."""
    index = rule_index(KnowledgeBase.load(knowledge_folder()))
    frame = PatientGenerator(index, PERSON_SEED).frame(0, settings.patients)
    taken = frame["drugs"].map(len)
    shares = {str(n): float((taken == n).mean()) for n in range(0, 16)}
    return versioned(
        "synthetic_patients", frame, patients=len(frame), seed=PERSON_SEED, mean_age=float(frame["age"].mean()),
        mean_drugs=float(taken.mean()), five_or_more_drugs=float((taken >= 5).mean()),
        drug_counts=dg.MetadataValue.md(inline(counts(shares, "Share of patients by number of drugs"), "drug counts")),
    )  # fmt: skip


@dg.asset_check(asset="synthetic_patients", blocking=True)
def cohort_is_plausible(synthetic_patients: pd.DataFrame) -> dg.AssetCheckResult:
    """Counts, exposures, prevalences, joint figures and quantiles beside published ones; one out of range fails."""
    rows = compare(synthetic_patients, rule_index(KnowledgeBase.load(knowledge_folder())))
    outside = [row.figure for row in rows if not row.plausible]
    return dg.AssetCheckResult(
        passed=not outside and bool(synthetic_patients["age"].ge(65).all()),
        metadata={
            "outside": outside,
            "figures": len(rows),
            "comparison": dg.MetadataValue.md(comparison_table(rows)),
        },
    )


def comparison_table(rows: list[Comparison]) -> str:
    """The comparison as Markdown."""
    lines = ["| figure | found | published | accepted | source |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {row.meaning} | {row.found:.3f} | {row.published:.3f} | {row.low:.3f}-{row.high:.3f} "
        f"| {row.source} {row.year} |"
        for row in rows
    ]
    return "\n".join(lines)


ASSETS = [synthetic_patients]
CHECKS = [cohort_is_plausible]
