"""Clients of the environment server: episodes over a websocket, episodes in batches and prices over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from openenv.core import EnvClient
from openenv.core.client_types import StepResult
from websockets.exceptions import ConnectionClosed

from polyguard_serving.batch_client import AsyncBatchClient, BatchClient, PriceClient
from polyguard_serving.refusals import Refusal
from polyguard_serving.types import ServedAction, ServedObservation, ServedState

__all__ = ["AsyncBatchClient", "BatchClient", "PolyGuardClient", "PriceClient"]
RECONNECTS, FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 6, 0.1, 3.0


class PolyGuardClient(EnvClient[ServedAction, ServedObservation, ServedState]):
    """A typed websocket client; `.sync()` gives the blocking one.

    When the connection is lost, the next call connects again and continues the episode from the checkpoint taken
    after its last answer, so that a step is taken once and the episode goes on byte for byte.

    Args:
        base_url: of the server.
        resumes: take a checkpoint with every answer and resume from it; False leaves a lost episode lost, as
            OpenEnv's own client does.
        token: the server's bearer token, when it asks for one.
        **options: as `EnvClient` takes them.
    """

    def __init__(self, base_url: str, resumes: bool = False, token: str = "", **options: Any) -> None:
        headers = dict(options.pop("headers", None) or {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        super().__init__(base_url, headers=headers or None, **options)
        self.resumes = resumes
        self.reconnected = 0
        self._saved: dict[str, Any] | None = None

    def checkpoint(self) -> Any:
        """The running episode's checkpoint."""
        return self._dispatch(self._checkpoint_async)

    def restore(self, checkpoint: dict[str, Any], episode_id: str | None = None) -> Any:
        """Continue from a checkpoint, under another id when one is given (a fork)."""
        return self._dispatch(lambda: self._restore_async(checkpoint, episode_id))

    def candidates(self) -> Any:
        """The running episode's text and candidates, compact."""
        return self._dispatch(lambda: self._data({"type": "candidates"}))

    def tasks(self) -> Any:
        """The tasks on offer."""
        return self._dispatch(self._tasks_async)

    def batch_reset(self, items: Sequence[dict[str, Any]], detail: str = "compact") -> Any:
        """Start many episodes of this session's own; the answer is a `BatchAnswer` as a dict."""
        return self._dispatch(lambda: self._data({"type": "batch_reset", "data": {"items": items, "detail": detail}}))

    def batch_step(self, episode_ids: Sequence[str], actions: Sequence[Any], detail: str = "compact") -> Any:
        """Take one action in each of this session's episodes."""
        told = [action.model_dump(mode="json") if isinstance(action, ServedAction) else action for action in actions]
        data = {"episode_ids": list(episode_ids), "actions": told, "detail": detail}
        return self._dispatch(lambda: self._data({"type": "batch_step", "data": data}))

    async def _checkpoint_async(self) -> dict[str, Any]:
        saved: dict[str, Any] = (await self._data({"type": "checkpoint"}))["checkpoint"]
        return saved

    async def _restore_async(self, checkpoint: dict[str, Any], episode_id: str | None) -> StepResult[ServedObservation]:
        return self._parse_result(await self._data(_restoring(checkpoint, episode_id)))

    async def _tasks_async(self) -> list[dict[str, Any]]:
        return list((await self._data({"type": "tasks"}))["tasks"])

    async def _step_async(self, action: ServedAction, **options: Any) -> StepResult[ServedObservation]:
        message: dict[str, Any] = {"type": "step", "data": self._step_payload(action)}
        if options.get("timeout_s") is not None:
            message["timeout_s"] = options["timeout_s"]
        return self._parse_result(await self._data(message))

    async def _data(self, message: dict[str, Any]) -> dict[str, Any]:
        data: dict[str, Any] = (await self._send_and_receive(message)).get("data", {})
        return data

    async def _send_and_receive(self, message: dict[str, Any]) -> dict[str, Any]:
        """One question and its answer, with the checkpoint after it in the same round when the client resumes.

        Raises:
            Refusal: what the server refused with: its code, field, value and fix.
            ConnectionError: the server cannot be reached.
        """
        if not self.resumes or message["type"] not in ("reset", "step", "restore"):
            return await self._ask(message)
        wait = FIRST_WAIT_SECONDS
        for attempt in range(RECONNECTS):
            try:
                if attempt:
                    await self._reconnect(message)
                answer = await self._ask(message)
                self._saved = (await self._ask({"type": "checkpoint"}))["data"]["checkpoint"]
                return answer
            except (ConnectionClosed, ConnectionError, TimeoutError, asyncio.IncompleteReadError):
                if attempt == RECONNECTS - 1:
                    raise
                await self._drop()
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT_SECONDS)
        raise AssertionError("unreachable")

    async def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        await self._send(message)
        answer = await self._receive()
        if answer.get("type") == "error":
            told = answer.get("data", {})
            if told.get("code") == "CAPACITY_REACHED":
                await self._drop()
            raise ServerRefusal(told)
        return answer

    async def _reconnect(self, message: dict[str, Any]) -> None:
        """A new connection at the point before `message`."""
        await self._ensure_connected()
        self.reconnected += 1
        if self._saved is not None and message["type"] == "step":
            await self._ask(_restoring(self._saved, None))

    async def _drop(self) -> None:
        connection: Any = getattr(self, "_ws", None)
        self._ws = self._ws_loop = None
        if connection is not None:
            self._schedule_socket_close(connection)

    def _step_payload(self, action: ServedAction) -> dict[str, Any]:
        return action.model_dump(mode="json", exclude_defaults=True)

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[ServedObservation]:
        values = dict(payload["observation"])
        values |= {"reward": payload.get("reward"), "done": bool(payload.get("done"))}
        observation = ServedObservation(**values)
        return StepResult(
            observation=observation,
            reward=observation.reward,
            done=observation.done,
            metadata=payload.get("metadata"),
        )

    def _parse_state(self, payload: dict[str, Any]) -> ServedState:
        return ServedState(**payload)


class ServerRefusal(Refusal, RuntimeError):
    """What the server refused with; a RuntimeError too, as OpenEnv's clients raise."""

    def __init__(self, told: dict[str, Any]) -> None:
        code = str(told.get("code", "UNKNOWN"))
        fix = str(told.get("fix") or told.get("message", ""))
        super().__init__(code, str(told.get("field", "message")), told.get("value"), fix, told.get("retry_after_s"))

    def __str__(self) -> str:
        return f"Server error: {self.field}: {self.value}: {self.fix} (code: {self.code})"

    def __reduce__(self) -> tuple[Any, ...]:
        told = {"code": self.code, "field": self.field, "value": self.value, "fix": self.fix}
        return type(self), (told,)


def _restoring(checkpoint: dict[str, Any], episode_id: str | None) -> dict[str, Any]:
    data: dict[str, Any] = {"checkpoint": checkpoint}
    if episode_id is not None:
        data["episode_id"] = episode_id
    return {"type": "restore", "data": data}
