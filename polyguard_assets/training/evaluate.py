"""Evaluation on held-out scenarios: `python -m polyguard_assets.training.evaluate --config FILE.json`.

Episodes of a model are played in lockstep, so that one pass of the model decides for many of them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd

from polyguard_assets.training.evaluate_config import EvaluateConfig, EvaluatedModel
from polyguard_assets.training.process import Reporter, run_entry_point
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.errors import PolyGuardError
from polyguard_env.policies import POLICIES
from polyguard_env.rollouts import Recording, run_episodes, summarise


def evaluate(config: EvaluateConfig, reporter: Reporter) -> dict[str, Any]:
    """Play every policy and model on every scenario and summarise."""
    from polyguard_assets.training.publish import weights_sha256, write_json

    scenario_ids = json.loads(Path(config.scenario_ids_path).read_text(encoding="utf-8"))
    if not scenario_ids:
        raise PolyGuardError("scenario_ids_path", config.scenario_ids_path, "name at least one scenario")
    env = PolyGuardEnv()
    models = [EvaluatedModel.from_dict(entry) for entry in config.models]
    weights = {
        model.name: [weights_sha256(path) for path in (model.model_dir, model.adapter_dir) if path] for model in models
    }
    settings = [
        config.seed,
        scenario_ids,
        env.knowledge.fingerprint,
        weights,
        list(config.policies),
        config.dtype,
    ]
    marker = hashlib.sha256(json.dumps(settings).encode()).hexdigest()
    work = Path(config.work_dir)
    if not (work / marker).is_file():
        shutil.rmtree(work, ignore_errors=True)
        write_json(work / marker, {"seed": config.seed})
    parts: list[pd.DataFrame] = []
    compute: dict[str, Any] = {}
    for name in config.policies:
        parts.append(
            _kept(work / f"{name}.parquet", lambda name=name: _reference(env, name, scenario_ids, config.seed))
        )
    for model in models:
        started = time.monotonic()
        part = work / f"{model.name}.parquet"
        parts.append(_kept(part, lambda model=model: _play(env, model, scenario_ids, config, reporter, compute)))
        reporter.milestone(
            f"evaluate: {model.name} played {len(scenario_ids)} episodes in {time.monotonic() - started:.0f} s"
        )
    steps = pd.concat(parts, ignore_index=True)
    target = Path(config.steps_path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part")
    steps.to_parquet(partial, compression="zstd")
    partial.replace(target)
    shutil.rmtree(work, ignore_errors=True)
    summaries = {name: summarise(frame, config.seed) for name, frame in steps.groupby("policy", sort=False)}
    return {
        "stage": "evaluate",
        "policies": summaries,
        "scenarios": len(scenario_ids),
        "seed": config.seed,
        "weights_sha256": weights,
        "knowledge_fingerprint": env.knowledge.fingerprint,
        "compute": compute,
        "steps_path": config.steps_path,
    }


def _kept(path: Path, make: Any) -> pd.DataFrame:
    """A part from an earlier try, or made now and kept."""
    if not path.is_file():
        frame: pd.DataFrame = make()
        partial = path.with_suffix(".part")
        frame.to_parquet(partial)
        partial.replace(path)
    return pd.read_parquet(path)


def _reference(env: PolyGuardEnv, name: str, scenario_ids: list[str], seed: int) -> pd.DataFrame:
    if name not in POLICIES:
        raise PolyGuardError("policies", name, f"use one of {', '.join(POLICIES)}")
    return run_episodes(env, POLICIES[name](), scenario_ids, seed)


def _play(
    env: PolyGuardEnv, model: EvaluatedModel, scenario_ids: list[str], config: EvaluateConfig, reporter: Reporter,
    compute: dict[str, Any],
) -> pd.DataFrame:  # fmt: skip
    from polyguard_assets.training.inference import CandidateScorer, LanguageModelPolicy

    scorer = CandidateScorer(
        model.model_dir,
        model.adapter_dir or None,
        dtype=config.dtype,
        device=config.device,
        threads=config.threads,
    )
    compute |= scorer.compute.to_dict()
    policy = LanguageModelPolicy(scorer, model.name)
    episodes = [Recording(PolyGuardEnv(env.knowledge), model.name, name, config.seed) for name in scenario_ids]
    running = list(episodes)
    while running:
        actions = policy.choose_many([episode.observation for episode in running])
        for episode, action in zip(running, actions, strict=True):
            episode.take(action)
        running = [episode for episode in running if not episode.observation.done]
        reporter.line(f"evaluate: {model.name}: {len(episodes) - len(running)}/{len(episodes)} episodes ended")
    return pd.DataFrame.from_records([record for episode in episodes for record in episode.records])


def main() -> int:
    """Command line."""
    return run_entry_point(EvaluateConfig, evaluate)


if __name__ == "__main__":
    sys.exit(main())
