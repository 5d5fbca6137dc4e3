"""Names and RxNorm ids of supplied sources to drug ids: exactly, or not at all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cached_property

import pandas as pd

from polyguard_env.knowledge.base import combination_products
from polyguard_env.knowledge.names import NameIndex, normalise


class Resolver:
    """Resolves names with a vocabulary, and with names that a supplied RxNorm adds to it.

    Args:
        vocabulary: table with drug_id, names and rxcui.
        aliases: normalised names a supplied source adds; they never replace a known one.
    """

    def __init__(self, vocabulary: pd.DataFrame, aliases: Mapping[str, tuple[str, ...]] | None = None) -> None:
        known = {
            name: str(drug_id)
            for drug_id, names in zip(vocabulary["drug_id"], vocabulary["names"], strict=True)
            for name in names
        }
        self.names = NameIndex(known, combination_products(set(vocabulary["drug_id"])))
        self.aliases = dict(aliases or {})
        self._rxcuis = zip(vocabulary["rxcui"], vocabulary["drug_id"], strict=True)
        self._known: dict[tuple[str, str], tuple[str, ...]] = {}

    @cached_property
    def rxcuis(self) -> dict[str, str]:
        """RxNorm id to drug id; ids that two drugs claim are left out."""
        found: dict[str, str] = {}
        twice = set()
        for rxcui, drug_id in self._rxcuis:
            if rxcui and found.setdefault(rxcui, drug_id) != drug_id:
                twice.add(rxcui)
        return {rxcui: drug_id for rxcui, drug_id in found.items() if rxcui not in twice}

    def resolve_all(self, name: str, rxcui: str = "") -> tuple[str, ...]:
        """The ingredients of a name, else of the alias, else of the RxNorm id; empty when unknown."""
        key = (name, rxcui)
        if key not in self._known:
            found = self.names.resolve_all(name) if name else ()
            found = found or self.aliases.get(normalise(name), ())
            if not found and rxcui in self.rxcuis:
                found = (self.rxcuis[rxcui],)
            self._known[key] = found
        return self._known[key]

    def is_product(self, name: str, drug_ids: Collection[str]) -> bool:
        """True when the ingredients are sold as one product: one of the vocabulary, or one that the source named."""
        named = normalise(name) in self.aliases and not self.names.resolve_all(name)
        return self.names.is_product(drug_ids) or (named and len(drug_ids) > 1)


def joined_names(concepts: pd.DataFrame, resolver: Resolver) -> pd.DataFrame:
    """How RxNorm's names stand to the vocabulary's.

    Returns:
        name, rxcui, term_type, drug_ids, status: "same" (both give the same ingredients), "added" (only RxNorm
        knows the name and its ingredients resolve), "differs" (the two disagree; ours stands) or "unknown".
    """
    ingredients = {
        rxcui: resolver.resolve_all(name, rxcui)
        for rxcui, name, kind in zip(concepts["rxcui"], concepts["name"], concepts["term_type"], strict=True)
        if kind == "IN"
    }
    rows = []
    columns = (concepts[name] for name in ("rxcui", "name", "term_type", "ingredients"))
    for rxcui, name, kind, held in zip(*columns, strict=True):
        ours = resolver.names.resolve_all(name)
        theirs = _together(ingredients.get(part, ()) for part in held)
        if ours and theirs:
            status = "same" if set(ours) == set(theirs) else "differs"
        else:
            status = "added" if theirs else "same" if ours else "unknown"
        rows.append((name, rxcui, kind, list(ours or theirs), status))
    return pd.DataFrame(rows, columns=["name", "rxcui", "term_type", "drug_ids", "status"])


def added_aliases(names: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Normalised names that only the supplied source knows."""
    added = names[names["status"] == "added"]
    return {normalise(name): tuple(drug_ids) for name, drug_ids in zip(added["name"], added["drug_ids"], strict=True)}


def _together(parts: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """All ingredients; none when any part is unknown."""
    every = list(parts)
    return tuple(dict.fromkeys(drug for part in every for drug in part)) if every and all(every) else ()
