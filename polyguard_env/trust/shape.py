"""What an agent sees besides clinical content: order, ids, lengths, counts, budgets, metadata, `/state`, timing."""

from __future__ import annotations

import re
from collections import Counter
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import ActionType, Candidate, PolyGuardObservation
from polyguard_env.environment.observed import drug_word, measurement_word
from polyguard_env.trust.measure import Plan

TIE = 1e-9
KINDS = tuple(ActionType)
# Feature names begin with the group they belong to.
ORDER, LENGTH, COUNT, META, KIND, NAME = "order_", "length_", "count_", "meta_", "kind_", "name_"
WORDS = (drug_word, measurement_word)


def collect(env: PolyGuardEnv, plan: Plan) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Shape features of first decisions.

    Returns:
        Candidates (one row each: scenario, `best`, features) and scenarios (one row each: `control`, features and
        `reset_seconds`). The two labels are the only privileged columns.
    """
    candidates: list[dict[str, Any]] = []
    scenarios: list[dict[str, Any]] = []
    for place, (sub_environment, difficulty) in enumerate(plan.cells()):
        for number, scenario_id in enumerate(plan.ids(sub_environment, difficulty)):
            # A fresh seed per scenario: under one seed, ids and order could only show one draw.
            seed = plan.seed + 1_000 * place + number
            begun = perf_counter()
            observation = env.reset(seed=seed, scenario_id=scenario_id)
            seconds = perf_counter() - begun
            about = {"scenario": scenario_id, "sub_environment": sub_environment, "difficulty": difficulty}
            shared = scenario_shape(observation, env)
            prices = env.price()
            top = max(prices.values())
            rows = candidate_shapes(observation)
            for candidate, row in zip(observation.candidates, rows, strict=True):
                best = prices[candidate.candidate_id] >= top - TIE
                candidates.append({**about, "best": best, "offered": len(rows), **row, **shared})
            control = env.scenario.control
            spread = {
                f"{name}_spread": float(np.std([row[name] for row in rows])) for name in ("length_text", "order_id")
            }
            means = {
                f"{name}_mean": float(np.mean([row[name] for row in rows])) for name in ("length_text", "order_id")
            }
            scenarios.append({**about, "control": control, "reset_seconds": seconds, **shared, **spread, **means})
    return pd.DataFrame(candidates), pd.DataFrame(scenarios)


def candidate_shapes(observation: PolyGuardObservation) -> list[dict[str, float]]:
    """Each candidate's place, id, length and kind, alone and among the others."""
    offered = observation.candidates
    kinds = Counter(c.action_type for c in offered)
    numbers = [id_number(c.candidate_id) for c in offered]
    texts = [nameless(c) for c in offered]
    lengths, words = [len(text) for text in texts], [len(text.split()) for text in texts]
    rows = []
    for place, candidate in enumerate(offered):
        same = [lengths[i] for i, c in enumerate(offered) if c.action_type is candidate.action_type]
        row = {
            "order_place": float(place),
            "order_from_end": float(len(offered) - 1 - place),
            "count_before_in_kind": float(sum(c.action_type is candidate.action_type for c in offered[:place])),
            "order_id": float(numbers[place]),
            "order_id_rank": float(sum(n < numbers[place] for n in numbers)),
            "order_id_last_digit": float(numbers[place] % 10),
            "length_text": float(lengths[place]),
            "length_rank": float(sum(n < lengths[place] for n in lengths)),
            "length_words": float(words[place]),
            "length_in_kind": float(lengths[place] - np.mean(same)),
            "name_letters": float(len(candidate.text) - lengths[place]),
            "length_targets": float(len(candidate.targets)),
            "count_same_kind": float(kinds[candidate.action_type]),
            "count_same_target": float(sum(c.targets[:1] == candidate.targets[:1] for c in offered)),
        }
        row |= {f"kind_{kind.value}": float(candidate.action_type is kind) for kind in KINDS}
        rows.append(row)
    return rows


def nameless(candidate: Candidate) -> str:
    """A candidate's text with each drug, measurement or product it names as one letter: a name is clinical content."""
    text = candidate.text
    for name in sorted({word(target) for target in candidate.targets for word in WORDS}, key=len, reverse=True):
        if not name.replace(".", "").isdigit():
            text = re.sub(rf"(?<![\w.]){re.escape(name)}(?![\w.])", "x", text)
    return text


def scenario_shape(observation: PolyGuardObservation, env: PolyGuardEnv) -> dict[str, float]:
    """What belongs to the whole observation and to `/state`."""
    kinds = Counter(c.action_type for c in observation.candidates)
    state = env.state
    shape = {
        "meta_offered": float(len(observation.candidates)),
        "meta_steps_left": float(observation.steps_left),
        "meta_day": float(observation.day),
        "meta_drugs": float(len(observation.regimen)),
        "meta_conditions": float(len(observation.patient.get("conditions", []))),
        "meta_number": float(observation.scenario_id.rpartition("-")[2]),
        "meta_episode_id": float(len(observation.episode_id)),
        "meta_state_seed": float(state.seed),
        "meta_state_steps": float(state.step_count),
        "meta_state_harm": float(state.harm_events),
        "meta_state_reward": float(state.total_reward),
        "meta_state_drugs": float(len(state.regimen)),
        "meta_info": float(len(observation.info)),
        "meta_evidence": float(len(observation.evidence)),
    }
    return shape | {f"count_{kind.value}": float(kinds[kind]) for kind in KINDS}


def id_number(candidate_id: str) -> int:
    digits = "".join(c for c in candidate_id if c.isdigit())
    return int(digits) if digits else 0


def columns(frame: pd.DataFrame, *groups: str) -> list[str]:
    """Names of the feature columns of some groups."""
    return [str(name) for name in frame.columns if str(name).startswith(groups)]
