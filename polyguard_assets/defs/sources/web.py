"""Web sources, asked only when a base URL is configured; label sources also read supplied files."""

from types import ModuleType

import dagster as dg
import pandas as pd

from polyguard_assets.io.results import versioned
from polyguard_assets.paths import within_project
from polyguard_assets.supplied import SuppliedSources, empty, formulary_names, provenance, supply_signature
from polyguard_assets.versions import source_version
from polyguard_env.sources import dailymed, openfda, rxnav

READERS: dict[str, ModuleType] = {"rxnav_concepts": rxnav, "openfda_labels": openfda, "dailymed_labels": dailymed}
CODE = ("polyguard_env/sources",)


def web_asset(name: str, module: ModuleType) -> dg.AssetsDefinition:
    """The asset of one web source."""

    @dg.asset(
        name=name, group_name="sources", kinds={"parquet", "http"},
        description=(module.__doc__ or "").split("\n\n")[0],
        code_version=f"{source_version(*CODE)}-{supply_signature(module.SOURCE)}",
    )  # fmt: skip
    def read(supplied_sources: SuppliedSources) -> dg.MaterializeResult[pd.DataFrame]:
        files = supplied_sources.files(module.SOURCE, getattr(module, "FILES", ()))
        about = provenance(module.SOURCE, files)
        base = supplied_sources.services.get(module.SOURCE, "")
        if not files and not base:
            where = dg.MetadataValue.path(within_project(supplied_sources.place(module.SOURCE)))
            return versioned(name, empty(name), status="not supplied", rows=0, supply_at=where, **about)
        frames = [module.read(files)] if files else []
        if base:
            drugs = (supplied_sources.drugs or formulary_names())[: supplied_sources.most_drugs]
            fetcher = supplied_sources.fetcher()
            frames.append(module.fetch(fetcher, base, drugs, supplied_sources.labels_per_drug))
            about |= {"asked": len(drugs), "requests": fetcher.requests, "from_cache": fetcher.cache_hits, "base": base}
        frame = pd.concat(frames, ignore_index=True)
        return versioned(name, frame, status="fetched" if base else "supplied", rows=len(frame), **about)

    return read


ASSETS = [web_asset(name, module) for name, module in READERS.items()]
