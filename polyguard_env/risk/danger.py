"""Which sets of drugs are dangerous: those that hold an interaction of major severity or worse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from polyguard_env.risk.combinations import combination_findings
from polyguard_env.risk.findings import Finding, worst_first
from polyguard_env.risk.index import RuleIndex
from polyguard_env.risk.review import interaction_findings


def dangerous(combinations: Iterable[Sequence[str]], index: RuleIndex) -> list[Finding]:
    """The worst interaction of each dangerous combination, under the combination's own id.

    Args:
        combinations: sets of drug ids.
    """
    found = []
    for drugs in combinations:
        worst = worst_first(interaction_findings(drugs, index) + combination_findings(drugs, index))
        if worst and worst[0].severity in ("major", "contraindicated"):
            name = "+".join(drugs)
            drug_ids = tuple(drugs)
            found.append(replace(worst[0], finding_id=f"interaction:{name}", category="interaction", drugs=drug_ids))
    return found
