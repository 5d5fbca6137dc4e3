"""Where supplied sources are: the resource that finds (or downloads) them, and the empty table when there are none."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pandas as pd

from polyguard_assets.io.schema import schemas
from polyguard_assets.paths import data_lake
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.formulary import formulary_rows
from polyguard_env.sources.catalogue import catalogue, described
from polyguard_env.sources.fetch import Fetcher, fetch_files
from polyguard_env.sources.supplied import Files, Wanted, checksums, combined_sha256, find_files

SOURCES_VARIABLE = "POLYGUARD_SOURCES"


def supplied_folder() -> Path:
    """Folder with one subfolder per source: `POLYGUARD_SOURCES`, or raw/supplied in the data lake."""
    return Path(os.environ.get(SOURCES_VARIABLE) or data_lake() / "raw" / "supplied")


class SuppliedSources(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Optional real sources.

    Attributes:
        folder: folder with one subfolder per source; empty for `POLYGUARD_SOURCES` or raw/supplied.
        locations: source to a path (a folder or a file) or to URLs (separated by spaces), instead of its subfolder.
        services: web source (rxnav, openfda, dailymed) to its base URL; without an entry it is not asked.
        drugs: names to ask the web sources for; empty for the formulary's.
        most_drugs: no more than this many names are asked for.
        labels_per_drug: labels taken for each name.
    """

    folder: str = ""
    locations: dict[str, str] = {}
    services: dict[str, str] = {}
    drugs: list[str] = []
    most_drugs: int = 50
    labels_per_drug: int = 1

    def files(self, source: str, wanted: Sequence[Wanted]) -> Files:
        """The source's files; empty when it was not supplied.

        Raises:
            PolyGuardError: a configured path is not there, a download failed, or a required file is missing.
        """
        self.check_names()
        given = self.locations.get(source, "").split()
        if any(part.startswith(("http://", "https://")) for part in given):
            urls = {Path(httpx.URL(url).path).name or source: url for url in given}
            folder = data_lake() / "raw" / "downloaded" / source
            fetch_files(urls, folder, self.fetcher())
            return find_files(source, folder, wanted)
        if given:
            location = Path(self.locations[source])
            if not location.exists():
                raise PolyGuardError(f"locations.{source}", str(location), "give a folder or file that exists")
            return find_files(source, location, wanted)
        return find_files(source, self.place(source), wanted)

    def place(self, source: str) -> Path:
        """The subfolder of a source."""
        return (Path(self.folder) if self.folder else supplied_folder()) / described(source).source

    def fetcher(self) -> Fetcher:
        """Downloads, kept under raw/cache of the data lake."""
        return Fetcher(data_lake() / "raw" / "cache")

    def check_names(self) -> None:
        """Raise when the configuration names a source that there is not."""
        for field in ("locations", "services"):
            for name in getattr(self, field):
                if name not in catalogue():
                    raise PolyGuardError(f"{field}.{name}", name, f"use one of {', '.join(catalogue())}")


WEB_SOURCES = ("rxnav", "openfda", "dailymed")


def configured_services() -> dict[str, str]:
    """Base URLs given by environment: `POLYGUARD_RXNAV_URL`, `POLYGUARD_OPENFDA_URL`, `POLYGUARD_DAILYMED_URL`."""
    urls = {source: os.environ.get(f"POLYGUARD_{source.upper()}_URL", "") for source in WEB_SOURCES}
    return {source: url for source, url in urls.items() if url}


def supply_signature(source: str) -> str:
    """What is supplied by default: names, sizes and times of the subfolder's files, and the service URL.

    Part of the code version, so that new files make the asset stale.
    """
    folder = supplied_folder() / source
    paths = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    url = configured_services().get(source, "")
    if not paths and not url:
        return "none"
    parts = [url] + [f"{p.relative_to(folder)}|{p.stat().st_size}|{p.stat().st_mtime_ns}" for p in paths]
    return sha256("\n".join(parts).encode()).hexdigest()[:12]


def empty(asset: str) -> pd.DataFrame:
    """The asset's table without rows."""
    return pd.DataFrame({column.name: [] for column in schemas()[asset]}, dtype=object)


def formulary_names() -> list[str]:
    """Names of the formulary's drugs, the most used first."""
    rows = sorted(formulary_rows(), key=lambda row: (-float(row["use_weight"] or 0), row["drug_id"]))
    return [row["name"] for row in rows]


def provenance(source: str, files: Files) -> dict[str, Any]:
    """Licence, citation and checksums, for an asset's metadata."""
    about = described(source)
    sums = checksums(files)
    return {
        "source": about.source,
        "title": about.title,
        "publisher": about.publisher,
        "year": about.year,
        "licence": about.licence,
        "citation": about.citation,
        "url": dg.MetadataValue.url(about.url),
        "files": sums,
        "sha256": combined_sha256(sums) if sums else "none",
    }
