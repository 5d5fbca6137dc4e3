"""What withholding a drug for a time would answer, from what an observation shows."""

from __future__ import annotations

from polyguard_env.agents.board import Board
from polyguard_env.agents.observed import facts_of
from polyguard_env.environment.pool import ILLNESSES
from polyguard_env.risk.findings import Finding

# Share of its treatment that a pause costs, by how the agents weigh it.
PAUSE_COST = 0.1


def answered_by_pause(drug_id: str, board: Board) -> tuple[Finding, ...]:
    """Findings about a drug that last no longer than a pause of it: with a short course, or in an acute illness.

    Over weeks there are none.
    """
    if board.observation.sub_environment == "LONGITUDINAL_DEPRESCRIBING":
        return ()
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


def only_passes(drug_id: str, board: Board) -> bool:
    """True when a pause, of this drug or of the other in a pair, would answer all that is found about a drug."""
    about = [f for f in board.findings if drug_id in f.drugs and f.category != "monitoring" and f.severity != "minor"]
    return bool(about) and all(any(f in answered_by_pause(drug, board) for drug in f.drugs) for f in about)
