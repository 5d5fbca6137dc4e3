"""Going on from the last complete checkpoint of the same run, and only of the same run."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from polyguard_assets.training.config import TrainingConfig
from polyguard_assets.training.progress import COMPLETE
from polyguard_assets.training.publish import file_sha256, weights_sha256, write_json

PLACES = ("result_path", "output_dir", "work_dir", "history_path", "environment_url")


def run_fingerprint(config: TrainingConfig, *weight_dirs: Path | str) -> str:
    """Hex sha256 of what decides the outcome: settings, corpus bytes and starting weights, not places."""
    settings = {name: value for name, value in config.to_dict().items() if name not in PLACES}
    for name in ("model_dir", "corpus_path", "adapter_dir"):
        settings.pop(name, None)
    settings["corpus_sha256"] = file_sha256(config.corpus_path)
    settings["weights"] = [weights_sha256(directory) for directory in weight_dirs]
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def resume_point(work_dir: Path | str, fingerprint: str) -> str | None:
    """The newest complete checkpoint of the run with this fingerprint, or None.

    Checkpoints of another run, and those cut short by a kill, are removed.
    """
    directory = Path(work_dir)
    marker = directory / "run.json"
    recorded = json.loads(marker.read_text(encoding="utf-8"))["fingerprint"] if marker.is_file() else ""
    if recorded != fingerprint:
        shutil.rmtree(directory, ignore_errors=True)
        write_json(marker, {"fingerprint": fingerprint})
        return None
    complete = []
    for checkpoint in directory.glob("checkpoint-*"):
        if (checkpoint / COMPLETE).is_file():
            complete.append(checkpoint)
        else:
            shutil.rmtree(checkpoint)
    newest = max(complete, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
    return str(newest) if newest else None
