"""Barcodes of drug packages: read by zxing-cpp, and understood as NDC or GTIN."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from polyguard_env.errors import PolyGuardError

# Characters between GS1 elements of variable length.
GROUP_SEPARATORS = "\x1d\u241d"
NDC_TEXT = re.compile(r"^(\d{4}-\d{4}-\d{2}|\d{5}-\d{3}-\d{2}|\d{5}-\d{4}-\d{1,2}|\d{4,5}-\d{3,4})$")
# Labeler and product digits of the three ways to write a ten-digit NDC: 4-4-2, 5-3-2, 5-4-1.
SEGMENTS = ((4, 4), (5, 3), (5, 4))
MOST_PIXELS = 40_000_000


@dataclass(frozen=True, slots=True)
class Code:
    """A code on a package.

    Attributes:
        text: as read. kind: the symbology. words: for a person.
        ndcs: product codes (labeler-product) it may stand for; a ten-digit NDC does not say where its parts end.
    """

    text: str
    kind: str
    words: str
    ndcs: tuple[str, ...]


def read_codes(path: Path) -> list[Code]:
    """Every drug code in a picture.

    Raises:
        PolyGuardError: it is no picture, or holds no code of a drug.
    """
    import zxingcpp
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise PolyGuardError("picture", f"{picture.width}x{picture.height}", "send a smaller picture")
            found = zxingcpp.read_barcodes(picture.convert("L"))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise PolyGuardError("picture", path.name, "send a PNG or JPEG picture of the barcode") from error
    if not found:
        raise PolyGuardError("picture", path.name, "no barcode was found: take it straight on, sharp and well lit")
    return [understood(code.text, str(code.format).rpartition(".")[2]) for code in found]


def understood(text: str, kind: str = "") -> Code:
    """What a code's text stands for.

    Raises:
        PolyGuardError: it is not the code of a drug sold under an NDC.
    """
    plain = text.strip()
    if NDC_TEXT.match(plain):
        return Code(plain, kind, f"NDC {plain}", ("-".join(plain.split("-")[:2]),))
    gtin = _gtin(plain)
    if gtin is None:
        raise PolyGuardError("barcode", plain[:60], "scan the NDC, UPC or GS1 code of a drug package")
    if _check_digit(gtin[:-1]) != gtin[-1]:
        raise PolyGuardError("barcode", gtin, "its check digit is wrong: scan it again")
    # 0 0 3 and the ten digits of an NDC: GS1's prefix of the United States' drug codes, whatever the packaging level.
    if gtin[1:3] != "03":
        raise PolyGuardError(
            "barcode", gtin, "it is not a drug code of the United States (GTIN x03...): enter the name"
        )
    ten = gtin[3:13]
    ndcs = tuple(f"{ten[:a]}-{ten[a : a + b]}" for a, b in SEGMENTS)
    return Code(plain, kind, f"GTIN {gtin} (NDC {ten})", ndcs)


def _gtin(text: str) -> str | None:
    """The 14 digits of a UPC, EAN, GTIN or GS1 element string."""
    plain = re.sub(r"[()\s]", "", text).strip(GROUP_SEPARATORS)
    if plain.startswith("01") and len(plain) >= 16 and plain[:16].isdigit():
        return plain[2:16]
    return plain.zfill(14) if plain.isdigit() and len(plain) in (12, 13, 14) else None


def _check_digit(body: str) -> str:
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(body)))
    return str(-total % 10)
