"""Where things are: the project root and the folders of the data lake."""

from __future__ import annotations

import os
from pathlib import Path


def project_root() -> Path:
    """The checkout: `POLYGUARD_ROOT`, or the folder that holds this package."""
    return Path(os.environ.get("POLYGUARD_ROOT") or Path(__file__).resolve().parents[1])


def data_lake() -> Path:
    """The folder of everything materialized: `POLYGUARD_DATA_LAKE`, or data_lake in the project."""
    return Path(os.environ.get("POLYGUARD_DATA_LAKE") or project_root() / "data_lake")


def raw_wheels() -> Path:
    return data_lake() / "raw" / "wheels"


def knowledge_folder() -> Path:
    return data_lake() / "curated" / "knowledge"


def model_folder(model_run: str) -> Path:
    return data_lake() / "models" / model_run


def evidence_index_folder() -> Path:
    return data_lake() / "evidence" / "index"


def reports_folder() -> Path:
    return data_lake() / "reports"


def within_project(path: Path) -> str:
    """The path as metadata shows it: relative to the project where it lies inside, so that runs compare."""
    try:
        return path.resolve().relative_to(project_root().resolve()).as_posix()
    except ValueError:
        return str(path)
