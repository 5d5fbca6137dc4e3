"""Patients of supplied sources, as the environment and the review know them."""

import dagster as dg
import pandas as pd

from polyguard_assets.io.results import versioned
from polyguard_assets.paths import knowledge_folder
from polyguard_assets.versions import source_version
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.risk.review import review_regimen
from polyguard_env.sources.records import listed, records_of, to_patients
from polyguard_env.sources.resolve import Resolver, added_aliases

CODE = source_version("polyguard_env/sources", "polyguard_env/patients/model.py", "polyguard_env/knowledge/names.py")
RECORDS = ("synthea_patients", "fhir_patients", "mimic_patients", "nhanes_patients")
MOST_REVIEWED = 500


@dg.asset(
    group_name="patients", deps=["knowledge_snapshot"], code_version=CODE, kinds={"parquet"},
    ins={name: dg.AssetIn() for name in RECORDS},
)  # fmt: skip
def supplied_patients(supplied_names: pd.DataFrame, **records: pd.DataFrame) -> dg.MaterializeResult[pd.DataFrame]:
    """People over 65 of every supplied source; what did not resolve is counted and listed."""
    knowledge = KnowledgeBase.load(knowledge_folder())
    resolver = Resolver(knowledge.tables["vocabulary"], added_aliases(supplied_names))
    joined = to_patients((record for name in RECORDS for record in records_of(records[name])), resolver)
    reviewed = [review_regimen(patient, knowledge) for patient in joined.patients[:MOST_REVIEWED]]
    return versioned(
        "supplied_patients", joined.frame, status="supplied" if joined.patients or joined.excluded else "not supplied",
        patients=len(joined.frame), excluded=dict(joined.excluded), unresolved=len(joined.unresolved),
        unresolved_names=dict(listed(joined.unresolved)), unmapped_conditions=dict(listed(joined.unmapped)),
        other_allergens=dict(listed(joined.allergens)),
        by_source={str(name): int(count) for name, count in joined.frame["source"].value_counts().items()},
        reviewed=len(reviewed), findings=sum(len(report.findings) for report in reviewed),
    )  # fmt: skip


ASSETS = [supplied_patients]
