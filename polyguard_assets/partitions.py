"""Partitions: scenario sets by difficulty, model assets by model run."""

import dagster as dg

from polyguard_assets.training.model_runs import model_runs
from polyguard_env.environment.scenarios import DIFFICULTIES

difficulty_partitions = dg.StaticPartitionsDefinition(list(DIFFICULTIES))
model_run_partitions = dg.StaticPartitionsDefinition(list(model_runs()))
DEFAULT_MODEL_RUN = next(iter(model_runs()))
