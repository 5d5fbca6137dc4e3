"""Records and sets of names moved and compared whole, in a few wide instructions each."""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from polyguard_env.engine import layout as at

BYTE, WORD = ir.IntType(8), ir.IntType(64)
SET = ir.VectorType(WORD, at.TOKEN_WORDS)
NAMES = types.Array(types.int64, 1, "C")
# The longest copy that is written out as moves instead of a call.
AT_ONCE = 512
# Bytes that a cache holds together.
LINE = 64


def _copy(builder: Any, to: Any, source: Any, start: Any, size: int) -> None:
    """Copy `size` bytes from `start` on between two records that do not overlap."""
    to, source = (builder.bitcast(record, BYTE.as_pointer()) for record in (to, source))
    for first in range(0, size, AT_ONCE):
        place = builder.add(start, WORD(first))
        ends = builder.gep(to, [place]), builder.gep(source, [place])
        cgutils.raw_memcpy(builder, ends[0], ends[1], WORD(min(AT_ONCE, size - first)), 1, align=1)


@intrinsic
def copy_record(typing: Any, to: Any, source: Any) -> Any:
    """Copy a record into another of its kind: a plain assignment goes field by field."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _copy(builder, arguments[0], arguments[1], WORD(0), source.size)
        return context.get_dummy_value()

    return types.none(to, source), code


@cache
def copier(size: int) -> Any:
    """A compiled function that copies `size` bytes of a record from a place on into another of its kind."""

    @intrinsic
    def copy(typing: Any, to: Any, source: Any, start: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _copy(builder, arguments[0], arguments[1], arguments[2], size)
            return context.get_dummy_value()

        return types.none(to, source, types.int64), code

    return copy


def _set(context: Any, builder: Any, value: Any) -> Any:
    """Where a set of names is, as one vector."""
    return builder.bitcast(make_array(NAMES)(context, builder, value).data, SET.as_pointer())


def _load(builder: Any, place: Any) -> Any:
    found = builder.load(place)
    found.align = 1
    return found


@intrinsic
def meet(typing: Any, names: Any, others: Any) -> Any:
    """True when two sets of names, TOKEN_WORDS words each, share one."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        left, right = (_load(builder, _set(context, builder, value)) for value in arguments)
        both = builder.and_(left, right)
        bits = ir.IntType(64 * at.TOKEN_WORDS)
        return builder.icmp_unsigned("!=", builder.bitcast(both, bits), bits(0))

    return types.boolean(NAMES, NAMES), code


@intrinsic
def unite(typing: Any, names: Any, others: Any) -> Any:
    """Add a set of names to another, TOKEN_WORDS words each."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        to, source = (_set(context, builder, value) for value in arguments)
        builder.store(builder.or_(_load(builder, to), _load(builder, source)), to).align = 1
        return context.get_dummy_value()

    return types.none(NAMES, NAMES), code


@intrinsic
def rename(typing: Any, names: Any, others: Any) -> Any:
    """Let a set of names be that of another, TOKEN_WORDS words each."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        to, source = (_set(context, builder, value) for value in arguments)
        builder.store(_load(builder, source), to).align = 1
        return context.get_dummy_value()

    return types.none(NAMES, NAMES), code


@cache
def fetcher(size: int) -> Any:
    """A compiled function that calls `size` bytes of a record from a place on into the second cache, and waits not."""

    @intrinsic
    def fetch(typing: Any, record: Any, start: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            byte, flag = BYTE.as_pointer(), ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
            prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
            base = builder.bitcast(arguments[0], byte)
            for line in range(0, size, LINE):
                place = builder.gep(base, [builder.add(arguments[1], WORD(line))])
                builder.call(prefetch, [place, flag(0), flag(2), flag(1)])
            return context.get_dummy_value()

        return types.none(record, types.int64), code

    return fetch
