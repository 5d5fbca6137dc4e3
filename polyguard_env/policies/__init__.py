"""Policies by the names every report uses."""

from polyguard_env.policies.baselines import NoChange, Oracle, RandomLegal
from polyguard_env.policies.policy import Policy
from polyguard_env.policies.rule_based import RuleBased

POLICIES: dict[str, type[Policy]] = {
    "no_change": NoChange,
    "random_legal": RandomLegal,
    "rule_based": RuleBased,
    "oracle": Oracle,
}
