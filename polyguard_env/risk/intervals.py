"""Drugs that are taken more often than they may be, whatever the amount: methotrexate a day in place of a week."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.model import RegimenItem
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.index import RuleIndex

# Shorter than this share of the least interval is too often; what is spread over the week ("twice weekly") is one.
SLACK = 0.95


@lru_cache(maxsize=1)
def least_intervals() -> Mapping[str, tuple[dict[str, str], ...]]:
    """Rows of `least_intervals.csv` by drug id; several rows of a drug are several sources of one fact."""
    found: dict[str, tuple[dict[str, str], ...]] = {}
    for row in read_fragments("least_intervals"):
        for drug_id in row["drug_ids"].split(";"):
            found[drug_id] = (*found.get(drug_id, ()), row)
    return found


def interval_findings(regimen: Sequence[RegimenItem], index: RuleIndex) -> list[Finding]:
    """One finding per drug whose directions give it more often than its least interval in days."""
    findings: dict[str, Finding] = {}
    for item in regimen:
        rows = least_intervals().get(item.drug_id, ())
        if not rows or item.interval <= 0 or item.interval >= SLACK * float(rows[0]["days"]):
            continue
        often = f"{1 / item.interval:g} times a day" if item.interval < 1 else (
            "every day" if item.interval == 1 else f"every {item.interval:g} days"
        )  # fmt: skip
        name = index.drug(item.drug_id).name.lower()
        findings[item.drug_id] = Finding(
            finding_id=f"organ_dosing:interval:{item.drug_id}",
            category="organ_dosing",
            severity=rows[0]["severity"],  # type: ignore[arg-type]
            drugs=(item.drug_id,),
            mechanism="interval",
            management=f"avoid: {name} is listed as taken {often}, and at least {float(rows[0]['days']):g} days belong "
            f"between two doses; {rows[0]['reason']}; check with the prescriber before the next dose",
            evidence_ids=(f"least_interval:{item.drug_id}", *dict.fromkeys(row["source"] for row in rows)),
        )
    return list(findings.values())
