"""An environment that has played other episodes shows the same bytes as a new one."""

from __future__ import annotations

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardAction
from polyguard_env.environment.scenarios import make_id

IDS = [
    make_id(split, name, difficulty, number)
    for number in range(3)
    for name in ("NEW_DRUG_DECOMPOSITION", "WEB_SEARCH_MISSING_DATA", "REGIMEN_RISK", "BANDIT_MINING")
    for split, difficulty in (("train", "hard"), ("holdout", "easy"), ("train", "easy"))
]


def played(env: PolyGuardEnv, scenario_id: str, seed: int) -> list[str]:
    observation = env.reset(seed=seed, scenario_id=scenario_id)
    lines = [observation.model_dump_json()]
    while not observation.done:
        choice = observation.candidates[(seed + len(lines)) % len(observation.candidates)]
        observation = env.step(PolyGuardAction(candidate_id=choice.candidate_id))
        lines += [observation.model_dump_json(), env.state.model_dump_json()]
    return lines


def test_what_was_played_before_leaves_no_trace() -> None:
    used = PolyGuardEnv()
    for seed, scenario_id in enumerate(IDS):
        assert played(used, scenario_id, seed) == played(PolyGuardEnv(used.knowledge), scenario_id, seed)
