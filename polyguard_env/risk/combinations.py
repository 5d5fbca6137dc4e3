"""Higher-order combinations: hyperedges of the interaction graph, harmful only when every side is taken."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations as pairs

from polyguard_env.risk.findings import Finding
from polyguard_env.risk.index import RuleIndex


def combination_findings(
    drugs: Sequence[str], index: RuleIndex, within: frozenset[tuple[str, str]] = frozenset()
) -> list[Finding]:
    """One finding per hyperedge whose sides can each be given a drug of their own.

    Args:
        drugs: drug ids of the regimen; repeats count once.
        within: pairs of ingredients of one product; an interaction wholly inside it is none, a burden stays.
    """
    sides: dict[str, dict[str, list[str]]] = {}
    for drug_id in sorted(set(drugs)):
        for rule in index.rules("combination", drug_id):
            sides.setdefault(rule.rule_id, {}).setdefault(rule.fields["side"], []).append(drug_id)
    findings = []
    for rule_id, members in sides.items():
        edge = index.combinations[rule_id]
        every = sorted({drug for side in members.values() for drug in side})
        if edge.rule.fields["category"] != "burden" and all(pair in within for pair in pairs(every, 2)):
            continue
        if len(members) == edge.sides and has_representatives(list(members.values())):
            findings.append(
                Finding(
                    finding_id=f"combination:{rule_id}",
                    category=edge.rule.fields["category"],
                    severity=edge.rule.severity,
                    drugs=tuple(every),
                    mechanism=edge.rule.fields["mechanism"],
                    management=edge.rule.fields["management"],
                    evidence_ids=(rule_id, edge.rule.source),
                )
            )
    return findings


def has_representatives(sides: list[list[str]]) -> bool:
    """True when each side can be given a drug that no other side is given."""
    taken: dict[str, int] = {}

    def place(side: int, seen: set[str]) -> bool:
        for drug in sides[side]:
            if drug not in seen:
                seen.add(drug)
                if drug not in taken or place(taken[drug], seen):
                    taken[drug] = side
                    return True
        return False

    return all(place(side, set()) for side in range(len(sides)))
