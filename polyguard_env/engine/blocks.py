"""Blocks: groups of arrays that compiled code reaches through one pointer.

A tuple of two dozen arrays travels by value, field by field, through every call of compiled code: two hundred words,
most of what there would be to compile. A block is the address of a table of array addresses and lengths, one word to
pass on; `block.name` is an array again where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from llvmlite import ir
from numba import from_dtype
from numba.core import cgutils, types
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import intrinsic, models, register_model
from numba.np.arrayobj import make_array, populate_array

WORDS = 3  # of an array: its address and two lengths
WORD = ir.IntType(64)


class Block(types.Type):  # type: ignore[misc]
    """The type of a block.

    Args:
        fields: by name, what is in the block: a dtype and a number of dimensions (1 or 2), or another block.
    """

    def __init__(self, name: str, fields: Mapping[str, tuple[Any, int] | Block]) -> None:
        self.places = {field: place for place, field in enumerate(fields)}
        self.types = {
            field: kind if isinstance(kind, Block) else types.Array(from_dtype(np.dtype(kind[0])), kind[1], "C")
            for field, kind in fields.items()
        }
        self.kinds = dict(fields)
        super().__init__(name=f"Block({name})")

    def table(self) -> np.ndarray:
        """An empty table for a block of this type, shape (words,)."""
        return np.zeros(WORDS * len(self.places), dtype=np.int64)

    def put(self, table: np.ndarray, field: str, array: np.ndarray) -> None:
        """Note an array, or the table of a block, in a table. Whoever holds the table keeps the array alive.

        Raises:
            TypeError: not the dtype, dimensions or order of the field.
        """
        kind = self.kinds[field]
        wanted = (np.dtype(np.int64), 1) if isinstance(kind, Block) else (np.dtype(kind[0]), kind[1])
        if (array.dtype, array.ndim) != wanted or not array.flags.c_contiguous:
            raise TypeError(f"{self.name}.{field}: {array.dtype}, {array.ndim} dimensions; expected {wanted}")
        start = WORDS * self.places[field]
        table[start : start + WORDS] = array.ctypes.data, array.shape[0], array.shape[1] if array.ndim == 2 else 1


@register_model(Block)
class _BlockModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Block) -> None:
        super().__init__(manager, kind, WORD.as_pointer())


@infer_getattr
class _BlockAttribute(AttributeTemplate):  # type: ignore[misc]
    key = Block

    def generic_resolve(self, block: Block, name: str) -> Any:  # type: ignore[override]
        return block.types.get(name)


@lower_getattr_generic(Block)
def _field(context: Any, builder: Any, block: Block, value: Any, name: str) -> Any:
    start = WORDS * block.places[name]
    address, *lengths = (builder.load(cgutils.gep_inbounds(builder, value, start + word)) for word in range(WORDS))
    kind = block.types[name]
    if isinstance(kind, Block):
        return builder.inttoptr(address, WORD.as_pointer())
    array = make_array(kind)(context, builder)
    data = builder.inttoptr(address, context.get_data_type(kind.dtype).as_pointer())
    size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(kind.dtype)))
    shape = lengths[: kind.ndim]
    strides = [size] if kind.ndim == 1 else [builder.mul(size, shape[1]), size]
    populate_array(array, data=data, shape=shape, strides=strides, itemsize=size, meminfo=None)
    return array._getvalue()


def block_at(block: Block) -> Any:
    """A compiled function that makes a block of the address of its table."""

    @intrinsic
    def at(typing: Any, address: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], WORD.as_pointer())

        return block(types.int64), code

    return at
