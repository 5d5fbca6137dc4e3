"""Doses that depend on several things of a person at once: apixaban by two of age, weight and creatinine, and others.

Rows are in `composite_doses.csv`. A condition is a name, a comparison and a number ("age>=80", "weight<=60",
"creatinine>=1.5", "crcl<30"), in years, kg, mg/dL and mL/min; `least` of them must hold.
One that is not known does not hold.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.schema import SEVERITY_RANK
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.risk.contradictions import kidney_function
from polyguard_env.risk.findings import SLACK, Finding
from polyguard_env.risk.index import RuleIndex, terms
from polyguard_env.risk.organs import MILDER

COMPARE: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
)
CONDITION = re.compile(r"(age|weight|creatinine|crcl|egfr)(>=|<=|>|<)(\d+(?:\.\d+)?)")


@lru_cache(maxsize=1)
def composite_rows() -> Mapping[str, tuple[dict[str, str], ...]]:
    """Rows of `composite_doses.csv` by drug id.

    Raises:
        PolyGuardError: a condition that cannot be read, or not exactly one kind of limit.
    """
    found: dict[str, tuple[dict[str, str], ...]] = {}
    for row in read_fragments("composite_doses"):
        where = f"composite_doses.csv {row['rule_id']}"
        for part in filter(None, row["conditions"].split(";")):
            if CONDITION.fullmatch(part) is None:
                raise PolyGuardError(f"{where} conditions", part, "write age, weight, creatinine, crcl or egfr>=number")
        if sum(bool(row[name]) for name in ("limit", "limit_per_kg", "limit_per_crcl")) != 1:
            raise PolyGuardError(f"{where} limit", row["limit"], "fill one of limit, limit_per_kg and limit_per_crcl")
        for drug_id in row["drug_ids"].split(";"):
            found[drug_id] = (*found.get(drug_id, ()), row)
    return found


def composite_findings(
    patient: Patient, regimen: Sequence[RegimenItem], named: Sequence[Finding], index: RuleIndex
) -> list[Finding]:
    """At most one finding per drug: the most severe row whose conditions hold and whose limit the dose passes.

    Args:
        regimen: what is taken; each drug once, with its summed dose. A dose that is not known is to be checked where
            the row asks so; its finding names the limit all the same.
        named: findings there are already; a limit that one of them names as strictly is not named again.
    """
    findings: list[Finding] = []
    known = {"age": float(patient.age), "weight": patient.weight, **kidney_function(patient)}
    if "creatinine" in patient.measurements:
        known["creatinine"] = patient.measurements["creatinine"]
    for item in regimen:
        made = [
            _finding(row, limit, item, met, index)
            for row in composite_rows().get(item.drug_id, ())
            if _is_for(row, item, patient)
            and len(met := _met(row, known)) >= int(row["least"])
            and (limit := _limit(row, known)) is not None
            and (row["ask"] == "yes" if item.dose is None else item.dose > limit * SLACK)
        ]
        made = [found for found in made if not any(_covers(held, found) for held in named)]
        if made:
            findings.append(max(made, key=lambda found: (SEVERITY_RANK[found.severity], -(found.limit or 0.0))))
    return findings


def _covers(held: Finding, found: Finding) -> bool:
    """True when a finding on the same drug's dose is as severe and its limit as low."""
    if held.category != "organ_dosing" or held.drugs != found.drugs or found.limit is None:
        return False
    lower = held.limit <= found.limit if held.limit is not None else held.management.startswith("avoid")
    return lower and SEVERITY_RANK[held.severity] >= SEVERITY_RANK[found.severity]


def _is_for(row: Mapping[str, str], item: RegimenItem, patient: Patient) -> bool:
    uses = terms(row["indication"])
    return not uses or (item.indication in uses if item.indication else not uses.isdisjoint(patient.conditions))


def _met(row: Mapping[str, str], known: Mapping[str, float]) -> list[str]:
    met = []
    for part in filter(None, row["conditions"].split(";")):
        name, sign, number = CONDITION.fullmatch(part).groups()  # type: ignore[union-attr]
        if name in known and COMPARE[sign](known[name], float(number)):
            met.append(f"{name} {known[name]:.3g} ({sign} {number})")
    return met


def _limit(row: Mapping[str, str], known: Mapping[str, float]) -> float | None:
    if row["limit"]:
        return float(row["limit"])
    if row["limit_per_kg"]:
        return float(row["limit_per_kg"]) * known["weight"]
    return float(row["limit_per_crcl"]) * known["crcl"] if "crcl" in known else None


def _finding(row: Mapping[str, str], limit: float, item: RegimenItem, met: list[str], index: RuleIndex) -> Finding:
    profile = index.profile(item.drug_id)
    why = f"{' and '.join(met)}: {row['note']}" if met else row["note"]
    severity, text, most = row["severity"], f"reduce: {why}", float(f"{limit:.4g}")
    if item.dose is None:
        unit = f" {profile.dose_unit}" if profile else ""
        severity, text = MILDER[severity], f"reduce: the dose is not known; check it is at most {most:g}{unit}; {why}"
    return Finding(
        finding_id=f"organ_dosing:composite:{item.drug_id}",
        category="organ_dosing",
        severity=severity,  # type: ignore[arg-type]
        drugs=(item.drug_id,),
        mechanism="composite",
        management=text,
        evidence_ids=(row["rule_id"], row["source"]),
        limit=most,
    )
