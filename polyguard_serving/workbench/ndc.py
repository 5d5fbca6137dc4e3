"""Product names of NDCs: from a supplied copy of FDA's NDC directory, or from openFDA when its URL is configured.

No directory is packaged: it is large and changes daily. Without one, a code is read but not named.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from polyguard_env.errors import PolyGuardError
from polyguard_env.sources.supplied import read_rows
from polyguard_serving.workbench.barcode import Code

PLACE = "raw/supplied/ndc/product.txt"
COLUMNS = ("PRODUCTNDC", "PROPRIETARYNAME", "NONPROPRIETARYNAME", "SUBSTANCENAME")
OPENFDA_VARIABLE = "POLYGUARD_OPENFDA_URL"
ENDPOINT = "/drug/ndc.json"
CACHE = "raw/cache"


@dataclass(frozen=True, slots=True)
class Product:
    """A marketed product."""

    ndc: str
    name: str
    ingredients: tuple[str, ...]
    source: str


class NdcDirectory:
    """Looks NDCs up.

    Args:
        lake: data lake that may hold FDA's `product.txt`.
        service: openFDA's base URL; `POLYGUARD_OPENFDA_URL` when None, and not asked when empty.
        get: fetches a URL with parameters; None for "no such product".
    """

    def __init__(
        self,
        lake: Path,
        service: str | None = None,
        get: Callable[[str, dict[str, str | int]], bytes | None] | None = None,
    ) -> None:
        self.lake = lake
        self.service = (os.environ.get(OPENFDA_VARIABLE, "") if service is None else service).rstrip("/")
        self._get = get or self._fetch

    def product(self, code: Code) -> Product:
        """The product of a code.

        Raises:
            PolyGuardError: no directory was supplied, or it does not have the code.
        """
        for ndc in code.ndcs:
            found = self.supplied.get(plain_ndc(ndc)) or self._asked(ndc)
            if found is not None:
                return found
        known = bool(self.supplied) or bool(self.service)
        fix = (
            "the supplied directory does not have it: enter the drug's name"
            if known
            else f"the code was read, but no product directory is supplied: put FDA's product.txt at {PLACE} of the "
            f"data lake, or set {OPENFDA_VARIABLE}=https://api.fda.gov, or enter the drug's name"
        )
        raise PolyGuardError("NDC", " or ".join(code.ndcs), fix)

    @cached_property
    def supplied(self) -> dict[str, Product]:
        """Products of the supplied directory by plain NDC; empty without one."""
        path = self.lake / PLACE
        if not path.is_file():
            return {}
        return {
            plain_ndc(row["PRODUCTNDC"]): Product(
                row["PRODUCTNDC"], row["PROPRIETARYNAME"] or row["NONPROPRIETARYNAME"],
                _ingredients(row["SUBSTANCENAME"] or row["NONPROPRIETARYNAME"]), "the supplied NDC directory",
            )
            for _, row in read_rows(path, COLUMNS, delimiter="\t")
        }  # fmt: skip

    def _asked(self, ndc: str) -> Product | None:
        if not self.service:
            return None
        body = self._get(f"{self.service}{ENDPOINT}", {"search": f'product_ndc:"{ndc}"', "limit": 1})
        results = json.loads(body).get("results", []) if body is not None else []
        if not results:
            return None
        found = results[0]
        names = [str(part.get("name", "")) for part in found.get("active_ingredients", [])]
        generic = str(found.get("generic_name", ""))
        return Product(
            ndc, str(found.get("brand_name") or generic), _ingredients("; ".join(names) or generic), "openFDA"
        )

    def _fetch(self, url: str, params: dict[str, str | int]) -> bytes | None:
        from polyguard_env.sources.fetch import Fetcher

        fetcher = Fetcher(self.lake / CACHE, attempts=2, timeout=10.0, longest_wait=2.0)
        return fetcher.get(url, params, absent=(404,))


def plain_ndc(ndc: str) -> str:
    """Labeler and product without leading zeros: "0071-0155" and "00071-0155" are one product."""
    labeler, _, product = ndc.partition("-")
    return f"{labeler.lstrip('0')}-{product.lstrip('0')}"


def _ingredients(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in re.split(r";|, and | and |,", text) if part.strip()))
