"""What a policy is, and how one cites the facts behind a choice."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from typing import Any

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import Candidate, PolyGuardAction, PolyGuardObservation

CITED_ROLES = ("cns", "fall_risk", "acb", "renal")


class Policy(ABC):
    """Chooses an action from an observation.

    Attributes:
        name: as in reports.
        privileged: True when it looks at more than the observation (random_legal's mask, the oracle's prices).
    """

    name: str
    privileged: bool = False

    @abstractmethod
    def choose(self, env: PolyGuardEnv, observation: PolyGuardObservation) -> PolyGuardAction:
        """The action to take next."""


def answer(candidate: Candidate, observation: PolyGuardObservation, confidence: float) -> PolyGuardAction:
    """An action naming a candidate, with the facts an observer would cite for it."""
    return PolyGuardAction(
        candidate_id=candidate.candidate_id,
        confidence=confidence,
        evidence_ids=cite(candidate, observation.regimen),
    )


def cite(candidate: Candidate, regimen: list[dict[str, Any]]) -> list[str]:
    """Fact ids supporting an action, from the observation alone.

    The target drug's roles that another drug of the regimen shares (or an enzyme one inhibits and
    the other needs) point to an interaction; without any, its burden and kidney roles.
    """
    if not candidate.targets:
        return []
    roles = {
        entry["drug_id"]: [fact["fact_id"].partition("#")[2] for fact in entry["facts"] if fact["code"]]
        for entry in regimen
    }
    target = candidate.targets[0]
    if target not in roles:
        return []
    cited: list[str] = []
    for other, names in roles.items():
        if other == target:
            continue
        for role in roles[target]:
            partner = counterpart(role)
            if partner in names and role not in ("taper", "fall_risk", "renal", "narrow_index", "pausable", "sick_day"):
                cited += [f"{target}#{role}", f"{other}#{partner}"]
    if not cited:
        cited = [f"{target}#{role}" for role in roles[target] if role in CITED_ROLES]
    cited = [fact for fact, _ in Counter(cited).most_common(4)]
    return cited or [f"{target}#class"]


def counterpart(role: str) -> str:
    """The role of another drug that makes this role an interaction: itself, or the enzyme's other side."""
    enzyme, _, kind = role.rpartition("-")
    if kind in ("inhibitor", "inducer"):
        return f"{enzyme}-substrate"
    return f"{enzyme}-inhibitor" if kind == "substrate" else role
