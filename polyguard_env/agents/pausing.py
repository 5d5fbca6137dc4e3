"""What withholding a drug for a time would answer, from what an observation shows."""

from __future__ import annotations

from polyguard_env.agents.board import Board
from polyguard_env.agents.observed import facts_of
from polyguard_env.environment.pool import ILLNESSES
from polyguard_env.risk.findings import Finding

# Share of its treatment that a pause costs, by how the agents weigh it.
PAUSE_COST = 0.1


def answered_by_pause(drug_id: str, board: Board) -> tuple[Finding, ...]:
    """Findings about a drug that last no longer than a pause of it: with a short course, or in an acute illness."""
    facts = facts_of(board.observation, drug_id)
    courses = {entry["drug_id"] for entry in board.observation.regimen if entry["course"]}
    found = []
    for finding in board.findings:
        if drug_id not in finding.drugs:
            continue
        clashes = finding.category in ("interaction", "duplication") and courses & set(finding.drugs) - {drug_id}
        ill = finding.category == "drug_disease" and finding.mechanism in ILLNESSES
        if (clashes and "pausable" in facts) or (ill and "sick_day" in facts):
            found.append(finding)
    return tuple(found)
