"""`python -m polyguard_assets.launchers.remote`: the far end of a job on the hub.

Reads POLYGUARD_REMOTE_JOB, fetches the process's files, runs it (it reports through Dagster Pipes on standard output),
sends checkpoints every few minutes, since a job that ends at its time limit loses its disk, and in the end whatever the
process wrote.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from polyguard_assets.hub_files import below, names_below, receive, send
from polyguard_env.knowledge.base import KNOWLEDGE_VARIABLE

JOB_VARIABLE = "POLYGUARD_REMOTE_JOB"
KNOWLEDGE_NAME = "knowledge"


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """What a job is to do.

    Attributes:
        repo_id: dataset repository through which files travel.
        prefix: folder of this job in it.
        root: folder on the job's disk.
        module: entry point below polyguard_assets.training.
        config: of the process, with paths below `root`.
        returns: names below `root` that are sent back at the end.
        checkpoints: names below `root` that are sent while it runs.
        checkpoint_seconds: between two sendings of those.
    """

    repo_id: str
    prefix: str
    root: str
    module: str
    config: dict[str, Any]
    returns: tuple[str, ...]
    checkpoints: tuple[str, ...]
    checkpoint_seconds: float

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> RemoteJob:
        values = json.loads(variables[JOB_VARIABLE])
        return cls(**values | {name: tuple(values[name]) for name in ("returns", "checkpoints")})


def main() -> int:
    """Fetch, run, send back; the process's exit code."""
    from huggingface_hub import HfApi

    job = RemoteJob.from_environment(os.environ)
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, token=os.environ["HF_TOKEN"])
    root = Path(job.root)
    root.mkdir(parents=True, exist_ok=True)
    inbound = f"{job.prefix}/in/"
    names = names_below(api, job.repo_id, inbound)
    receive(api, job.repo_id, {name: root / name.removeprefix(inbound) for name in names})
    config = root / "config.json"
    config.write_text(json.dumps(job.config), encoding="utf-8")
    variables = {"PYTHONUNBUFFERED": "1"}
    if (root / KNOWLEDGE_NAME).is_dir():
        variables[KNOWLEDGE_VARIABLE] = str(root / KNOWLEDGE_NAME)
    over = threading.Event()

    def keep() -> None:
        while not over.wait(job.checkpoint_seconds):
            send_back(api, job, job.checkpoints, "in", f"Checkpoints of {job.module}")

    keeper = threading.Thread(target=keep, daemon=True)
    if job.checkpoints:
        keeper.start()
    command = [sys.executable, "-m", f"polyguard_assets.training.{job.module}", "--config", str(config)]
    code = subprocess.run(command, env=os.environ | variables).returncode
    over.set()
    if job.checkpoints:
        keeper.join()
    send_back(api, job, job.returns, "out", f"Result of {job.module}")
    return code


def send_back(api: Any, job: RemoteJob, names: tuple[str, ...], side: str, message: str) -> None:
    """Send what there is of the named files and folders."""
    files = {
        f"{job.prefix}/{side}/{name}": path
        for part in names
        for name, path in below(Path(job.root) / part, part).items()
    }
    if files:
        send(api, job.repo_id, files, message)


if __name__ == "__main__":
    sys.exit(main())
