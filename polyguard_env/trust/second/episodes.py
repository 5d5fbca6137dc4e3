"""Holding episodes against the second checker: random walks, everything compared after every step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import isclose
from pathlib import Path
from typing import Any

import numpy as np

from polyguard_env.environment import checkpoint
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardAction, PolyGuardObservation
from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS, make_id
from polyguard_env.trust.second.agreement import packaged_facts
from polyguard_env.trust.second.dynamics import Case, Situation, after, begin, ranked, same, wasted
from polyguard_env.trust.second.risk import hazard, risk_of, standing
from polyguard_env.trust.second.tables import Facts
from polyguard_env.trust.second.verdict import Board, Judged, unread

TOLERANCE = 1e-9
PARTS = ("safety", "dosing", "burden", "disease")
MALFORMED = (
    (PolyGuardAction(text="do what is best"), "unreadable_answer"),
    (PolyGuardAction(candidate_id="c1"), "candidate_id_mismatch"),
    (PolyGuardAction(text="finish\x00"), "parser_exploit"),
)
MALFORMED_SHARE = 0.1
LISTED = 50


@dataclass(slots=True)
class Walked:
    """What walks have compared, and where the two differ: scenario, step and what is said."""

    steps: int = 0
    priced: int = 0
    malformed: int = 0
    illegal: int = 0
    differing: list[str] = field(default_factory=list)
    reasons: set[str] = field(default_factory=set)
    moves: set[str] = field(default_factory=set)


def case_of(env: PolyGuardEnv) -> Case:
    """The running scenario as plain data."""
    scenario = env.scenario
    person = {name: getattr(scenario.patient, name) for name in scenario.patient.__dataclass_fields__}
    person["regimen"] = [
        {"drug_id": item.drug_id, "dose": item.dose, "indication": item.indication, "days": item.days}
        for item in scenario.patient.regimen
    ]
    products = {product.name: product.drug_ids for product in scenario.products}
    return Case(
        person, scenario.sub_environment, scenario.budget, scenario.step_days, scenario.hidden, products,
        scenario.combinations,
    )  # fmt: skip


def episode_agreement(
    scenarios: int,
    seed: int,
    env: PolyGuardEnv | None = None,
    splits: Sequence[str] = ("train", "holdout"),
    difficulties: Sequence[str] = DIFFICULTIES,
    snapshot: Path | None = None,
) -> dict[str, Any]:
    """Random walks in every sub-environment and difficulty, illegal and malformed answers among them.

    Args:
        scenarios: per split, sub-environment and difficulty.
        env: what is checked; one over the packaged knowledge when None.
        snapshot: folder the second checker reads vocabulary and interactions from; the packaged one when None.

    Returns:
        scenarios, steps, candidates priced, malformed and illegal answers given, kinds of move and reasons met, and
        disagreements (at most 50 listed).
    """
    checked = env if env is not None else PolyGuardEnv()
    facts = packaged_facts() if snapshot is None else Facts(snapshot)
    found, played = Walked(), 0
    for split in splits:
        for name in SUB_ENVIRONMENTS:
            for difficulty in difficulties:
                for number in range(scenarios):
                    walk(checked, make_id(split, name, difficulty, number), seed, facts, found)
                    played += 1
    return {
        "scenarios": played,
        "seed": seed,
        "steps": found.steps,
        "candidates": found.priced,
        "malformed": found.malformed,
        "illegal": found.illegal,
        "moves": sorted(found.moves),
        "reasons": sorted(found.reasons),
        "disagreements": len(found.differing),
        "examples": found.differing[:LISTED],
    }


def walk(env: PolyGuardEnv, scenario_id: str, seed: int, facts: Facts, found: Walked) -> None:
    """One random walk; differences go to `found`."""
    observation = env.reset(seed=seed, scenario_id=scenario_id)
    rng = np.random.Generator(np.random.PCG64([seed, *scenario_id.encode()]))
    case = case_of(env)
    now, harm, events = begin(case, facts), (0.0, 0.0), 0
    while True:
        place = f"{scenario_id}@{now.step}"
        board = Board(case, now, moves_of(observation), facts)
        found.differing += [f"{place}: {word}" for word in standing_differences(env, case, now, board, harm)]
        if observation.done:
            return
        top = int(env._episode.state["best"])
        found.differing += [f"{place}: {word}" for word in price_differences(env, observation, board, top)]
        found.priced += len(observation.candidates)
        judged, before, moved = Judged(0.0, {}, frozenset()), now.day, None
        if rng.random() < MALFORMED_SHARE:
            action, reason = MALFORMED[int(rng.integers(len(MALFORMED)))]
            judged = unread()
            judged = Judged(judged.reward, judged.columns, frozenset({reason}))
            now = wasted(case, now)
            found.malformed += 1
        else:
            chosen = int(rng.integers(len(observation.candidates)))
            if observation.candidates[chosen].action_type.value == "FINISH" and rng.random() < 0.7:
                chosen = int(rng.integers(len(observation.candidates)))
            action, judged = answer(env, observation, board, chosen, top, rng)
            option = board.options[chosen]
            moved = None if option.broken else option
            now = wasted(case, now) if moved is None else after(case, now, *option.move, facts)
            found.illegal += bool(option.broken)
            found.moves.add(option.move[0])
        observation = env.step(action)
        found.steps += 1
        found.reasons |= set(observation.info["reasons"])
        found.differing += [f"{place}: {word}" for word in verdict_differences(observation, judged)]
        risk = risk_of(case, now, facts)
        now.debt, now.harmed = board.owed(moved, risk)
        more = hazard(case, risk, before, now)
        harm = harm[0] + more[0], harm[1] + more[1]
        may_strike = {name for name, _, _ in standing(risk)}
        for event in env._events[events:]:
            if event["finding_id"] not in may_strike:
                found.differing.append(f"{place}: {event['finding_id']} struck, second sees none standing")
        events = len(env._events)


def moves_of(observation: PolyGuardObservation) -> list[tuple[str, tuple[str, ...]]]:
    return [(candidate.action_type.value, tuple(candidate.targets)) for candidate in observation.candidates]


def answer(
    env: PolyGuardEnv, observation: PolyGuardObservation, board: Board, chosen: int, top: int, rng: np.random.Generator
) -> tuple[PolyGuardAction, Judged]:
    """An answer that names a candidate, with or without a stated confidence and cited facts, and its second price."""
    candidate = observation.candidates[chosen]
    confidence = (None, 0.0, 0.4, 1.0)[int(rng.integers(4))]
    support = [] if board.options[chosen].broken else env.supporting_facts(candidate.candidate_id)
    cited = [*support[: int(rng.integers(3))], *["invented#fact"][: int(rng.integers(2))]]
    hits = len(set(cited) & set(support))
    action = PolyGuardAction(candidate_id=candidate.candidate_id, confidence=confidence, evidence_ids=cited)
    return action, board.judge(chosen, top, confidence, len(set(cited)), hits)


def differ(first: float, second: float) -> bool:
    return not isclose(first, second, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def standing_differences(
    env: PolyGuardEnv, case: Case, now: Situation, board: Board, harm: tuple[float, float]
) -> Iterator[str]:
    """State, risk and hazard."""
    state = env._episode.state
    for name, second in zip(PARTS, board.risk.parts):
        if differ(float(state[name]), second):
            yield f"{name} {float(state[name])!r}, second {second!r}"
    if int(state["severe"]) != board.risk.severe:
        yield f"severe {int(state['severe'])}, second {board.risk.severe}"
    for name, one, second in zip(("hazard", "severe hazard"), env.hazard, harm):
        if differ(one, second):
            yield f"{name} {one!r}, second {second!r}"
    if differ(float(state["debt"]), now.debt):
        yield f"debt {float(state['debt'])!r}, second {now.debt!r}"
    harmed = set(checkpoint.dump(env._episode)["harmed"])
    if harmed != now.harmed:
        yield f"harmed {sorted(harmed)}, second {sorted(now.harmed)}"
    first, other = named_state(checkpoint.dump(env._episode), env), second_state(case, now)
    for name in first:
        if first[name] != other[name]:
            yield f"{name} {first[name]}, second {other[name]}"


def named_state(saved: dict[str, Any], env: PolyGuardEnv) -> dict[str, Any]:
    """The environment's state, as the second checker tells it."""
    drugs = {
        drug["drug_id"]: (
            round(drug["dose"], 9), round(drug["initial_dose"], 9), drug["indication"], drug["days"],
            drug["tapering"], drug["reduced"], drug["held_days"], drug["course"],
        )
        for drug in saved["regimen"]
        if drug["taken"]
    }  # fmt: skip
    tested = {
        tuple(drugs)
        for place, drugs in enumerate(env.scenario.combinations)
        if saved["tested"] >> place & 1
    }  # fmt: skip
    return {
        "drugs": drugs,
        "withdrawals": {w["drug_id"]: (w["severity"], w["days_left"]) for w in saved["withdrawals"]},
        "monitored": {same(name) for name in saved["monitored"]},
        "unknown": {same(name) for name in env._episode.hidden()},
        "tested": tested,
        "counts": tuple(saved[name] for name in ("day", "step", "finished", "reviews", "keeps")),
    }


