"""Environments of others on PyPI that pose medical decisions, stepped at random as their packages make them."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any

from polyguard_assets.bench.timing import Work

STEPS = 3_000
PEERS = {
    "icu_sepsis": ("icu_sepsis", "Sepsis/ICU-Sepsis-v2"),
    "anesthesim": ("anesthesim", "anesthesim/CombinedAnesthesia-v0"),
}


def peer(name: str) -> Work:
    """Steps of one of the `PEERS`, resets between episodes included."""
    import gymnasium

    module, environment = PEERS[name]
    # Their imports warn of an older package of the same family.
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        __import__(module)
        env: Any = gymnasium.make(environment)
    env.action_space.seed(0)
    choices = [env.action_space.sample() for _ in range(STEPS)]

    def work() -> float:
        env.reset(seed=0)
        for choice in choices:
            _, _, terminated, truncated, _ = env.step(choice)
            if terminated or truncated:
                env.reset()
        return float(STEPS)

    return work
