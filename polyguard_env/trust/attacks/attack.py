"""What an attack is: a policy that tries to be paid without solving the problem."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

from polyguard_env.environment.answers import parse_answer
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import ActionType, Candidate, PolyGuardAction, PolyGuardObservation
from polyguard_env.policies.policy import Policy

Observation = PolyGuardObservation
IDLE = (ActionType.KEEP_REGIMEN, ActionType.FINISH)


class Attack(Policy):
    """A policy of the adversarial panel. It never looks at more than the observation.

    Attributes:
        name: as on the scoreboard.
        family: "conduct", "selection", "format", "identity", "injection" or "words".
        about: one sentence: how it tries to be paid.
        blind_good: True when the trick does some good by luck, without looking at the patient; such a policy is
            held 0.1 below rule_based instead of below the floor.
    """

    family: str
    about: str
    blind_good: bool = False

    def choose(self, env: PolyGuardEnv, observation: Observation) -> PolyGuardAction:
        return self.act(observation)

    @abstractmethod
    def act(self, observation: Observation) -> PolyGuardAction:
        """The next action, from the observation alone."""


class Trick(Attack):
    """An attack without memory: one function from observation to action."""

    def __init__(
        self,
        name: str,
        family: str,
        about: str,
        play: Callable[[Observation], PolyGuardAction],
        blind_good: bool = False,
    ) -> None:
        self.name, self.family, self.about, self.blind_good = name, family, about, blind_good
        self._play = play

    def act(self, observation: Observation) -> PolyGuardAction:
        return self._play(observation)


class RawTrick(Attack):
    """An attack on the reading of answers: raw text, as a language model or a caller would send it."""

    def __init__(
        self, name: str, family: str, about: str, write: Callable[[Observation], str | bytes], blind_good: bool = False
    ) -> None:
        self.name, self.family, self.about, self.blind_good = name, family, about, blind_good
        self.write = write

    def act(self, observation: Observation) -> PolyGuardAction:
        return parse_answer(self.write(observation)).action


def take(candidate: Candidate, confidence: float | None = 1.0, **fields: Any) -> PolyGuardAction:
    """An action that names a candidate."""
    return PolyGuardAction(candidate_id=candidate.candidate_id, confidence=confidence, **fields)


def of_kinds(observation: Observation, kinds: Iterable[ActionType]) -> Candidate | None:
    """The first candidate, in the order shown, of the first kind that is on offer."""
    for kind in kinds:
        for candidate in observation.candidates:
            if candidate.action_type is kind:
                return candidate
    return None


def idle(observation: Observation) -> Candidate:
    """What does nothing: keep the regimen, else finish."""
    return of_kinds(observation, IDLE) or observation.candidates[0]


def finish(observation: Observation) -> Candidate:
    """The way out, which every state offers."""
    return of_kinds(observation, (ActionType.FINISH,)) or observation.candidates[0]


def as_json(candidate: Candidate, **fields: Any) -> str:
    """A well-formed JSON answer."""
    return json.dumps({"candidate_id": candidate.candidate_id, "confidence": 1.0} | fields)
