"""The reference policies around any learner: no change, random among legal, and the oracle."""

from __future__ import annotations

from hashlib import blake2b

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import ActionType, PolyGuardAction, PolyGuardObservation
from polyguard_env.policies.policy import Policy, answer


class NoChange(Policy):
    """Keeps the regimen as it is, and ends the episode when that is the only way to."""

    name = "no_change"

    def choose(self, env: PolyGuardEnv, observation: PolyGuardObservation) -> PolyGuardAction:
        kinds = (ActionType.KEEP_REGIMEN, ActionType.FINISH)
        kept = next(c for kind in kinds for c in observation.candidates if c.action_type is kind)
        return answer(kept, observation, confidence=0.5)


class RandomLegal(Policy):
    """Uniform over the legal candidates, from a seed of its own."""

    name = "random_legal"
    privileged = True

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def choose(self, env: PolyGuardEnv, observation: PolyGuardObservation) -> PolyGuardAction:
        legal = set(env.legal_candidate_ids())
        candidates = [c for c in observation.candidates if c.candidate_id in legal]
        key = f"{self.seed}|{observation.episode_id}|{observation.steps_left}"
        draw = int.from_bytes(blake2b(key.encode(), digest_size=8, person=b"randomlegal").digest(), "big")
        return answer(candidates[draw % len(candidates)], observation, confidence=1.0 / len(candidates))


class Oracle(Policy):
    """Takes the candidate with the highest price; tests hold it against exhaustive search."""

    name = "oracle"
    privileged = True

    def choose(self, env: PolyGuardEnv, observation: PolyGuardObservation) -> PolyGuardAction:
        prices = env.price()
        best = max(observation.candidates, key=lambda c: (prices[c.candidate_id], c.text))
        return PolyGuardAction(
            candidate_id=best.candidate_id, confidence=1.0, evidence_ids=env.supporting_facts(best.candidate_id)
        )
