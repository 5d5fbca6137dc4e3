"""`PolyGuardEnvironment`: the domain's environment behind OpenEnv's interface."""

from __future__ import annotations

from typing import Any

from openenv.core import Environment
from openenv.core.env_server.types import EnvironmentMetadata

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import DISCLAIMER
from polyguard_serving.options import ResetOptions, read
from polyguard_serving.rubric import PolyGuardRubric
from polyguard_serving.types import ServedAction, ServedObservation, ServedState
from polyguard_serving.version import VERSION

DESCRIPTION = (
    "Polypharmacy safety: an agent sees an older patient and a regimen and chooses constrained clinical "
    f"actions; a verifier pays in [0.001, 0.999]. {DISCLAIMER}"
)


class PolyGuardEnvironment(Environment[ServedAction, ServedObservation, ServedState]):
    """One session's environment; sessions share the knowledge and nothing else."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__(rubric=PolyGuardRubric())
        self.env = PolyGuardEnv()

    def reset(self, seed: int | None = None, episode_id: str | None = None, **options: Any) -> ServedObservation:
        """Start an episode; options as `ResetOptions`.

        Raises:
            PolyGuardError: an unknown option, or one out of its range.
        """
        chosen = read(ResetOptions, {"seed": seed, "episode_id": episode_id, **options})
        return ServedObservation.from_domain(self.env.reset(**chosen.model_dump()))

    def step(self, action: ServedAction, timeout_s: float | None = None, **options: Any) -> ServedObservation:
        """Take one action. A step takes a few milliseconds, so `timeout_s` is never reached."""
        observation = ServedObservation.from_domain(self.env.step(action.to_domain()))
        self._apply_rubric(action, observation)
        return observation

    # Straight calls: the base class would hop to a thread and back for milliseconds of work.
    async def reset_async(
        self, seed: int | None = None, episode_id: str | None = None, **options: Any
    ) -> ServedObservation:
        return self.reset(seed, episode_id, **options)

    async def step_async(
        self, action: ServedAction, timeout_s: float | None = None, **options: Any
    ) -> ServedObservation:
        return self.step(action, timeout_s, **options)

    @property
    def state(self) -> ServedState:
        return ServedState.from_domain(self.env.state)

    def get_metadata(self) -> EnvironmentMetadata:
        return EnvironmentMetadata(name="polyguard", description=DESCRIPTION, version=VERSION)
