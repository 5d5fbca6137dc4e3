"""The scoreboard: every proof of trust measured in one go, as JSON-able data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import DISCLAIMER
from polyguard_env.environment.scenarios import DIFFICULTIES
from polyguard_env.trust import leakage
from polyguard_env.trust.acceptance import LINES, Violation, highest_attack, violations
from polyguard_env.trust.attacks import NAMES, attack
from polyguard_env.trust.attainable import Best, attainable
from polyguard_env.trust.floor import measured_again, settled
from polyguard_env.trust.groups import group_spread
from polyguard_env.trust.harm import correlation, simulate, within
from polyguard_env.trust.measure import LADDER, Plan, means, play_panel
from polyguard_env.trust.second.agreement import agreement
from polyguard_env.trust.second.episodes import episode_agreement
from polyguard_env.trust.shape import collect

MOST_AT_BOUND = 0.01
LEAST_CORRELATION = 0.8
PARTS = ("panel", "leakage", "groups", "harm", "second_checker", "second_episodes")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured.

    Attributes:
        scenarios: per sub-environment and difficulty, for the panel and the groups.
        searched: of these, how many are searched for the attainable reward.
        again: fresh scenarios per cell for the attacks whose interval reaches over the line above the floor.
        leakage: training scenarios per cell for the classifiers.
        harm, harm_seeds: scenarios per cell and seeds of the harm simulation.
        regimens: random regimens both checkers review.
        walks: random walks per cell, in the train and the holdout split, that both checkers work out.
    """

    scenarios: int = 64
    searched: int = 4
    again: int = 1600
    leakage: int = 100
    harm: int = 8
    harm_seeds: int = 8
    regimens: int = 10_000
    walks: int = 12


