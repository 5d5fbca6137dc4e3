"""How a process's files travel: which of a configuration's paths go to a remote machine, and which come back.

Fields that end in `_path` or `_dir` name files. Remotely each lies below one folder under a name of its own, so that no
local path leaves this machine, and the remote result's paths are turned back into local ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyguard_assets.spaces import on_loopback
from polyguard_env.errors import PolyGuardError

# Written by the process. Checkpoints (work_dir) travel both ways: a killed job goes on from them.
WRITTEN = frozenset({"result_path", "output_dir", "history_path", "steps_path", "work_dir"})
BOTH_WAYS = frozenset({"work_dir"})
SCRATCH = frozenset({"raw_dir"})


@dataclass(frozen=True, slots=True)
class Item:
    """One file or folder of a process.

    Attributes:
        local: where it lies here. name: its name below the remote folder.
        goes: it is sent there. returns: it is brought back. checkpoint: it is sent while the process runs.
    """

    local: Path
    name: str
    goes: bool
    returns: bool
    checkpoint: bool


def plan(config: Mapping[str, Any], root: str) -> tuple[dict[str, Any], list[Item]]:
    """The configuration as the remote process reads it, and the items that travel.

    Args:
        config: of the process, with local paths.
        root: the remote folder.

    Raises:
        PolyGuardError: an input that is not there, or an environment server only this machine can reach.
    """
    address = str(config.get("environment_url") or "")
    if address and on_loopback(address):
        raise PolyGuardError(
            "environment_url", address,
            "a remote process cannot reach this machine: deploy the environment (job deploy_environment) and set "
            "POLYGUARD_ENVIRONMENT_URL to its address",
        )  # fmt: skip
    items: dict[str, Item] = {}

    def moved(key: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: moved(name, entry) for name, entry in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [moved(key, entry) for entry in value]
        if not (isinstance(value, str) and value and key.endswith(("_path", "_dir"))):
            return value
        if value not in items:
            local = Path(value)
            goes = key not in WRITTEN | SCRATCH or (key in BOTH_WAYS and local.exists())
            if goes and not local.exists():
                raise PolyGuardError(key, value, "materialize the assets upstream first: it is not there")
            items[value] = Item(local, f"{len(items)}-{local.name}", goes, key in WRITTEN, key in BOTH_WAYS)
        return f"{root}/{items[value].name}"

    remote = {key: moved(key, value) for key, value in config.items()}
    return remote, list(items.values())


def returned(value: Any, root: str, items: Sequence[Item]) -> Any:
    """A remote result with the paths it names turned into local ones."""
    if isinstance(value, Mapping):
        return {key: returned(entry, root, items) for key, entry in value.items()}
    if isinstance(value, list):
        return [returned(entry, root, items) for entry in value]
    if isinstance(value, str) and value.startswith(f"{root}/"):
        for item in items:
            place = f"{root}/{item.name}"
            if value == place or value.startswith(f"{place}/"):
                return f"{item.local}{value.removeprefix(place)}"
    return value
