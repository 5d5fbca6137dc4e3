"""Clients of the environment server: episodes over a websocket."""

from __future__ import annotations

from typing import Any

from openenv.core import EnvClient
from openenv.core.client_types import StepResult

from polyguard_serving.types import ServedAction, ServedObservation, ServedState


class PolyGuardClient(EnvClient[ServedAction, ServedObservation, ServedState]):
    """A typed websocket client; `.sync()` gives the blocking one."""

    def _step_payload(self, action: ServedAction) -> dict[str, Any]:
        return action.model_dump(mode="json", exclude_defaults=True)

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[ServedObservation]:
        values = dict(payload["observation"])
        values |= {"reward": payload.get("reward"), "done": bool(payload.get("done"))}
        observation = ServedObservation(**values)
        return StepResult(observation=observation, reward=observation.reward, done=observation.done)

    def _parse_state(self, payload: dict[str, Any]) -> ServedState:
        return ServedState(**payload)
