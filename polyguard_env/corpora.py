"""Training corpora from rollouts: SFT demonstrations and GRPO prompts with their candidates."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import pandas as pd

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardAction
from polyguard_env.environment.render import SYSTEM_PROMPT


def decision_states(env: PolyGuardEnv, scenario_ids: Sequence[str], seed: int, wander: float = 0.25) -> pd.DataFrame:
    """Decision points along near-expert episodes, with every candidate's price.

    The walk takes the best candidate, but with probability `wander` a random other one, so that
    corpora also hold states that a learner's own mistakes lead to.

    Returns:
        One row per decision: scenario, step, prefix of action texts, prompt, candidate texts,
        candidate rewards and the best text.
    """
    rows: list[dict[str, Any]] = []
    for scenario_id in scenario_ids:
        observation = env.reset(seed=seed, scenario_id=scenario_id)
        rng = np.random.Generator(np.random.PCG64(_stable(f"{scenario_id}|{seed}|walk")))
        prefix: list[str] = []
        while not observation.done:
            prices = env.price()
            texts = [c.text for c in observation.candidates]
            rewards = [prices[c.candidate_id] for c in observation.candidates]
            best = int(np.argmax(rewards))
            scenario = env.scenario
            rows.append(
                {
                    "row_id": f"{scenario_id}@{seed}/{len(prefix)}",
                    "scenario_id": scenario_id,
                    "split": scenario.split,
                    "sub_environment": scenario.sub_environment,
                    "difficulty": scenario.difficulty,
                    "mechanism": scenario.mechanism,
                    "patient_id": scenario.patient.patient_id,
                    "seed": seed,
                    "step": len(prefix),
                    "prefix": list(prefix),
                    "system": SYSTEM_PROMPT,
                    "user": observation.text,
                    "candidates": texts,
                    "candidate_rewards": rewards,
                    "completion": texts[best],
                    "drugs": sorted(entry["drug_id"] for entry in observation.regimen),
                }
            )
            chosen = best if rng.random() >= wander else int(rng.integers(len(texts)))
            prefix.append(texts[chosen])
            observation = env.step(PolyGuardAction(candidate_id=observation.candidates[chosen].candidate_id))
    return pd.DataFrame.from_records(rows)


def sft_rows(states: pd.DataFrame) -> pd.DataFrame:
    """Demonstrations: the prompt and the best candidate's text."""
    columns = [
        "row_id", "scenario_id", "split", "sub_environment", "difficulty", "mechanism", "patient_id", "seed", "step",
        "system", "user", "completion", "drugs",
    ]  # fmt: skip
    return states[columns].reset_index(drop=True)


def grpo_rows(states: pd.DataFrame) -> pd.DataFrame:
    """Prompts with their candidates; rewards are left out, the environment server gives them."""
    columns = [
        "row_id", "scenario_id", "split", "sub_environment", "difficulty", "mechanism", "patient_id", "seed", "step",
        "prefix", "system", "user", "candidates", "drugs",
    ]  # fmt: skip
    return states[columns].reset_index(drop=True)


def _stable(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8, person=b"corpora").digest(), "big")
