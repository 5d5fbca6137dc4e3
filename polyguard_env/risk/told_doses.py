"""Findings that a dose told in the list answers: a pair within its label's limit, a maximum of another form or use.

Rows are in `dosed_pairs.csv` (an interaction whose source allows it up to a daily dose) and `form_maxima.csv` (a
labelled dose above the profile's maximum: extended release, tablets of an injected drug, a salt's weight, the first
days of a treatment). Doses are daily averages in the drug's unit. A dose that is not known, or known in part, answers
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.rules import Selector
from polyguard_env.knowledge.schema import SEVERITY_RANK, Severity
from polyguard_env.knowledge.tabular import read_fragments
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.risk.findings import SLACK, Finding, above_maximum
from polyguard_env.risk.index import RuleIndex

UNTOLD = "untold"


@lru_cache(maxsize=4)
def _pair_rows(knowledge: KnowledgeBase) -> tuple[tuple[set[str], set[str], dict[str, str]], ...]:
    """Rows of `dosed_pairs.csv` with the drugs of their sides."""
    select = Selector(knowledge.drugs).select
    rows = [(row, f"dosed_pairs.csv {row['rule_id']}") for row in read_fragments("dosed_pairs")]
    return tuple((select(row["side_a"], where), select(row["side_b"], where), row) for row, where in rows)


@lru_cache(maxsize=1)
def _maximum_rows() -> Mapping[str, tuple[tuple[re.Pattern[str], dict[str, str]], ...]]:
    """Rows of `form_maxima.csv` by drug id, each with the pattern of the entries it holds for."""
    found: dict[str, tuple[tuple[re.Pattern[str], dict[str, str]], ...]] = {}
    for row in read_fragments("form_maxima"):
        words = "|".join(re.escape(word) for word in row["words"].split(";"))
        pattern = re.compile(rf"\b({words})\b" if words else "", re.IGNORECASE)
        found[row["drug_id"]] = (*found.get(row["drug_id"], ()), (pattern, row))
    return found


def answered_by_dose(
    patient: Patient, findings: Sequence[Finding], regimen: Sequence[RegimenItem], index: RuleIndex
) -> list[Finding]:
    """The findings, each pair lowered and each maximum moved where a row says so of the dose told.

    Args:
        regimen: what is taken; each drug once with its summed dose, and none whose dose is known in part only.
    """
    taken = {item.drug_id: item for item in regimen if item.dose is not None}
    answered = []
    for finding in findings:
        if finding.finding_id.startswith("interaction:"):
            answered.append(_paired(finding, taken, index))
        elif finding.mechanism == "maximum" and finding.drugs[0] in taken:
            answered += _maximum(finding, taken[finding.drugs[0]], patient)
        else:
            answered.append(finding)
    return answered


def _paired(finding: Finding, taken: Mapping[str, RegimenItem], index: RuleIndex) -> Finding:
    for dosed, partner in (finding.drugs, finding.drugs[::-1]):
        item, other = taken.get(dosed), taken.get(partner)
        for side_a, side_b, row in _pair_rows(index.knowledge) if item else ():
            if dosed not in side_a or partner not in side_b or SEVERITY_RANK[row["severity"]] >= _rank(finding):
                continue
            if finding.mechanism not in row["mechanisms"].split(";") or not _within(item, row["most"], row["interval"]):
                continue
            if row["partner_most"] and not _within(other, row["partner_most"], ""):
                continue
            evidence = tuple(dict.fromkeys((*finding.evidence_ids, row["rule_id"], row["source"])))
            lowered: Severity = row["severity"]  # type: ignore[assignment]
            return replace(finding, severity=lowered, management=row["management"], evidence_ids=evidence)
    return finding


def _rank(finding: Finding) -> int:
    return SEVERITY_RANK[finding.severity]


def _within(item: RegimenItem | None, most: str, interval: str) -> bool:
    """True when a dose is known, at most so high and taken so seldom."""
    if item is None or item.dose is None or item.dose > float(most) * SLACK:
        return False
    return not interval or item.interval >= float(interval)


def _maximum(finding: Finding, item: RegimenItem, patient: Patient) -> list[Finding]:
    dose = item.dose or 0.0
    for pattern, row in _maximum_rows().get(item.drug_id, ()):
        if not pattern.search(item.entered) or dose * SLACK < float(row["least"] or 0):
            continue
        if not _is_use(row["use"], item, patient):
            continue
        evidence = tuple(dict.fromkeys((*finding.evidence_ids, row["rule_id"], row["source"])))
        most = float(row["most"])
        if dose > most * SLACK:
            return [replace(finding, severity=above_maximum(dose, most), limit=most, evidence_ids=evidence)]
        if not row["severity"]:
            return []
        lowered: Severity = row["severity"]  # type: ignore[assignment]
        text = row["management"]
        return [replace(finding, severity=lowered, management=text, limit=None, evidence_ids=evidence)]
    return [finding]


def _is_use(use: str, item: RegimenItem, patient: Patient) -> bool:
    """True for a row of any use, of the drug's indication or a condition, or of an indication that nobody told."""
    if use == UNTOLD:
        return not item.indication and not patient.conditions
    return not use or use == item.indication or (not item.indication and use in patient.conditions)
