"""How much to make: sizes of scenario sets, corpora, training and evaluation.

One place, so that what a result was made with can be read, quoted and changed.
"""

from __future__ import annotations

import dagster as dg


class Settings(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Sizes and seeds of a run.

    Attributes:
        patients: synthetic patients.
        train_scenarios, validation_scenarios, holdout_scenarios: per sub-environment and difficulty.
        sft_share: share of training scenarios whose decisions become demonstrations; GRPO gets the rest.
        sft_epochs: passes over the demonstrations. sft_batch: rows a step.
        grpo_steps: optimiser steps. grpo_prompts: prompts a step.
        seed: of environments, sampling and training.
        postsave_prompts: prompts the exported model answers.
    """

    patients: int = 20_000
    train_scenarios: int = 20
    validation_scenarios: int = 3
    holdout_scenarios: int = 6
    sft_share: float = 0.3
    sft_epochs: float = 1.0
    sft_batch: int = 8
    grpo_steps: int = 40
    grpo_prompts: int = 16
    seed: int = 7
    postsave_prompts: int = 8
