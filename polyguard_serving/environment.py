"""`PolyGuardEnvironment`: the domain's environment behind OpenEnv's interface, for hosts that are OpenEnv's own.

This server speaks OpenEnv's protocol without it, for it need not load OpenEnv; the tests hold the two alike.
"""

from __future__ import annotations

from typing import Any

from openenv.core import Action, Environment, Observation, State
from openenv.core.env_server.types import EnvironmentMetadata

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardObservation
from polyguard_serving.environment_words import DESCRIPTION, NAME
from polyguard_serving.options import ResetOptions, read
from polyguard_serving.rubric import PolyGuardRubric
from polyguard_serving.types import METADATA, ServedAction, ServedObservation, ServedState
from polyguard_serving.version import VERSION


class EnvironmentAction(ServedAction, Action):
    """The action under OpenEnv's base type."""


class EnvironmentObservation(ServedObservation, Observation):
    """The observation under OpenEnv's base type."""

    @classmethod
    def of(cls, seen: PolyGuardObservation) -> EnvironmentObservation:
        """A domain observation as OpenEnv carries it."""
        return cls(**{name: getattr(seen, name) for name in PolyGuardObservation.model_fields}, metadata=METADATA)


class EnvironmentState(ServedState, State):
    """The state under OpenEnv's base type."""

    episode_id: str = ""
    step_count: int = 0


class PolyGuardEnvironment(Environment[EnvironmentAction, EnvironmentObservation, EnvironmentState]):
    """One session's environment; sessions share the knowledge and nothing else."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__(rubric=PolyGuardRubric())
        self.env = PolyGuardEnv()

    def reset(self, seed: int | None = None, episode_id: str | None = None, **options: Any) -> EnvironmentObservation:
        """Start an episode; options as `ResetOptions`.

        Raises:
            PolyGuardError: an unknown option, or one out of its range.
        """
        chosen = read(ResetOptions, {"seed": seed, "episode_id": episode_id, **options})
        return EnvironmentObservation.of(self.env.reset(**chosen.arguments()))

    def step(self, action: ServedAction, timeout_s: float | None = None, **options: Any) -> EnvironmentObservation:
        """Take one action. In process a step takes well under a millisecond, so `timeout_s` is never reached."""
        observation = EnvironmentObservation.of(self.env.step(action))
        self._apply_rubric(action, observation)
        return observation

    # Straight calls: the base class would hop to a thread and back for very little work.
    async def reset_async(
        self, seed: int | None = None, episode_id: str | None = None, **options: Any
    ) -> EnvironmentObservation:
        return self.reset(seed, episode_id, **options)

    async def step_async(
        self, action: ServedAction, timeout_s: float | None = None, **options: Any
    ) -> EnvironmentObservation:
        return self.step(action, timeout_s, **options)

    @property
    def state(self) -> EnvironmentState:
        return EnvironmentState(**self.env.state.model_dump())

    def get_metadata(self) -> EnvironmentMetadata:
        return EnvironmentMetadata(name=NAME, description=DESCRIPTION, version=VERSION)
