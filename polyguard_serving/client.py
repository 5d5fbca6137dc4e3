"""Clients of the environment server: episodes over a websocket, prices over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import httpx
from openenv.core import EnvClient
from openenv.core.client_types import StepResult

from polyguard_env.errors import PolyGuardError
from polyguard_serving.pricing import PriceAnswer, PriceItem, PriceRequest
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


class PriceClient:
    """Asks a server for the verifier's rewards.

    Args:
        base_url: of the environment server.
        timeout: seconds a request may take.
    """

    def __init__(self, base_url: str, timeout: float = 60.0) -> None:
        self.base_url = base_url.rstrip("/")
        # The server is named by the caller; a proxy meant for the web must not get in between.
        self._http = httpx.Client(timeout=timeout, trust_env=False)

    def price(self, items: Sequence[PriceItem]) -> PriceAnswer:
        """Rewards of every action of every item, in order.

        Raises:
            PolyGuardError: the server cannot be reached, or refuses the items: its own field, value and fix.
        """
        body = PriceRequest(items=list(items)).model_dump(mode="json")
        try:
            answer = self._http.post(f"{self.base_url}/price", json=body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            fix = f"start the server (make serve) or correct the URL ({type(error).__name__})"
            raise PolyGuardError("base_url", self.base_url, fix) from error
        if answer.status_code != 200:
            raise _refusal(answer, self.base_url)
        return PriceAnswer(**answer.json())

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _refusal(answer: httpx.Response, base_url: str) -> PolyGuardError:
    try:
        problem = answer.json()["error"]
        return PolyGuardError(problem["field"], problem["value"], problem["fix"])
    except (ValueError, KeyError, TypeError):
        fix = f"point it at a PolyGuard environment server (HTTP {answer.status_code})"
        return PolyGuardError("base_url", base_url, fix)
