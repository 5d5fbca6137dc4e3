"""Which facts, of those shown to an agent, support an action: those behind the findings it resolves or lessens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from polyguard_env.engine.naming import Named
from polyguard_env.environment.roles import roles_explain
from polyguard_env.risk.index import RuleIndex

BURDEN_ROLES = {"acb": "acb", "cns_active": "cns", "fall_risk": "fall_risk"}


def supporting_facts(before: Sequence[Named], after: Mapping[str, float], index: RuleIndex) -> set[str]:
    """Fact ids behind the findings that an action resolves or lessens.

    Args:
        before: findings of the state.
        after: weight of each finding once the action is taken, by id.
    """
    facts: set[str] = set()
    for finding in before:
        if after.get(finding.finding_id, 0.0) < finding.weight - 1e-9 and finding.category != "omission":
            facts |= finding_facts(finding, index)
    return facts


def finding_facts(finding: Named, index: RuleIndex) -> set[str]:
    """The role facts shown to an agent that carry a finding."""
    profiles = [index.profile(drug_id) for drug_id in finding.drugs]
    if finding.category == "interaction" and len(profiles) == 2 and profiles[0] and profiles[1]:
        roles = roles_explain(finding.mechanism, profiles[0], profiles[1])
        return {f"{drug_id}#{role}" for drug_id in finding.drugs for role in roles}
    if finding.category == "burden":
        role = BURDEN_ROLES.get(finding.mechanism, "class")
        return {f"{drug_id}#{role}" for drug_id in finding.drugs}
    if finding.category == "organ_dosing":
        return {f"{drug_id}#renal" for drug_id in finding.drugs} | {f"{d}#dose" for d in finding.drugs}
    return {f"{drug_id}#class" for drug_id in finding.drugs}
