"""Small parts of compiling a knowledge base to arrays: rows, hash tables, bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

EMPTY_KEY = -1


def hashed(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An open-addressing table from pair keys to places, at most half full."""
    size = 1 << int(np.ceil(np.log2(max(2 * len(keys), 2))))
    table_keys, values = np.full(size, EMPTY_KEY, dtype=np.int64), np.full(size, -1, dtype=np.int32)
    multiplier = np.uint64(0x9E3779B97F4A7C15)
    spots = ((keys.astype(np.uint64) * multiplier) >> np.uint64(64 - int(np.log2(size)))).astype(np.int64)
    for place, (key, spot) in enumerate(zip(keys.tolist(), spots.tolist(), strict=True)):
        while table_keys[spot] != EMPTY_KEY:
            spot = (spot + 1) & (size - 1)
        table_keys[spot], values[spot] = key, place
    return table_keys, values


def mark(bits: np.ndarray, pairs: np.ndarray, first: int) -> None:
    """Set the bit of each of two numbers, shape (pairs, 2), in the row of the other; rows start at `first`."""
    for rows, others in ((pairs[:, 0], pairs[:, 1]), (pairs[:, 1], pairs[:, 0])):
        np.bitwise_or.at(bits, (first + rows, others // 63), np.int64(1) << (others % 63).astype(np.int64))


def rows_of(rows: Sequence[tuple[object, ...]], dtype: np.dtype) -> np.ndarray:
    """Coded rules as a table; an empty one still has a row, to which no span points, so that it has an address."""
    return np.array(list(rows), dtype=dtype) if rows else np.zeros(1, dtype=dtype)


def number_of(text: str, otherwise: float) -> float:
    """The number that a field says, or another where it says none."""
    return float(text) if text else otherwise
