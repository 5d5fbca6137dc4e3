"""Findings of drugs that are used locally as written: what rests on exposure of the whole body counts for less.

"ketoconazole shampoo" names ketoconazole, whose findings are those of the tablet. `local_use.csv` says how severe a
finding of a drug can still be by route, and what stays: drugs given through the skin or the nose to act in the whole
body, beta-blocker eye drops, miconazole or a salicylate with warfarin, and what else labels name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from polyguard_env.knowledge.roles import SYSTEMIC
from polyguard_env.knowledge.schema import SEVERITIES, SEVERITY_RANK
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.entries import forms_of, route_of
from polyguard_env.patients.model import RegimenItem
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.index import RuleIndex, terms

STAYS = "stays"
# Findings on one drug's dose, organs, tests and burden: they are of the whole body's exposure alone.
OF_EXPOSURE = frozenset({"organ_dosing", "monitoring", "burden", "withdrawal"})
PAIR = 2


@dataclass(frozen=True, slots=True)
class Use:
    """One row of `local_use.csv`.

    Attributes:
        targets: drugs and classes used locally; "*" for all.
        others: drugs, classes and conditions of the finding's other side; "*" for all.
        most: the highest severity that is left, or "stays".
        note: why.
        source: source key.
    """

    targets: frozenset[str]
    others: frozenset[str]
    most: str
    note: str
    source: str


@lru_cache(maxsize=1)
def uses() -> Mapping[str, tuple[Use, ...]]:
    """Route to its rows."""
    found: dict[str, list[Use]] = {}
    for row in read_fragments("local_use"):
        use = Use(
            frozenset(terms(row["target"])), frozenset(terms(row["other"])), row["most"], row["note"], row["source"]
        )
        for route in row["route"].split(";"):
            found.setdefault(route, []).append(use)
    return {route: tuple(rows) for route, rows in found.items()}


def local_routes(regimen: Sequence[RegimenItem], index: RuleIndex) -> dict[str, str]:
    """Drugs that every entry gives locally by its own words, with the route.

    Left out are drugs whose findings are those of local use already (their profile has no other route), and those that
    act in the whole body by that route.
    """
    told: dict[str, set[str]] = {}
    for item in regimen:
        profile = index.profile(item.drug_id)
        routes = profile.routes if profile else ()
        route = route_of(item, routes)
        written = route in forms_of(item.entered) and (profile is None or not SYSTEMIC.isdisjoint(routes))
        told.setdefault(item.drug_id, set()).add(route if written else "")
    single = {drug_id: next(iter(routes)) for drug_id, routes in told.items() if len(routes) == 1}
    return {
        drug_id: route
        for drug_id, route in single.items()
        if (rows := _rows(drug_id, route, index)) and not any(u.most == STAYS and "*" in u.others for u in rows)
    }


def eased(
    findings: Sequence[Finding], without: Sequence[Finding], local: Mapping[str, str], index: RuleIndex
) -> list[Finding]:
    """Findings of a regimen, those of local drugs lowered to what their route leaves.

    Args:
        findings: of the whole regimen.
        without: of the regimen without the local drugs: its burdens and combinations of three hold.
        local: what `local_routes` gives.
    """
    kept = [finding for finding in without if finding.category != "omission"]
    known = {finding.finding_id for finding in kept}
    for finding in findings:
        if finding.category == "omission":
            kept.append(finding)
        elif local.keys() & set(finding.drugs) and finding.finding_id not in known:
            kept += _eased(finding, local, index)
    return kept


def _eased(finding: Finding, local: Mapping[str, str], index: RuleIndex) -> list[Finding]:
    if finding.category in OF_EXPOSURE or len(finding.drugs) > PAIR:
        return []
    for drug_id in sorted(local.keys() & set(finding.drugs)):
        use = _use(finding, drug_id, local[drug_id], index)
        if use.most != STAYS and SEVERITY_RANK[use.most] < SEVERITY_RANK[finding.severity]:
            finding = replace(
                finding,
                severity=SEVERITIES[SEVERITY_RANK[use.most] - 1],
                management=f"monitor: {local[drug_id]} use, {use.note}",
                evidence_ids=tuple(dict.fromkeys((*finding.evidence_ids, use.source))),
            )
    return [finding]


def _use(finding: Finding, drug_id: str, route: str, index: RuleIndex) -> Use:
    """The row that leaves most of a finding: exceptions outweigh the rule of the route."""
    names = {finding.mechanism}
    for other in finding.drugs:
        if other != drug_id:
            names |= {other, *index.drug(other).classes}
    rows = [use for use in _rows(drug_id, route, index) if "*" in use.others or use.others & names]
    return max(rows, key=lambda use: SEVERITY_RANK.get(use.most, len(SEVERITY_RANK) + 1))


def _rows(drug_id: str, route: str, index: RuleIndex) -> list[Use]:
    names = {"*", drug_id, *index.drug(drug_id).classes}
    return [use for use in uses().get(route, ()) if use.targets & names]
