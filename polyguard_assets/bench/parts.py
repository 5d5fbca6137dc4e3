"""Where a facade step's time goes: each part called again and again at the first states of episodes."""

from __future__ import annotations

import time
from collections.abc import Callable

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardAction
from polyguard_env.environment.observed import known_patient, known_regimen
from polyguard_env.environment.reading import read_answer
from polyguard_env.environment.render import compact_text
from polyguard_env.environment.telling import in_words
from polyguard_env.reward.columns import COLUMNS, channels

CALLS = 20


def parts(env: PolyGuardEnv, ids: list[str]) -> dict[str, float]:
    """Microseconds of each part of a step, the mean over episodes; "whole step" is one from outside."""
    totals: dict[str, float] = {}
    for seed, scenario_id in enumerate(ids):
        for name, spent in at_start(env, scenario_id, seed).items():
            totals[name] = totals.get(name, 0.0) + spent
    return {name: total / len(ids) for name, total in totals.items()}


def at_start(env: PolyGuardEnv, scenario_id: str, seed: int) -> dict[str, float]:
    """Microseconds of each part at the start of one episode."""
    seen = env.reset(seed=seed, scenario_id=scenario_id)
    scenario, episode, index, held = env.scenario, env._episode, env.index, seen.candidates
    action = PolyGuardAction(candidate_id=held[0].candidate_id, confidence=0.5)
    shown = episode.shown()
    patient, regimen = known_patient(shown, scenario), known_regimen(shown, scenario, index)
    columns = dict.fromkeys(COLUMNS, 0.5)

    work: dict[str, Callable[[], object]] = {
        "typed action": lambda: PolyGuardAction(candidate_id=action.candidate_id, confidence=0.5),
        "answer read": lambda: read_answer(action, [candidate.candidate_id for candidate in held], held),
        "candidates in words": lambda: in_words(episode.on_offer()),
        "what shows of the state": episode.shown,
        "regimen as known": lambda: known_regimen(shown, scenario, index),
        "compact text": lambda: compact_text(patient, regimen, held, shown, scenario, index),
        "columns and channels": lambda: (dict(zip(COLUMNS, episode.columns, strict=True)), channels(columns)),
    }
    found = {name: cost(call) for name, call in work.items()}
    found["engine's start of an episode"] = cost(lambda: episode.begin(scenario, seed))

    def again() -> None:
        env.reset(seed=seed, scenario_id=scenario_id)

    found["engine's step"] = cost(lambda: episode.take(0, 0, 0.5, 0, 0), again)
    found["whole step"] = cost(lambda: env.step(action).text, again)
    return found


def cost(call: Callable[[], object], before: Callable[[], object] = lambda: None) -> float:
    """Microseconds of a call by the clock, the median; `before` is called before each and not counted."""
    spent = []
    for _ in range(CALLS):
        before()
        began = time.perf_counter()
        call()
        spent.append(time.perf_counter() - began)
    return sorted(spent)[CALLS // 2] * 1e6