def second_state(case: Case, now: Situation) -> dict[str, Any]:
    """The second checker's state in the same terms."""
    gone = {f"facts:{drug}" for drug in {item["drug_id"] for item in case.person["regimen"]} - now.drugs.keys()}
    return {
        "drugs": {
            name: (round(d.dose, 9), round(d.initial, 9), d.indication, d.days, d.tapering, d.reduced, d.held, d.course)
            for name, d in now.drugs.items()
        },
        "withdrawals": {name: (ranked(severity), left) for name, (severity, left) in now.withdrawals.items()},
        "monitored": now.monitored,
        "unknown": {same(name) for name in now.unknown - gone},
        "tested": now.tested,
        "counts": (now.day, now.step, now.finished, now.reviews, now.keeps),
    }


def price_differences(env: PolyGuardEnv, observation: PolyGuardObservation, board: Board, top: int) -> Iterator[str]:
    """Legality, value and price of every candidate, and which is best."""
    if top not in board.best():
        yield f"best {observation.candidates[top].text}, second {observation.candidates[board.best()[0]].text}"
    prices, rows = env.price(), env._episode.state["candidate"]
    against = env._episode.reasons()
    for place, candidate in enumerate(observation.candidates):
        option = board.options[place]
        if bool(against[place]) is not bool(option.broken) or (against[place] and against[place] not in option.broken):
            yield f"{candidate.text}: {against[place] or 'legal'}, second {option.broken or 'legal'}"
            continue
        second = board.judge(place, top, 1.0).reward
        if differ(prices[candidate.candidate_id], second):
            yield f"price of {candidate.text} {prices[candidate.candidate_id]!r}, second {second!r}"
        if not option.broken and differ(float(rows[place]["worth"]), option.worth):
            yield f"worth of {candidate.text} {float(rows[place]['worth'])!r}, second {option.worth!r}"


def verdict_differences(observation: PolyGuardObservation, judged: Judged) -> Iterator[str]:
    """Reward, columns and reasons of the step."""
    if differ(observation.reward or 0.0, judged.reward):
        yield f"reward {observation.reward!r}, second {judged.reward!r}"
    for name, value in judged.columns.items():
        if differ(observation.columns[name], value):
            yield f"{name} {observation.columns[name]!r}, second {value!r}"
    reasons = set(observation.info["reasons"])
    agree = reasons <= judged.reasons if not observation.info["legal"] else reasons == judged.reasons
    if not agree or bool(reasons) is not bool(judged.reasons):
        yield f"reasons {sorted(reasons)}, second {sorted(judged.reasons)}"
