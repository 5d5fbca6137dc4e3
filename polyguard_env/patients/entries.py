"""Entries of a medication list: the items of one entry, and what its words tell of route, release and use."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.names import normalise, readings
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.checks import figures
from polyguard_env.patients.directions import directions
from polyguard_env.patients.model import RegimenItem

# The most telling first: a "vaginal cream" is vaginal, not topical.
LOCAL = ("ophthalmic", "otic", "nasal", "vaginal", "nebulised", "inhaled", "topical")


def entry_items(
    text: str,
    doses: Mapping[str, float | None],
    place: int,
    product: bool,
    indication: str = "",
    days: int = 365,
) -> list[RegimenItem]:
    """The items of one entry of a list, one for each ingredient.

    Args:
        text: the entry as written.
        doses: drug id to daily dose in the drug's own unit, None where unknown.
        place: place of the entry in its list, from 0.
        product: True when the ingredients are sold together as one product.
        indication: condition id, or "".
        days: days on it.
    """
    number = place + 1 if product and len(doses) > 1 else 0
    return [RegimenItem(drug_id, dose, indication, days, text, number) for drug_id, dose in doses.items()]


def entries_in_words(regimen: Sequence[RegimenItem], knowledge: KnowledgeBase) -> list[str]:
    """Each entry for a person, with what it stands for where its name does not say: "Norco (hydrocodone + ...)"."""
    entries: dict[tuple[str, int, int], list[str]] = {}
    for place, item in enumerate(regimen):
        key = (item.entered, item.product, 0 if item.product else place)
        entries.setdefault(key, []).append(knowledge.drug(item.drug_id).name)
    told = []
    for (entered, _, _), names in entries.items():
        bare = len(names) == 1 and normalise(entered) in ("", normalise(names[0]))
        told.append(names[0] if bare else f"{entered} ({' + '.join(name.lower() for name in names)})")
    return told


def doses_in_words(regimen: Sequence[RegimenItem], knowledge: KnowledgeBase) -> list[str]:
    """Each known daily dose for a person, and how often it is taken where that is less than daily."""
    told = []
    for item in regimen:
        drug = knowledge.drug(item.drug_id)
        if item.dose is not None:
            unit = f" {drug.profile.dose_unit}" if drug.profile else ""
            apart = f" (on average; every {item.interval:g} days)" if item.interval > 1 else ""
            told.append(f"{drug.name.lower()} {figures(item.dose, 4)}{unit}{apart}")
    return told


@lru_cache(maxsize=1)
def _forms() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple(
        (re.compile(rf"\b{re.escape(normalise(row['name']))}\b"), row["form"]) for row in read_fragments("entry_forms")
    )


@lru_cache(maxsize=4096)
def forms_of(text: str) -> frozenset[str]:
    """What an entry's words say (`entry_forms.csv`): routes, "extended" for its release, "as_needed"."""
    plain = normalise(text)
    return frozenset(form for pattern, form in _forms() if pattern.search(plain))


def route_of(item: RegimenItem, routes: Sequence[str]) -> str:
    """Where an entry acts: one of `LOCAL`, or "systemic".

    Args:
        item: the entry's item.
        routes: routes of the drug's profile, the usual one first; empty when it has none.
    """
    told = forms_of(item.entered)
    named = next((route for route in LOCAL if route in told), "")
    # A gel or cream of a drug that is given through the skin reaches the blood.
    if named == "topical" and "transdermal" in routes and "topical" not in routes:
        return "systemic"
    if named or "oral" in told:
        return named or "systemic"
    return routes[0] if routes and routes[0] in LOCAL else "systemic"


def bare_name(text: str) -> str:
    """An entry's name without strength, form and directions: "Simvastatin 20 MG Oral Tablet" is "simvastatin"."""
    names = directions(text).names
    return readings(names[0] if names else text)[-1]
