"""Blocks: groups of arrays that compiled code reaches through one pointer.

A tuple of two dozen arrays travels by value, field by field, through every call of compiled code: two hundred words,
most of what there would be to compile. A block is the address of a table of array addresses and lengths, one word to
pass on. `block_types.py` tells the compiler about them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

WORDS = 3  # of an array: its address and two lengths


class Block:
    """What is in a block.

    Args:
        fields: by name a dtype and a number of dimensions (1 or 2), or another block.
    """

    def __init__(self, name: str, fields: Mapping[str, tuple[Any, int] | Block]) -> None:
        self.name = name
        self.places = {field: place for place, field in enumerate(fields)}
        self.kinds = dict(fields)

    def table(self) -> np.ndarray:
        """An empty table for a block of this kind, shape (words,)."""
        return np.zeros(WORDS * len(self.places), dtype=np.int64)

    def put(self, table: np.ndarray, field: str, array: np.ndarray) -> None:
        """Note an array, or the table of a block, in a table. Whoever holds the table keeps the array alive.

        Raises:
            TypeError: not the dtype, dimensions or order of the field.
        """
        table[self.span(field)] = self.entry(field, array)

    def span(self, field: str) -> slice:
        """The words of a table that are about a field."""
        start = WORDS * self.places[field]
        return slice(start, start + WORDS)

    def entry(self, field: str, array: np.ndarray) -> tuple[int, int, int]:
        """What a table says of an array: its address and two lengths.

        Raises:
            TypeError: not the dtype, dimensions or order of the field.
        """
        kind = self.kinds[field]
        wanted = (np.dtype(np.int64), 1) if isinstance(kind, Block) else (np.dtype(kind[0]), kind[1])
        if (array.dtype, array.ndim) != wanted or not array.flags.c_contiguous:
            raise TypeError(f"{self.name}.{field}: {array.dtype}, {array.ndim} dimensions; expected {wanted}")
        return address_of(array), array.shape[0], array.shape[1] if array.ndim == 2 else 1


def address_of(array: np.ndarray) -> int:
    """Where an array's memory begins."""
    return int(array.ctypes.data)
