"""The rules' machine code by itself: kept beside the compiler's cache, placed in memory, called without the compiler.

The compiler and what it stands on would hold a hundred MiB of every process that does nothing but run the rules. Their
code is one object file of few kinds of relocation, so placing it takes no linker either. Where it cannot be placed
(another system or processor family than 64-bit Linux on x86) the compiler is loaded, and standard error says so.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import struct
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from polyguard_env.engine.folder import FOLDER

FILE = FOLDER / "rules.o"
ELF_X86_64, RELOCATABLE = 62, 1
SYMBOLS, RELOCATIONS, NO_BITS = 2, 4, 8
ALLOCATED, EXECUTABLE = 0x2, 0x4
UNDEFINED, ABSOLUTE, COMMON = 0, 0xFFF1, 0xFFF2
TO_ADDRESS, TO_DISTANCE = 1, 24  # R_X86_64_64, R_X86_64_PC64
READ_AND_RUN = 0x1 | 0x4
# Only numba's own way in from Python raises errors, and that is not the way taken here.
NEVER_CALLED = frozenset({"numba_do_raise", "numba_runtime_build_excinfo_struct", "numba_unpickle"})
# The first two arguments are where the compiler's convention puts a result and an error; the rules have neither.
ENTRY = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
FINE = (0, -2)
_NOTHING = (ctypes.c_void_p * 2)()
_PLACES = ctypes.addressof(_NOTHING), ctypes.addressof(_NOTHING) + ctypes.sizeof(ctypes.c_void_p)
_HELD: list[object] = []

Run = Callable[[int, int], None]


class CodeError(Exception):
    """Machine code that cannot be placed here; the message says why."""


class Section(NamedTuple):
    """A section header of an object file, as the format lays it out."""

    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int


def callable_at(address: int) -> Run:
    """The rules whose code starts at an address, as a function of an operation and a call's address."""
    code = ENTRY(address)
    result, error = _PLACES

    def run(operation: int, call: int) -> None:
        status = code(result, error, operation, call)
        if status not in FINE:
            raise RuntimeError(f"the compiled rules failed with code {status} in operation {operation}")

    return run


def keep(symbol: str, code: bytes, file: Path = FILE) -> None:
    """Write an object file and the name of its entry point, whole or not at all."""
    own = file.with_name(f"{file.name}.{os.getpid()}")
    own.write_bytes(f"{symbol} {sha256(code).hexdigest()}\n".encode() + code)
    own.replace(file)


def kept_code(file: Path = FILE) -> tuple[str, bytes]:
    """The name of the entry point and the object file.

    Raises:
        CodeError: there is none, or it was damaged.
    """
    try:
        head, _, code = file.read_bytes().partition(b"\n")
    except OSError as error:
        raise CodeError(f"{file} cannot be read ({error.strerror})") from error
    symbol, _, digest = head.decode("ascii", "replace").partition(" ")
    if sha256(code).hexdigest() != digest:
        raise CodeError(f"{file} is damaged: delete it")
    return symbol, code


def load(file: Path = FILE) -> Run:
    """The kept rules, placed in this process.

    Raises:
        CodeError: there are none, or they cannot be placed here.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise CodeError(f"no way to place it on {sys.platform} {platform.machine()}")
    symbol, code = kept_code(file)
    return callable_at(_placed(code, symbol))


def _placed(code: bytes, symbol: str) -> int:
    """Place an object file in memory; the address of a symbol."""
    if code[:5] != b"\x7fELF\x02" or struct.unpack_from("<HH", code, 16) != (RELOCATABLE, ELF_X86_64):
        raise CodeError("it is no object file of this processor family")
    (table,) = struct.unpack_from("<Q", code, 40)
    size, count = struct.unpack_from("<HH", code, 58)
    sections = [Section._make(struct.unpack_from("<IIQQQQIIQQ", code, table + size * n)) for n in range(count)]
    symbols = next(section for section in sections if section.kind == SYMBOLS)
    entries = list(struct.iter_unpack("<IBBHQQ", code[symbols.offset : symbols.offset + symbols.size]))
    common = sum(16 + length for _, _, _, where, _, length in entries if where == COMMON)
    starts = _room(code, sections, common)
    names = sections[symbols.link].offset
    addresses = []
    free, found = starts[len(sections)], 0
    for name, _, _, where, value, length in entries:
        if where == UNDEFINED:
            text = code[names + name : code.index(b"\0", names + name)].decode()
            addresses.append(_outside(text) if text else 0)
        elif where == COMMON:
            free += -free % value
            addresses.append(free)
            free += length
        else:
            addresses.append(value if where == ABSOLUTE else starts.get(where, 0) + value)
        if code[names + name : names + name + len(symbol) + 1] == symbol.encode() + b"\0":
            found = addresses[-1]
    for section in sections:
        if section.kind == RELOCATIONS and section.info in starts:
            _relocate(code[section.offset : section.offset + section.size], starts[section.info], addresses)
    if not found:
        raise CodeError(f"it has no {symbol}")
    _seal()
    return found


def _room(code: bytes, sections: list[Section], common: int) -> dict[int, int]:
    """Copy the sections that are part of the running program; where each starts, and after the last the common one."""
    starts: dict[int, int] = {}
    for runs in (True, False):
        chosen = [
            (number, section)
            for number, section in enumerate(sections)
            if section.flags & ALLOCATED and section.size and bool(section.flags & EXECUTABLE) == runs
        ]
        size = sum(section.size + section.alignment for _, section in chosen) + (0 if runs else common + 16)
        memory = mmap.mmap(-1, max(size, 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        at = 0
        for number, section in chosen:
            at += -(base + at) % max(section.alignment, 1)
            starts[number] = base + at
            if section.kind != NO_BITS:
                memory[at : at + section.size] = code[section.offset : section.offset + section.size]
            at += section.size
        if not runs:
            starts[len(sections)] = base + at
        _HELD.append(memory)
    return starts


def _relocate(rows: bytes, start: int, addresses: list[int]) -> None:
    for offset, what, addend in struct.iter_unpack("<QQq", rows):
        kind, where = what & 0xFFFFFFFF, start + offset
        target = addresses[what >> 32] + addend
        if kind == TO_DISTANCE:
            target -= where
        elif kind != TO_ADDRESS:
            raise CodeError(f"relocation {kind} is not known here")
        ctypes.memmove(where, struct.pack("<Q", target & 0xFFFFFFFFFFFFFFFF), 8)


def _outside(name: str) -> int:
    """Where the process has a function or variable."""
    for library in (ctypes.pythonapi, ctypes.CDLL("libm.so.6"), ctypes.CDLL("libc.so.6")):
        found = getattr(library, "abort" if name in NEVER_CALLED else name, None)
        if found is not None:
            return int(ctypes.cast(found, ctypes.c_void_p).value or 0)
    raise CodeError(f"nothing here is called {name}")


def _seal() -> None:
    """Let what runs be run, and no longer be written."""
    memory = _HELD[-2]
    assert isinstance(memory, mmap.mmap)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    if ctypes.CDLL(None, use_errno=True).mprotect(ctypes.c_void_p(address), ctypes.c_size_t(len(memory)), READ_AND_RUN):
        raise CodeError(f"the system does not let it run ({os.strerror(ctypes.get_errno())})")
