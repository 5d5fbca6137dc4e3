"""Action, observation and state as they travel: the domain's messages with OpenEnv's `metadata` beside them.

Plain models, so that a server need not load OpenEnv; `environment.py` joins them with OpenEnv's base classes.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from polyguard_env.environment.messages import (
    DISCLAIMER,
    PolyGuardAction,
    PolyGuardObservation,
    PolyGuardState,
)


class ServedAction(PolyGuardAction):
    """A `PolyGuardAction` as it travels; `metadata` is OpenEnv's own and is ignored."""

    metadata: dict[str, Any] = Field(default_factory=dict, description="ignored")


class ServedObservation(PolyGuardObservation):
    """A `PolyGuardObservation` as it travels."""

    metadata: dict[str, Any] = Field(default_factory=dict, description="the disclaimer")
    episode_id: str = ""
    scenario_id: str = ""
    sub_environment: str = ""
    difficulty: str = ""


class ServedState(PolyGuardState):
    """A `PolyGuardState` as it travels."""


METADATA: dict[str, Any] = {"disclaimer": DISCLAIMER}
