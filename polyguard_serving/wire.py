"""Observations as JSON, at three levels of detail."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import orjson

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import Candidate, PolyGuardObservation
from polyguard_serving.types import METADATA


class Detail(StrEnum):
    """How much of an observation an answer carries.

    full: everything. compact: the text, the candidates' ids and texts, reward and done. reward: reward and done.
    """

    FULL = "full"
    COMPACT = "compact"
    REWARD = "reward"


def envelope(seen: PolyGuardObservation) -> dict[str, Any]:
    """An observation as OpenEnv's clients read it, with the episode's id beside it."""
    return {
        "observation": {
            "metadata": METADATA,
            "episode_id": seen.episode_id,
            "scenario_id": seen.scenario_id,
            "sub_environment": seen.sub_environment,
            "difficulty": seen.difficulty,
            "day": seen.day,
            "steps_left": seen.steps_left,
            "patient": seen.patient,
            "regimen": seen.regimen,
            "candidates": [_candidate(entry) for entry in seen.candidates],
            "evidence": seen.evidence,
            "text": seen.text,
            "columns": seen.columns,
            "channels": seen.channels,
            "info": seen.info,
        },
        "reward": seen.reward,
        "done": seen.done,
        "metadata": METADATA,
        "episode_id": seen.episode_id,
    }


_METADATA = orjson.dumps(METADATA)


def message(env: PolyGuardEnv) -> bytes:
    """The envelope of an environment's observation as a session's message, in JSON."""
    return (
        b'{"type":"observation","data":{"observation":{"metadata":%b,%b},"reward":%b,"done":%b,"metadata":%b,'
        b'"episode_id":%b}}'
    ) % (
        _METADATA, env.write(), orjson.dumps(env.reward), b"true" if env.done else b"false", _METADATA,
        orjson.dumps(env.episode_id),
    )  # fmt: skip


def compact(seen: PolyGuardObservation) -> dict[str, Any]:
    """What a policy needs to choose: the text and the candidates' ids and texts."""
    return {
        "episode_id": seen.episode_id,
        "text": seen.text,
        "candidates": [{"candidate_id": entry.candidate_id, "text": entry.text} for entry in seen.candidates],
        "reward": seen.reward,
        "done": seen.done,
        "steps_left": seen.steps_left,
    }


def rewarded(seen: PolyGuardObservation) -> dict[str, Any]:
    """The reward alone."""
    return {"episode_id": seen.episode_id, "reward": seen.reward, "done": seen.done, "steps_left": seen.steps_left}


VIEWS = {Detail.FULL: envelope, Detail.COMPACT: compact, Detail.REWARD: rewarded}


def _candidate(entry: Candidate) -> dict[str, Any]:
    return {
        "candidate_id": entry.candidate_id,
        "action_type": entry.action_type,
        "targets": entry.targets,
        "text": entry.text,
    }
