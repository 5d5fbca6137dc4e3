"""RxNav's REST service: the RxNorm concept of a name, and its ingredients."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from polyguard_env.errors import PolyGuardError
from polyguard_env.sources.fetch import Fetcher
from polyguard_env.sources.rxnorm_rrf import COLUMNS

SOURCE = "rxnav"


def fetch(fetcher: Fetcher, base: str, drugs: Sequence[str], labels_per_drug: int = 1) -> pd.DataFrame:
    """Concepts of the named drugs and of their ingredients, as `rxnorm_rrf.read` gives them.

    Only exact and normalised matches are asked for, never approximate ones.

    Args:
        base: for example https://rxnav.nlm.nih.gov.
        labels_per_drug: not used; every web source is asked alike.

    Raises:
        PolyGuardError: the server refused or failed, or its answer is not of the published shape.
    """
    rest = f"{base.rstrip('/')}/REST"
    rows: dict[tuple[str, str], tuple[str, str, str, list[str], str]] = {}
    for name in drugs:
        for rxcui in _ids(_got(fetcher, f"{rest}/rxcui.json", name, {"name": name, "search": 2}), name):
            parts = _ingredients(_got(fetcher, f"{rest}/rxcui/{rxcui}/related.json", name, {"tty": "IN"}), name)
            held = dict(parts) or {rxcui: name}
            kind = "IN" if rxcui in held else ""
            rows.setdefault((rxcui, name), (rxcui, name, kind, sorted(held), ""))
            for part, label in held.items():
                rows.setdefault((part, label), (part, label, "IN", [part], ""))
    return pd.DataFrame(list(rows.values()), columns=list(COLUMNS))


def _got(fetcher: Fetcher, url: str, name: str, query: dict[str, str | int]) -> dict[str, Any]:
    body = fetcher.get(url, query)
    try:
        found = json.loads(body or b"")
    except ValueError as error:
        raise PolyGuardError(f"RxNav answer for {name}", str(error), "expected JSON; try again later") from error
    if not isinstance(found, dict):
        raise PolyGuardError(f"RxNav answer for {name}", type(found).__name__, "expected a JSON object")
    return found


def _ids(answer: dict[str, Any], name: str) -> list[str]:
    group = answer.get("idGroup")
    if not isinstance(group, dict):
        raise PolyGuardError(f"RxNav answer for {name}, idGroup", group, "expected RxNav's rxcui.json shape")
    return [str(rxcui) for rxcui in group.get("rxnormId") or ()]


def _ingredients(answer: dict[str, Any], name: str) -> list[tuple[str, str]]:
    try:
        groups = answer["relatedGroup"].get("conceptGroup") or []
        return [
            (str(concept["rxcui"]), str(concept["name"]))
            for group in groups
            if group.get("tty") == "IN"
            for concept in group.get("conceptProperties") or []
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise PolyGuardError(f"RxNav answer for {name}, relatedGroup", str(error), "expected related.json") from error
