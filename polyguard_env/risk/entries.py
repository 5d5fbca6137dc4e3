"""What the entries of a list add to its drugs: one ingredient entered twice, and ingredients of one product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.rules import Selector
from polyguard_env.knowledge.schema import SEVERITY_RANK
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.checks import figures
from polyguard_env.patients.entries import bare_name, forms_of, route_of
from polyguard_env.patients.model import RegimenItem
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.index import RuleIndex

Pair = tuple[str, str]


def within_products(regimen: Sequence[RegimenItem]) -> frozenset[Pair]:
    """Pairs (a < b) of ingredients that come only from one combination product (or several of the same)."""
    if not any(item.product for item in regimen):
        return frozenset()
    held: dict[str, set[tuple[str, int]]] = {}
    for item in regimen:
        held.setdefault(item.drug_id, set()).add((item.entered, item.product))
    return frozenset(
        (a, b) for a, b in combinations(sorted(held), 2) if held[a] == held[b] and all(number for _, number in held[a])
    )


@dataclass(frozen=True, slots=True)
class Repeated:
    """One ingredient of several entries.

    Attributes:
        items: its items, in the order of the list.
        counted: those whose doses add up; a local form beside a systemic one does not.
        dose: daily dose of `counted` in the drug's unit as far as it is known; None when no part is.
        case: row of `same_ingredient.csv` that grades it.
    """

    items: tuple[RegimenItem, ...]
    counted: tuple[RegimenItem, ...]
    dose: float | None
    case: Mapping[str, str]

    @property
    def is_partial(self) -> bool:
        """True when a part of the dose is known and another is not."""
        return self.dose is not None and any(item.dose is None for item in self.counted)

    def merged(self) -> RegimenItem:
        """The ingredient as one item, with the summed dose."""
        indication = next((item.indication for item in self.items if item.indication), "")
        return replace(self.items[0], dose=self.dose, indication=indication, days=max(item.days for item in self.items))

    def parts(self, unit: str) -> str:
        """The dose for a person: sum, share of each entry, and what is unknown."""
        known = [f"{figures(item.dose)} in {_called(item)}" for item in self.counted if item.dose is not None]
        unknown = [f"the part in {_called(item)} is not known" for item in self.counted if item.dose is None]
        if self.dose is None:
            return "daily doses are not known"
        missing = f"; {' and '.join(unknown)} and not in the sum" if unknown else ""
        return f"{figures(self.dose)} {unit} a day in all ({', '.join(known)}{missing})".replace("  ", " ")


def repeated(regimen: Sequence[RegimenItem], index: RuleIndex) -> dict[str, Repeated]:
    """Ingredients that several entries hold, by drug id; almost always none."""
    if len({item.drug_id for item in regimen}) == len(regimen):
        return {}
    groups: dict[str, list[RegimenItem]] = {}
    for item in regimen:
        groups.setdefault(item.drug_id, []).append(item)
    return {drug_id: _repeated(items, index) for drug_id, items in groups.items() if len(items) > 1}


def merged(regimen: Sequence[RegimenItem], twice: Mapping[str, Repeated]) -> Sequence[RegimenItem]:
    """The regimen with each ingredient once, at its summed dose."""
    if not twice:
        return regimen
    firsts = {item.drug_id: item for item in reversed(regimen)}
    return [twice[drug_id].merged() if drug_id in twice else firsts[drug_id] for drug_id in
            dict.fromkeys(item.drug_id for item in regimen)]  # fmt: skip


def same_ingredient_findings(twice: Mapping[str, Repeated], index: RuleIndex) -> list[Finding]:
    """One duplication per ingredient that several entries hold; it names them and their doses."""
    findings = []
    for drug_id, found in twice.items():
        profile = index.profile(drug_id)
        names = " and as ".join(_called(item) for item in found.items)
        findings.append(
            Finding(
                finding_id=f"duplication:{drug_id}",
                category="duplication",
                severity=found.case["severity"],  # type: ignore[arg-type]
                drugs=(drug_id,),
                mechanism="same_ingredient",
                management=f"{found.case['management']}: {index.drug(drug_id).name.lower()} is listed as {names}; "
                f"{found.parts(profile.dose_unit if profile else '')}; {found.case['reason']}",
                evidence_ids=(f"same_ingredient:{found.case['case']}", found.case["source"]),
            )
        )
    return findings


def _repeated(items: Sequence[RegimenItem], index: RuleIndex) -> Repeated:
    profile = index.profile(items[0].drug_id)
    routes = [route_of(item, profile.routes if profile else ()) for item in items]
    systemic = [item for item, route in zip(items, routes, strict=True) if route == "systemic"]
    counted = systemic or list(items)
    known = [item.dose for item in counted if item.dose is not None]
    dose = sum(known) if known else None
    total = dose if dose is not None and len(known) == len(items) else None
    pairs = combinations(list(zip(items, routes, strict=True)), 2)
    graded = [_case([item for item, _ in pair], [route for _, route in pair], total, index) for pair in pairs]
    # What one pair of entries is excused for does not excuse another: the worst pair decides.
    case = max(graded, key=lambda row: SEVERITY_RANK[row["severity"]])
    return Repeated(tuple(items), tuple(counted), dose, case)


def _case(
    items: Sequence[RegimenItem], routes: Sequence[str], total: float | None, index: RuleIndex
) -> Mapping[str, str]:
    """The row of `same_ingredient.csv` that grades two entries of one ingredient, the mildest of those that hold.

    Args:
        total: daily dose of all entries of the ingredient; None when one of them is not known.
    """
    holds = {"names"}
    if len(set(routes)) > 1:
        holds.add("route")
    told = [forms_of(item.entered) for item in items]
    for case, form in (("release", "extended"), ("as_needed", "as_needed")):
        if len({form in forms for forms in told}) > 1:
            holds.add(case)
    names = {(bare_name(item.entered), item.product > 0) for item in items}
    lines = {(item.entered, item.dose) for item in items}
    if len(names) == 1 and len(lines) == len(items) and items[0].entered:
        holds.add("strengths")
    rows = []
    for row, drugs in cases(index.knowledge):
        is_low = row["case"] == "low_total" and total is not None and total <= float(row["limit"])
        applies = row["case"] in holds or is_low or row["case"] == "supplement"
        if applies and items[0].drug_id in drugs:
            rows.append(row)
    return min(rows, key=lambda row: SEVERITY_RANK[row["severity"]])


@lru_cache(maxsize=4)
def cases(knowledge: KnowledgeBase) -> tuple[tuple[dict[str, str], frozenset[str]], ...]:
    """Rows of `same_ingredient.csv` with the drugs they hold for."""
    selector = Selector(knowledge.drugs)
    return tuple(
        (row, frozenset(selector.select(row["target"], f"same_ingredient.csv {row['case']}")))
        for row in read_fragments("same_ingredient")
    )


def _called(item: RegimenItem) -> str:
    return item.entered or item.drug_id.replace("_", " ")
