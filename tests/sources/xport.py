"""Writes SAS transport (XPORT version 5) files, as NHANES publishes them, from lists of rows."""

from __future__ import annotations

import math
import struct
from pathlib import Path

LINE = 80


def header(name: str, count: int = 0) -> bytes:
    return f"HEADER RECORD*******{name:<8}HEADER RECORD!!!!!!!{count:030d}  ".encode().ljust(LINE)


def padded(data: bytes) -> bytes:
    return data + b" " * (-len(data) % LINE)


def ibm(value: float | None) -> bytes:
    """A System/360 double: sign, base-16 exponent with bias 64, 56-bit fraction; "." for missing."""
    if value is None:
        return b"." + bytes(7)
    if value == 0:
        return bytes(8)
    exponent = math.floor(math.log(abs(value), 16)) + 1
    fraction = round(abs(value) / 16.0**exponent * 2**56)
    return struct.pack(">Q", (value < 0) << 63 | (exponent + 64) << 56 | fraction)


def write_xport(path: Path, columns: dict[str, int], rows: list[list[float | str | None]]) -> None:
    """`columns`: name to 0 for a number, or the width of a text."""
    stamp = b"01JAN20:00:00:00"
    out = header("LIBRARY")
    out += b"SAS     SAS     SASLIB  9.4     X64     ".ljust(64) + stamp
    out += stamp.ljust(LINE)
    out += b"HEADER RECORD*******MEMBER  HEADER RECORD!!!!!!!000000000000000001600000000140  "
    out += b"HEADER RECORD*******DSCRPTR HEADER RECORD!!!!!!!000000000000000000000000000000  "
    out += b"SAS     DATA    SASDATA 9.4     X64     ".ljust(64) + stamp
    out += stamp.ljust(LINE)
    out += f"HEADER RECORD*******NAMESTR HEADER RECORD!!!!!!!000000{len(columns):04d}00000000000000000000  ".encode()
    names, place = b"", 0
    for number, (name, width) in enumerate(columns.items(), start=1):
        size = width or 8
        names += struct.pack(">hhhh8s40s8shhh2s8shhl52s", 2 if width else 1, 0, size, number, name.encode().ljust(8),
                             b" " * 40, b" " * 8, 0, 0, 0, b"  ", b" " * 8, 0, 0, place, bytes(52))  # fmt: skip
        place += size
    out += padded(names) + header("OBS")
    body = b""
    for row in rows:
        for value, width in zip(row, columns.values(), strict=True):
            body += str(value).encode().ljust(width) if width else ibm(value)  # type: ignore[arg-type]
    path.write_bytes(out + padded(body))
