"""Files to and from a repository on the hub."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from huggingface_hub import HfApi


def below(path: Path, name: str) -> dict[str, Path]:
    """A file, or every file below a folder, by name in the repository; hidden ones are left out."""
    if path.is_file():
        return {name: path}
    return {
        f"{name}/{file.relative_to(path).as_posix()}": file
        for file in sorted(path.rglob("*"))
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
    }


def send(api: HfApi, repo_id: str, files: Mapping[str, Path], message: str) -> str:
    """Send files to a private dataset repository (made when there is none) in one commit; the revision."""
    from huggingface_hub import CommitOperationAdd

    api.create_repo(repo_id, repo_type="dataset", private=True, exist_ok=True)
    operations = [CommitOperationAdd(name, str(path)) for name, path in files.items()]
    return str(api.create_commit(repo_id, operations, commit_message=message, repo_type="dataset").oid)


def names_below(api: HfApi, repo_id: str, prefix: str) -> list[str]:
    """Names of the repository's files that begin with a prefix."""
    return [name for name in api.list_repo_files(repo_id, repo_type="dataset") if name.startswith(prefix)]


def receive(api: HfApi, repo_id: str, files: Mapping[str, Path]) -> None:
    """Fetch files by name to where they belong; a reader finds each whole or not at all."""
    for name, target in files.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        fetched = api.hf_hub_download(repo_id, name, repo_type="dataset")
        partial = target.with_name(f".{target.name}.partial")
        shutil.copyfile(fetched, partial)
        partial.replace(target)
