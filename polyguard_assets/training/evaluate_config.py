"""Configuration of the evaluation process."""

from __future__ import annotations

from dataclasses import dataclass

from polyguard_assets.training.config import JsonConfig, ProcessConfig


@dataclass(frozen=True)
class EvaluatedModel(JsonConfig):
    """A model to evaluate: `name` as in reports (base, sft, grpo), its directory and an adapter or ""."""

    name: str
    model_dir: str
    adapter_dir: str = ""


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig(ProcessConfig):
    """Playing episodes with models and reference policies.

    Attributes:
        models: as JSON objects of `EvaluatedModel`.
        policies: reference policies by name.
        scenario_ids_path: JSON list of scenario ids.
        steps_path: Parquet of all steps, written at the end.
        work_dir: finished parts, so that a killed run goes on.
        seed: of the environments.
    """

    models: tuple[dict[str, str], ...]
    policies: tuple[str, ...]
    scenario_ids_path: str
    steps_path: str
    work_dir: str
    seed: int = 7
