"""The optional real sources as typed tables; one that is not supplied is an empty table that says so."""

from types import ModuleType

import dagster as dg
import pandas as pd

from polyguard_assets.io.results import versioned
from polyguard_assets.paths import within_project
from polyguard_assets.supplied import SuppliedSources, empty, provenance, supply_signature
from polyguard_assets.versions import source_version
from polyguard_env.sources import cpic, ddinter, fhir, mimic, nhanes, onsides, rxnorm_rrf, synthea, twosides

READERS: dict[str, ModuleType] = {
    "rxnorm_concepts": rxnorm_rrf,
    "ddinter_interactions": ddinter,
    "twosides_signals": twosides,
    "onsides_effects": onsides,
    "cpic_pairs": cpic,
    "synthea_patients": synthea,
    "fhir_patients": fhir,
    "mimic_patients": mimic,
    "nhanes_patients": nhanes,
}
CODE = ("polyguard_env/sources",)


def source_asset(name: str, module: ModuleType) -> dg.AssetsDefinition:
    """The asset of one source that a user supplies as files."""

    @dg.asset(
        name=name, group_name="sources", kinds={"parquet"}, description=(module.__doc__ or "").split("\n\n")[0],
        code_version=f"{source_version(*CODE)}-{supply_signature(module.SOURCE)}",
    )  # fmt: skip
    def read(supplied_sources: SuppliedSources) -> dg.MaterializeResult[pd.DataFrame]:
        files = supplied_sources.files(module.SOURCE, module.FILES)
        about = provenance(module.SOURCE, files)
        if not files:
            where = dg.MetadataValue.path(within_project(supplied_sources.place(module.SOURCE)))
            return versioned(name, empty(name), status="not supplied", rows=0, supply_at=where, **about)
        frame = module.read(files)
        return versioned(name, frame, status="supplied", rows=len(frame), **about)

    return read


ASSETS = [source_asset(name, module) for name, module in READERS.items()]
