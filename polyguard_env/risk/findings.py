"""A finding is one thing wrong with a regimen; a report is all of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from polyguard_env.knowledge.schema import SEVERITY_RANK, Severity

CATEGORIES: tuple[str, ...] = (
    "interaction",
    "drug_disease",
    "organ_dosing",
    "burden",
    "duplication",
    "omission",
    "monitoring",
    "withdrawal",
    "measurement",
)

# A dose passes a limit by more than this share: what was multiplied and divided out of a list is the limit itself.
SLACK = 1.001
# Grade of this project (2026): above so many times its highest dose a drug's dose is a major finding.
MAJOR_ABOVE = 1.5
DISCLAIMER = "Research system, not a medical device; not for patient care."


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem.

    Attributes:
        finding_id: stable within a patient, for example "interaction:fluconazole+warfarin".
        category: one of `CATEGORIES`.
        drugs: the drugs involved, sorted; for an omission the drug to start.
        mechanism: controlled term (interactions) or the rule's own kind.
        management: what to do about it.
        evidence_ids: rule ids and source keys that carry the fact.
        measurement: measurement to order, for monitoring findings and monitored interactions; the one whose value is
            dangerous, for findings on a value.
        limit: highest acceptable daily dose, for organ dosing; None when the drug is to be avoided.
    """

    finding_id: str
    category: str
    severity: Severity
    drugs: tuple[str, ...]
    mechanism: str
    management: str
    evidence_ids: tuple[str, ...]
    measurement: str = ""
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class RiskReport:
    """All findings of one patient, worst first, with the knowledge they rest on.

    Attributes:
        warnings: what of the patient's data contradicts itself or could not be read, and what was used instead.
    """

    patient_id: str
    findings: tuple[Finding, ...]
    knowledge_fingerprint: str
    warnings: tuple[str, ...] = ()
    disclaimer: str = DISCLAIMER

    def by_category(self) -> dict[str, list[Finding]]:
        """Findings grouped by category; only categories that have any."""
        groups: dict[str, list[Finding]] = {}
        for finding in self.findings:
            groups.setdefault(finding.category, []).append(finding)
        return groups

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def above_maximum(dose: float, most: float) -> Severity:
    """Grade of a daily dose above the highest one, both in the drug's unit."""
    return "major" if dose > MAJOR_ABOVE * most else "moderate"


def worst_first(findings: list[Finding]) -> tuple[Finding, ...]:
    """Sort by severity (worst first), then category, then id, so output order never depends on input order."""
    return tuple(
        sorted(findings, key=lambda f: (-SEVERITY_RANK[f.severity], CATEGORIES.index(f.category), f.finding_id))
    )


def keep_worst(findings: dict[str, Finding], finding: Finding) -> None:
    """Of several findings with one id, the worst stays, and the later of equals."""
    held = findings.get(finding.finding_id)
    if held is None or SEVERITY_RANK[finding.severity] >= SEVERITY_RANK[held.severity]:
        findings[finding.finding_id] = finding
