"""Clients over HTTP: episodes in batches, blocking or not, and the verifier's prices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import httpx
import orjson

from polyguard_env.errors import PolyGuardError
from polyguard_serving.answers import BatchAnswer
from polyguard_serving.pricing import PriceAnswer, PriceItem, PriceRequest
from polyguard_serving.refusals import Refusal
from polyguard_serving.types import ServedAction

Action = ServedAction | str | int


class _Caller:
    """What both clients know: the address, the token, and how to read answers."""

    def __init__(self, base_url: str, token: str) -> None:
        self.base_url = base_url.rstrip("/")
        self.headers = {"content-type": "application/json"}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"

    def read(self, answer: httpx.Response) -> Any:
        """The answer's data.

        Raises:
            PolyGuardError: the server's own refusal, or an answer of no PolyGuard server.
        """
        if answer.status_code != 200:
            raise _refusal(answer, self.base_url)
        return orjson.loads(answer.content)

    def unreachable(self, error: Exception) -> PolyGuardError:
        """The error of a server that does not answer."""
        fix = f"start the server (make serve) or correct the URL ({type(error).__name__})"
        return PolyGuardError("base_url", self.base_url, fix)


class BatchClient(_Caller):
    """Plays many episodes over HTTP, blocking.

    Args:
        base_url: of the server.
        token: its bearer token, when it asks for one.
        timeout: seconds a request may take.
    """

    def __init__(self, base_url: str, token: str = "", timeout: float = 60.0) -> None:
        super().__init__(base_url, token)
        # The server is named by the caller; a proxy meant for the web must not get in between.
        self._http = httpx.Client(timeout=timeout, trust_env=False, headers=self.headers)

    def reset(self, items: Sequence[dict[str, Any]], detail: str = "compact") -> BatchAnswer:
        """Start episodes; each item holds reset options.

        Raises:
            PolyGuardError: the server cannot be reached, or refuses the message as a whole.
        """
        return BatchAnswer(**self._post("/batch/reset", {"items": list(items), "detail": detail}))

    def step(self, episode_ids: Sequence[str], actions: Sequence[Action], detail: str = "compact") -> BatchAnswer:
        """Take one action in each episode: a candidate's id or text, its place, or a whole action."""
        return BatchAnswer(**self._post("/batch/step", _stepping(episode_ids, actions, detail)))

    def checkpoint(self, episode_id: str) -> dict[str, Any]:
        """An episode's checkpoint."""
        found: dict[str, Any] = self._get(f"/episodes/{episode_id}/checkpoint")["checkpoint"]
        return found

    def restore(self, checkpoint: dict[str, Any], episode_id: str | None = None) -> dict[str, Any]:
        """Continue from a checkpoint, under another id when one is given."""
        body = {"checkpoint": checkpoint} | ({"episode_id": episode_id} if episode_id else {})
        found: dict[str, Any] = self._post("/restore", body)
        return found

    def fork(self, episode_id: str, copy_id: str | None = None) -> dict[str, Any]:
        """A copy of an episode that goes its own way."""
        found: dict[str, Any] = self._post(f"/episodes/{episode_id}/fork", {"episode_id": copy_id} if copy_id else {})
        return found

    def end(self, episode_id: str) -> None:
        """End an episode and free its slot."""
        self._send("DELETE", f"/episodes/{episode_id}")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _get(self, path: str) -> Any:
        return self._send("GET", path)

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        return self._send("POST", path, orjson.dumps(body))

    def _send(self, method: str, path: str, content: bytes | None = None) -> Any:
        try:
            answer = self._http.request(method, self.base_url + path, content=content)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self.unreachable(error) from error
        return self.read(answer)


class AsyncBatchClient(_Caller):
    """Plays many episodes over HTTP without blocking; arguments as `BatchClient`."""

    def __init__(self, base_url: str, token: str = "", timeout: float = 60.0) -> None:
        super().__init__(base_url, token)
        self._http = httpx.AsyncClient(timeout=timeout, trust_env=False, headers=self.headers)

    async def reset(self, items: Sequence[dict[str, Any]], detail: str = "compact") -> BatchAnswer:
        """Start episodes; each item holds reset options."""
        return BatchAnswer(**await self._post("/batch/reset", {"items": list(items), "detail": detail}))

    async def step(self, episode_ids: Sequence[str], actions: Sequence[Action], detail: str = "compact") -> BatchAnswer:
        """Take one action in each episode: a candidate's id or text, its place, or a whole action."""
        return BatchAnswer(**await self._post("/batch/step", _stepping(episode_ids, actions, detail)))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        try:
            answer = await self._http.post(self.base_url + path, content=orjson.dumps(body))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self.unreachable(error) from error
        return self.read(answer)


class PriceClient(BatchClient):
    """Asks a server for the verifier's rewards; arguments as `BatchClient`."""

    def __init__(self, base_url: str, timeout: float = 60.0, token: str = "") -> None:
        super().__init__(base_url, token, timeout)

    def price(self, items: Sequence[PriceItem]) -> PriceAnswer:
        """Rewards of every action of every item, in order.

        Raises:
            PolyGuardError: the server cannot be reached, or refuses the items: its own field, value and fix.
        """
        return PriceAnswer(**self._post("/price", PriceRequest(items=list(items)).model_dump(mode="json")))


def _stepping(episode_ids: Sequence[str], actions: Sequence[Action], detail: str) -> dict[str, Any]:
    told = [
        action.model_dump(mode="json", exclude_defaults=True) if isinstance(action, ServedAction) else action
        for action in actions
    ]
    return {"episode_ids": list(episode_ids), "actions": told, "detail": detail}


def _refusal(answer: httpx.Response, base_url: str) -> PolyGuardError:
    try:
        told = answer.json()["error"]
        retry_after = answer.headers.get("retry-after")
        return Refusal(
            told["code"], told["field"], told["value"], told["fix"], int(retry_after) if retry_after else None
        )
    except (ValueError, KeyError, TypeError):
        fix = f"point it at a PolyGuard environment server (HTTP {answer.status_code})"
        return PolyGuardError("base_url", base_url, fix)
