"""Who picks for the planner: a policy, a model's scores, or the forecasts alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polyguard_env.environment.messages import PolyGuardAction, PolyGuardObservation
from polyguard_env.errors import PolyGuardError
from polyguard_env.policies.policy import Policy, answer


class PolicyChooser:
    """A policy that reads the observation alone.

    Raises:
        PolyGuardError: the policy looks at more than the observation.
    """

    def __init__(self, policy: Policy) -> None:
        if policy.privileged:
            raise PolyGuardError("policy", policy.name, "use a policy that reads the observation alone")
        self.policy, self.name = policy, policy.name

    def choose(self, observation: PolyGuardObservation) -> PolyGuardAction:
        """The policy's action."""
        unread: Any = None
        return self.policy.choose(unread, observation)


class ScoredChooser:
    """The most probable candidate of a model that scored them all.

    Args:
        name: who scored, for example "grpo_adapter".
        probabilities: candidate id to probability; those of the allowed ones are scaled to 1.
    """

    def __init__(self, name: str, probabilities: Mapping[str, float]) -> None:
        self.name, self.probabilities = name, probabilities

    def choose(self, observation: PolyGuardObservation) -> PolyGuardAction:
        """The most probable candidate; ties by words."""
        best = max(observation.candidates, key=lambda c: (self.probabilities[c.candidate_id], c.text))
        total = sum(self.probabilities[c.candidate_id] for c in observation.candidates)
        return answer(best, observation, self.probabilities[best.candidate_id] / total if total > 0 else 0.0)
