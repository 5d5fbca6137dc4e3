"""Synthetic patients, from the generator scenarios draw their persons from."""

import dagster as dg
import pandas as pd

from polyguard_assets.charts import counts, inline
from polyguard_assets.io.results import versioned
from polyguard_assets.paths import knowledge_folder
from polyguard_assets.settings import Settings
from polyguard_assets.versions import source_version
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.generate import PatientGenerator
from polyguard_env.patients.person import PERSON_SEED
from polyguard_env.risk.review import rule_index

CODE = source_version("polyguard_env/patients", "polyguard_env/knowledge/tables")


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
    """Drug counts as NCHS published them: 1 or more 88.5%, 3 or more 66.4%, 5 or more 41.9% (each within 3 points)."""
    taken = synthetic_patients["drugs"].map(len)
    found = {f"at_least_{n}": float((taken >= n).mean()) for n in (1, 3, 5)}
    published = {"at_least_1": 0.885, "at_least_3": 0.664, "at_least_5": 0.419}
    ages = synthetic_patients["age"]
    passed = all(abs(found[name] - share) <= 0.03 for name, share in published.items()) and bool(ages.ge(65).all())
    return dg.AssetCheckResult(passed=passed, metadata={"found": found, "published": published})


ASSETS = [synthetic_patients]
CHECKS = [cohort_is_plausible]
