"""Counter-based random numbers: a draw depends on seed, column and patient number alone.

So patient 17 is the same person in a batch of one and in a batch of a million.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def column_key(seed: int, column: str) -> np.uint64:
    """A 64-bit key for one random column of one seed."""
    digest = blake2b(f"{seed}|{column}".encode(), digest_size=8, person=b"patients").digest()
    return np.uint64(int.from_bytes(digest, "big"))


def uniform(seed: int, column: str, numbers: np.ndarray) -> np.ndarray:
    """Uniform draws in (0, 1), shape (n,), for patient numbers of shape (n,) (splitmix64)."""
    with np.errstate(over="ignore"):
        state = numbers.astype(np.uint64) * GOLDEN + column_key(seed, column)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    return ((state >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def normal(seed: int, column: str, numbers: np.ndarray) -> np.ndarray:
    """Standard normal draws, shape (n,) (Box-Muller on two columns)."""
    radius = np.sqrt(-2.0 * np.log(uniform(seed, f"{column}/r", numbers)))
    return np.asarray(radius * np.cos(2.0 * np.pi * uniform(seed, f"{column}/a", numbers)))
