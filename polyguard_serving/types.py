"""OpenEnv's action, observation and state for PolyGuard: the domain's fields under OpenEnv's base types."""

from __future__ import annotations

from typing import Any

from openenv.core import Action, Observation, State
from pydantic import Field

from polyguard_env.environment.messages import (
    DISCLAIMER,
    ActionType,
    Candidate,
    PolyGuardAction,
    PolyGuardObservation,
    PolyGuardState,
)


class ServedAction(Action):
    """A `PolyGuardAction` as it travels; `metadata` is OpenEnv's own and is ignored."""

    candidate_id: str = Field(default="", max_length=64, description="id of a candidate of the current step")
    action_type: ActionType | None = Field(default=None, description="must agree with the candidate when given")
    targets: list[str] = Field(default_factory=list, max_length=8, description="must agree when given")
    text: str = Field(default="", max_length=512, description="a candidate's text, read when candidate_id is empty")
    evidence_ids: list[str] = Field(default_factory=list, max_length=8, description="fact ids that support the action")
    confidence: float | None = Field(default=None, ge=0.0, le=1.0, description="probability that this is best")
    rationale: str = Field(default="", max_length=4000, description="kept in the trace, never scored")

    def to_domain(self) -> PolyGuardAction:
        return PolyGuardAction(**self.model_dump(exclude={"metadata"}))


class ServedObservation(Observation):
    """A `PolyGuardObservation` as it travels."""

    episode_id: str = ""
    scenario_id: str = ""
    sub_environment: str = ""
    difficulty: str = ""
    day: int = 0
    steps_left: int = 0
    patient: dict[str, Any] = Field(default_factory=dict)
    regimen: list[dict[str, Any]] = Field(default_factory=list)
    candidates: list[Candidate] = Field(default_factory=list)
    evidence: list[dict[str, Any]] = Field(default_factory=list)
    text: str = Field(default="", description="compact rendering, under 200 tokens")
    columns: dict[str, float] = Field(default_factory=dict)
    channels: dict[str, float] = Field(default_factory=dict)
    info: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def from_domain(cls, observation: PolyGuardObservation) -> ServedObservation:
        values = {name: getattr(observation, name) for name in PolyGuardObservation.model_fields}
        return cls(**values, metadata={"disclaimer": DISCLAIMER})


class ServedState(State):
    """A `PolyGuardState` as it travels."""

    scenario_id: str = ""
    sub_environment: str = ""
    difficulty: str = ""
    seed: int = 0
    day: int = 0
    done: bool = False
    regimen: dict[str, float] = Field(default_factory=dict)
    harm_events: int = 0
    total_reward: float = 0.0
    knowledge_fingerprint: str = ""
    disclaimer: str = DISCLAIMER

    @classmethod
    def from_domain(cls, state: PolyGuardState) -> ServedState:
        return cls(**state.model_dump())
