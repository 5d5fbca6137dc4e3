"""Blocks as the compiler sees them: one pointer to pass on, `block.name` an array again where it is used."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import from_dtype
from numba.core import cgutils, types
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import intrinsic, models, register_model
from numba.np.arrayobj import make_array, populate_array

from polyguard_env.engine.blocks import WORDS, Block

WORD = ir.IntType(64)


class BlockType(types.Type):  # type: ignore[misc]
    """The compiler's type of a block."""

    def __init__(self, block: Block) -> None:
        self.places = block.places
        self.types = {
            field: type_of(kind)
            if isinstance(kind, Block)
            else types.Array(from_dtype(np.dtype(kind[0])), kind[1], "C")
            for field, kind in block.kinds.items()
        }
        super().__init__(name=f"Block({block.name})")


@cache
def type_of(block: Block) -> BlockType:
    """The type of a block."""
    return BlockType(block)


@register_model(BlockType)
class _BlockModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: BlockType) -> None:
        super().__init__(manager, kind, WORD.as_pointer())


@infer_getattr
class _BlockAttribute(AttributeTemplate):  # type: ignore[misc]
    key = BlockType

    def generic_resolve(self, block: BlockType, name: str) -> Any:  # type: ignore[override]
        return block.types.get(name)


@lower_getattr_generic(BlockType)
def _field(context: Any, builder: Any, block: BlockType, value: Any, name: str) -> Any:
    start = WORDS * block.places[name]
    address, *lengths = (builder.load(cgutils.gep_inbounds(builder, value, start + word)) for word in range(WORDS))
    kind = block.types[name]
    if isinstance(kind, BlockType):
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
    kind = type_of(block)

    @intrinsic
    def at(typing: Any, address: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], WORD.as_pointer())

        return kind(types.int64), code

    return at
