"""The highest episode reward any play can reach: exhaustive on small episodes, a beam on large ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardAction
from polyguard_env.policies import POLICIES

EXHAUSTIVE_PLAYS = 600
BEAM = 6


@dataclass(frozen=True, slots=True)
class Best:
    """The best play found: its episode reward, and whether every legal play was tried."""

    reward: float
    exhaustive: bool


def certain(env: PolyGuardEnv, candidate_id: str) -> PolyGuardAction:
    """A candidate, named with certainty and with the facts that support it."""
    return PolyGuardAction(candidate_id=candidate_id, confidence=1.0, evidence_ids=env.supporting_facts(candidate_id))


def attainable(env: PolyGuardEnv, scenario_id: str, seed: int) -> Best:
    """Search the legal plays of an episode.

    Every legal play is tried while there can be at most `EXHAUSTIVE_PLAYS`; else the `BEAM` best prefixes of each
    length are followed, and the oracle's own play counts too.
    """
    observation = env.reset(seed=seed, scenario_id=scenario_id)
    budget = observation.steps_left
    exhaustive = (len(env.legal_candidate_ids()) + 1) ** budget <= EXHAUSTIVE_PLAYS
    best = 0.0
    frontier: list[tuple[float, dict[str, Any]]] = [(0.0, env.get_state())]
    while frontier:
        grown: list[tuple[float, dict[str, Any]]] = []
        for _, saved in frontier:
            env.set_state(saved)
            for candidate_id in env.legal_candidate_ids():
                env.set_state(saved)
                after = env.step(certain(env, candidate_id))
                reached = env.episode_reward()
                if after.done:
                    best = max(best, reached)
                else:
                    grown.append((reached, env.get_state()))
        grown.sort(key=lambda entry: -entry[0])
        frontier = grown if exhaustive else grown[:BEAM]
    if not exhaustive:
        observation = env.reset(seed=seed, scenario_id=scenario_id)
        oracle = POLICIES["oracle"]()
        while not observation.done:
            observation = env.step(oracle.choose(env, observation))
        best = max(best, env.episode_reward())
    return Best(best, exhaustive)
