"""Measured values that a drug makes dangerous: an INR of 6.5 on warfarin, a sodium of 124 on a thiazide.

`critical_levels.csv` says which value of which drug asks for what; `implied_conditions.csv` which value is a condition
(a QTc of 500 ms is a long QT), so that the drug-disease rules on it hold. Values are in the units of
`measurements.csv`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.rules import Selector
from polyguard_env.knowledge.schema import SEVERITY_RANK
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.patients.reading import measurement_table
from polyguard_env.risk.composites import COMPARE
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.index import RuleIndex

Row = Mapping[str, str]


@lru_cache(maxsize=8)
def critical_rows(index: RuleIndex) -> Mapping[str, tuple[Row, ...]]:
    """Rows of `critical_levels.csv` by drug id.

    Raises:
        PolyGuardError: a row on no drug or with an unknown comparison.
    """
    selector = Selector(index.knowledge.drugs)
    found: dict[str, tuple[Row, ...]] = {}
    for row in read_fragments("critical_levels"):
        where = f"critical_levels.csv {row['rule_id']}"
        drugs = selector.select(row["target"], where)
        if not drugs:
            raise PolyGuardError(f"{where} target", row["target"], "name a drug or a class that has drugs")
        _checked(row, where)
        for drug_id in drugs:
            found[drug_id] = (*found.get(drug_id, ()), row)
    return found


@lru_cache(maxsize=1)
def implied_rows() -> tuple[Row, ...]:
    """Rows of `implied_conditions.csv`."""
    rows = read_fragments("implied_conditions")
    for row in rows:
        _checked(row, f"implied_conditions.csv {row['rule_id']}")
    return tuple(rows)


def _checked(row: Row, where: str) -> None:
    if row["comparison"] not in COMPARE:
        raise PolyGuardError(f"{where} comparison", row["comparison"], f"use one of {', '.join(COMPARE)}")


def _holds(row: Row, patient: Patient) -> bool:
    value = patient.measurements.get(row["measurement"])
    return value is not None and COMPARE[row["comparison"]](value, float(row["threshold"]))


def implied_conditions(patient: Patient) -> dict[str, Row]:
    """Conditions that measured values are and the patient's list lacks, each with the row that says so."""
    return {
        row["condition_id"]: row
        for row in implied_rows()
        if row["condition_id"] not in patient.conditions and _holds(row, patient)
    }


def level_findings(
    patient: Patient, regimen: Sequence[RegimenItem], drug_disease: Iterable[Finding], index: RuleIndex
) -> list[Finding]:
    """At most one finding per drug and measurement: the worse of what its value asks and what the condition it is does.

    Args:
        regimen: what is taken; each drug once.
        drug_disease: findings of the drug-disease rules on `implied_conditions`.
    """
    findings: dict[tuple[str, str], Finding] = {}
    for item in regimen:
        rows = [row for row in critical_rows(index).get(item.drug_id, ()) if _holds(row, patient)]
        for row in sorted(rows, key=lambda row: SEVERITY_RANK[row["severity"]]):
            findings[item.drug_id, row["measurement"]] = _level(row, item.drug_id, patient)
    implied = implied_conditions(patient)
    for finding in drug_disease:
        row = implied[finding.mechanism]
        key = (finding.drugs[0], row["measurement"])
        told = replace(
            finding,
            management=f"{finding.management}: {_measured(row['measurement'], patient)}",
            evidence_ids=(*finding.evidence_ids, row["rule_id"], row["source"]),
            measurement=row["measurement"],
        )
        held = findings.get(key)
        findings[key] = told if held is None else _joined(held, told)
    return list(findings.values())


def _joined(held: Finding, other: Finding) -> Finding:
    """The worse of two findings on one value, the first of equals, with the evidence of both."""
    first, second = (other, held) if SEVERITY_RANK[other.severity] > SEVERITY_RANK[held.severity] else (held, other)
    evidence = tuple(dict.fromkeys((*first.evidence_ids, *second.evidence_ids)))
    return replace(first, evidence_ids=evidence)


def _measured(measurement: str, patient: Patient) -> str:
    row = measurement_table()[measurement]
    short = row["unit"] if row["unit"] not in ("ratio", "text") else ""
    return f"{row['name']} {patient.measurements[measurement]:.3g} {short}".rstrip()


def _level(row: Row, drug_id: str, patient: Patient) -> Finding:
    measurement = row["measurement"]
    side = "high" if row["comparison"] in (">", ">=") else "low"
    action, _, detail = row["management"].partition(":")
    return Finding(
        finding_id=f"measurement:{drug_id}:{measurement}",
        category="measurement",
        severity=row["severity"],  # type: ignore[arg-type]
        drugs=(drug_id,),
        mechanism=f"{measurement}_{side}",
        management=f"{action}: {_measured(measurement, patient)};{detail}",
        evidence_ids=(row["rule_id"], row["source"]),
        measurement=measurement,
    )