def scoreboard(
    env: PolyGuardEnv,
    sizes: Sizes,
    seed: int = 11,
    parts: tuple[str, ...] = PARTS,
    difficulties: tuple[str, ...] = DIFFICULTIES,
    snapshot: Path | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Measure the parts asked for.

    Args:
        snapshot: the folder `env`'s knowledge was loaded from; the packaged one when None.
        progress: told a line as each part begins.
    """
    plan = Plan(sizes.scenarios, seed, difficulties=difficulties)
    board: dict[str, Any] = {
        "disclaimer": DISCLAIMER,
        "knowledge_fingerprint": env.knowledge.fingerprint,
        "code_version": code_version(),
        "seed": seed,
        "split": plan.split,
        "sizes": asdict(sizes),
        "attacks": dict(Counter(attack(name).family for name in NAMES)) | {"all": len(NAMES)},
    }
    if "panel" in parts:
        progress(f"panel: {len(NAMES)} attacks and {len(LADDER)} policies, {sizes.scenarios} scenarios a cell")
        board |= panel_part(env, plan, sizes.searched, sizes.again)
    if "groups" in parts:
        progress("groups: spread of rewards")
        board["groups"] = group_spread(env, replace(plan, split="train"))
    if "leakage" in parts:
        progress(f"leakage: {sizes.leakage} scenarios a cell")
        board["leakage"] = leakage_part(env, replace(plan, scenarios=sizes.leakage, split="train"))
    if "harm" in parts:
        progress(f"harm: {sizes.harm} scenarios a cell, {sizes.harm_seeds} seeds")
        board["harm"] = harm_part(simulate(env, replace(plan, scenarios=sizes.harm), sizes.harm_seeds), seed)
    if "second_checker" in parts:
        progress(f"second checker: {sizes.regimens} random regimens")
        board["second_checker"] = agreement(sizes.regimens, seed, env.knowledge, snapshot)
    if "second_episodes" in parts:
        progress(f"second checker: {sizes.walks} random walks a cell in each of two splits")
        board["second_episodes"] = episode_agreement(
            sizes.walks, seed, env, snapshot=snapshot, difficulties=difficulties
        )
    board["lines"] = lines(board)
    return board


def panel_part(env: PolyGuardEnv, plan: Plan, searched: int, again: int) -> dict[str, Any]:
    """Mean rewards by cell, what they break, and the steps at a bound."""
    episodes = play_panel(env, plan)
    cells: list[dict[str, Any]] = []
    broken: list[Violation] = []
    for key, frame in episodes.groupby(["sub_environment", "difficulty"], sort=False):
        found = means(frame, plan.seed)
        sub_environment, difficulty = (str(part) for part in key)
        ids = plan.ids(sub_environment, difficulty)
        best: dict[str, Best] = {name: attainable(env, name, plan.seed) for name in ids[:searched]}
        near_floor = measured_again(env, plan, frame, again)
        wrong = settled(violations(frame, {name: play.reward for name, play in best.items()}), near_floor)
        broken += wrong
        cells.append(
            {
                "sub_environment": key[0],
                "difficulty": key[1],
                "scenarios": len(ids),
                "controls": int(frame[frame["policy"] == "oracle"]["control"].sum()),
                "attainable": {
                    "reward": sum(play.reward for play in best.values()) / len(best) if best else None,
                    "oracle": float(
                        frame[(frame["policy"] == "oracle") & frame["scenario_id"].isin(best)]["reward"].mean()
                    ),
                    "scenarios": len(best),
                    "exhaustive": sum(play.exhaustive for play in best.values()),
                },
                "policies": found,
                "highest_attack": highest_attack(found, str(key[0]), blind=False),
                "highest_blind_attack": highest_attack(found, str(key[0]), blind=True),
                "near_floor": [one.to_dict() for one in near_floor],
                "violations": [violation.to_dict() for violation in wrong],
            }
        )
    return {
        "cells": cells,
        "violations": [violation.to_dict() for violation in broken],
        "at_bound": at_bound(episodes),
    }


def at_bound(episodes: pd.DataFrame) -> dict[str, Any]:
    """Shares of steps paid exactly a bound: of the reference policies, of answers that name a candidate, of all."""
    references = episodes[episodes["policy"].isin(LADDER)]
    named = int(episodes["named"].sum())
    return {
        "references": int(references["at_bound"].sum()) / int(references["steps"].sum()),
        "named": int(episodes["named_at_bound"].sum()) / named,
        "named_steps": named,
        "all": int(episodes["at_bound"].sum()) / int(episodes["steps"].sum()),
        "steps": int(episodes["steps"].sum()),
    }


def leakage_part(env: PolyGuardEnv, plan: Plan) -> dict[str, Any]:
    """Both questions over all sub-environments, and by sub-environment."""
    candidates, scenarios = collect(env, plan)
    return {
        "best_candidate": leakage.best_candidate(candidates),
        "control": leakage.control(scenarios),
        "by_sub_environment": {
            str(name): {
                "best_candidate": leakage.best_candidate(frame, z=leakage.Z_PARTS),
                "control": leakage.control(scenarios[scenarios["sub_environment"] == name], z=leakage.Z_PARTS),
            }
            for name, frame in candidates.groupby("sub_environment", sort=False)
        },
    }


def harm_part(frame: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Correlations pooled and by sub-environment where harm differs between policies, and each policy's means."""
    by_policy = frame.groupby("policy", sort=False)[["reward", "harm", "avoided"]].mean()
    return correlation(frame, seed) | {
        "by_sub_environment": {
            str(name): correlation(part, seed)
            for name, part in frame.groupby("sub_environment", sort=False)
            if len(within(part)) and not part["control"].all()
        },
        "by_policy": {str(name): {str(k): float(v) for k, v in row.items()} for name, row in by_policy.iterrows()},
    }


def lines(board: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Each acceptance line: whether it holds, and the figure behind it; chance is no breach."""
    found: dict[str, dict[str, Any]] = {}
    if "violations" in board:
        for line in LINES:
            broken = [v for v in board["violations"] if v["line"] == line]
            certain = [v for v in broken if v["certain"]]
            found[line] = {"holds": not certain, "broken": len(broken), "beyond_chance": len(certain)}
        share = board["at_bound"]["references"]
        found["at_bound"] = {"holds": share < MOST_AT_BOUND, "value": share}
    if "leakage" in board:
        for name in ("best_candidate", "control"):
            parts = [part[name] for part in board["leakage"]["by_sub_environment"].values()]
            leaks = [*board["leakage"][name]["leaks"], *(leak for part in parts for leak in part["leaks"])]
            found[f"no_leak_{name}"] = {"holds": not leaks, "leaks": len(leaks)}
    if "harm" in board:
        value = board["harm"]["within"]["value"]
        found["harm_correlation"] = {"holds": value >= LEAST_CORRELATION, "value": value}
    if "second_checker" in board:
        differing = board["second_checker"]["disagreements"]
        found["second_checker"] = {"holds": differing == 0, "disagreements": differing}
    if "second_episodes" in board:
        walked = board["second_episodes"]
        differing = walked["disagreements"]
        found["second_episodes"] = {"holds": differing == 0, "disagreements": differing, "steps": walked["steps"]}
    return found


def code_version() -> str:
    """Hash of the package's Python and CSV files: 12 hex digits."""
    package = Path(__file__).resolve().parents[1]
    digest = sha256()
    for path in sorted(p for p in package.rglob("*") if p.suffix in (".py", ".csv")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
