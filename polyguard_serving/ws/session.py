"""A websocket session: one episode as OpenEnv's clients play it, and batches of them in messages of our own.

Messages are `{"type", "data"}`. OpenEnv's: reset, step, state, close, mcp. Ours: candidates, checkpoint, restore,
batch_reset, batch_step, tasks. Beside `data` a message may carry `timeout_s` (reset, step) and `request_id`, which
comes back with its answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from pydantic import ValidationError

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardAction
from polyguard_env.errors import PolyGuardError
from polyguard_serving.batch import check_lengths
from polyguard_serving.host import Host
from polyguard_serving.limits import Bucket, deeper_than
from polyguard_serving.options import (
    LEAST_SECONDS,
    MOST_SECONDS,
    BatchReset,
    BatchStep,
    ResetOptions,
    RestoreOptions,
    bad_field,
    read,
)
from polyguard_serving.refusals import Refusal, code_of, problem
from polyguard_serving.sessions import check_time, resume, within
from polyguard_serving.types import ServedAction
from polyguard_serving.wire import compact, message

Later = Callable[[bytes], None]
PLAIN_FIELDS = frozenset({"type", "data"})
MESSAGE_FIELDS = frozenset({"type", "data", "timeout_s", "request_id"})
LONGEST_REQUEST_ID = 200
# OpenEnv's codes for what a session refuses; ours stay as they are.
OPENENV_CODES = {"VALIDATION_ERROR": "VALIDATION_ERROR", "CONFLICT": "EXECUTION_ERROR", "NOT_FOUND": "EXECUTION_ERROR"}
validate_action = ServedAction.__pydantic_validator__.validate_python


class EpisodeSession:
    """One connection's episodes.

    Args:
        host: the episodes of its batches, its own, freed when it ends.
        mcp: answers JSON-RPC messages.
        later: sends an answer that took longer than a call.
        depth: deepest nesting of a message.
        bucket: how many messages it may send; None for any.
    """

    def __init__(
        self,
        host: Host,
        mcp: Callable[[Any], Any],
        later: Later,
        depth: int,
        bucket: Bucket | None = None,
    ) -> None:
        self.host, self.mcp, self.later, self.depth, self.bucket = host, mcp, later, depth, bucket
        self.env: PolyGuardEnv | None = None
        self.used = host.store.clock()
        self.messages = 0
        self.wants_close = False
        self._task: asyncio.Task[None] | None = None
        self._now: dict[str, Callable[[Any, Any], bytes]] = {
            "reset": self._reset,
            "step": self._step,
            "state": self._state,
            "candidates": self._candidates,
            "checkpoint": self._checkpoint,
            "restore": self._restore,
            "tasks": self._tasks,
        }

    def receive(self, sent: bytes) -> bytes | None:
        """The answer to a message; None when it comes later, or never because the session is over."""
        clock = self.host.store.clock
        received = self.used = clock()
        self.messages += 1
        request_id: Any = None
        try:
            if self.bucket is not None and not self.bucket.take():
                raise Refusal("RATE_LIMITED", "messages", self.messages, "send fewer messages a second", retry_after=1)
            try:
                told = orjson.loads(sent)
            except orjson.JSONDecodeError as error:
                raise Refusal("INVALID_JSON", "message", None, f"send one JSON object: Invalid JSON: {error}") from None
            if not isinstance(told, dict):
                raise Refusal("INVALID_JSON", "message", type(told).__name__, "send one JSON object")
            if told.keys() - PLAIN_FIELDS:
                request_id = told.get("request_id")
                self._check_fields(told, request_id)
            if deeper_than(sent, self.depth):
                raise Refusal("VALIDATION_ERROR", "message", "(nested)", f"nest no deeper than {self.depth}")
            kind = told.get("type")
            call = self._now.get(kind) if isinstance(kind, str) else None
            if call is not None:
                answer = call(told.get("data"), (told.get("timeout_s"), received))
            elif kind == "close":
                self.wants_close = True
                return None
            elif kind in ("batch_reset", "batch_step", "mcp"):
                self._task = asyncio.ensure_future(self._long(kind, told.get("data"), request_id))
                return None
            else:
                raise Refusal("UNKNOWN_TYPE", "type", kind, f"Unknown message type: {kind}; see docs/service.md")
        except PolyGuardError as error:
            answer = self._refused(error)
        except Exception as error:  # nothing a client sends may end its session
            answer = self._fault(error)
        return answer if request_id is None else with_id(answer, request_id)

    def checkpoint_of(self, episode_id: str) -> dict[str, Any] | None:
        """The checkpoint of the session's own episode or of one of its batches; None when it plays no such episode."""
        if self.env is not None and self.env.state.episode_id == episode_id:
            return self.env.get_state()
        held = self.host.store.peek(episode_id)
        return None if held is None else held.env.get_state()

    def lost(self) -> None:
        """The connection is gone: free what it held."""
        if self._task is not None:
            self._task.cancel()
        self.env = None
        self.host.store.close_all()

    def _check_fields(self, told: Mapping[str, Any], request_id: Any) -> None:
        for name in told:
            if name not in MESSAGE_FIELDS:
                raise Refusal("VALIDATION_ERROR", name, told[name], "remove it: no such field of a message")
        if request_id is not None and not (
            isinstance(request_id, int) or (isinstance(request_id, str) and len(request_id) <= LONGEST_REQUEST_ID)
        ):
            raise Refusal("VALIDATION_ERROR", "request_id", request_id, "send a short string or a whole number")

    async def _long(self, kind: str, data: Any, request_id: Any) -> None:
        try:
            if kind == "mcp":
                answer = orjson.dumps({"type": "mcp", "data": await self.mcp(data)})
            elif kind == "batch_reset":
                batch = _read(BatchReset, data)
                answer = orjson.dumps({"type": kind, "data": await self.host.batch_reset(batch)})
            else:
                steps = _read(BatchStep, data)
                check_lengths(len(steps.episode_ids), len(steps.actions))
                answer = orjson.dumps({"type": kind, "data": await self.host.batch_step(steps)})
        except PolyGuardError as error:
            answer = self._refused(error)
        except Exception as error:
            answer = self._fault(error)
        self.used = self.host.store.clock()
        self.later(answer if request_id is None else with_id(answer, request_id))

    def _reset(self, data: Any, time_given: tuple[Any, float]) -> bytes:
        timeout_s, received = time_given
        values = {} if data is None else data
        if not isinstance(values, dict):
            raise Refusal("VALIDATION_ERROR", "data", values, "send an object of reset options")
        options = read(ResetOptions, values if timeout_s is None else {**values, "timeout_s": timeout_s})
        # Within a time limit a reset may have to leave the episode before it as it was.
        env = self.env if self.env is not None and options.timeout_s is None else self.host.store.make()
        env.start(**options.arguments())
        check_time(self.host.store.clock, options.timeout_s, received)
        self.env = env
        self.host.started(env, options)
        return message(env)

    def _step(self, data: Any, time_given: tuple[Any, float]) -> bytes:
        timeout_s, received = time_given
        if data is None:
            raise Refusal("VALIDATION_ERROR", "data", None, "send an action as data")
        try:
            action: PolyGuardAction = validate_action(data)
        except ValidationError as error:
            raise bad_field(error.errors()) from None
        env = self._running()
        limit = None if timeout_s is None else _seconds(timeout_s)
        within(env, lambda: env.act(action), self.host.store.clock, limit, received)
        self.host.stepped(env, env.done)
        answer = message(env)
        self.host.tally.time("polyguard_step_seconds", time.monotonic() - received)
        return answer

    def _state(self, data: Any, time_given: Any) -> bytes:
        env = self.env if self.env is not None else self.host.store.make()
        return orjson.dumps({"type": "state", "data": env.state.model_dump()})

    def _candidates(self, data: Any, time_given: Any) -> bytes:
        return orjson.dumps({"type": "candidates", "data": compact(self._running().observe())})

    def _checkpoint(self, data: Any, time_given: Any) -> bytes:
        return orjson.dumps({"type": "checkpoint", "data": {"checkpoint": self._running().get_state()}})

    def _restore(self, data: Any, time_given: Any) -> bytes:
        options = _read(RestoreOptions, data)
        env = self.host.store.make()
        saved = options.checkpoint.model_dump()
        resume(env, saved | {"episode_id": options.episode_id or saved["episode_id"]})
        self.env = env
        self.host.restored(env)
        return message(env)

    def _tasks(self, data: Any, time_given: Any) -> bytes:
        return orjson.dumps({"type": "tasks", "data": {"tasks": self.host.store.make().list_tasks()}})

    def _running(self) -> PolyGuardEnv:
        if self.env is None:
            raise PolyGuardError("episode", None, "call reset() before this")
        return self.env

    def _refused(self, error: PolyGuardError) -> bytes:
        self.host.tally.add("polyguard_refusals", code_of(error))
        return refusal(error)

    def _fault(self, error: Exception) -> bytes:
        self.host.log.fault(error, way="ws")
        fix = "report this: it is a fault of the server"
        return self._refused(Refusal("INTERNAL_ERROR", "server", type(error).__name__, fix))


def refusal(error: PolyGuardError, **more: Any) -> bytes:
    """An error as OpenEnv's clients read it: message and code, with the field, value and fix beside them."""
    told = problem(error)
    code = OPENENV_CODES.get(told["code"], told["code"])
    data = told | {"code": code, "message": str(error) if len(str(error)) < 600 else told["fix"]} | more
    data["message"] = data["message"].encode("utf-8", "backslashreplace").decode()
    return orjson.dumps({"type": "error", "data": data})


def with_id(answer: bytes, request_id: Any) -> bytes:
    """An answer with its question's id."""
    return answer[:-1] + b',"request_id":' + orjson.dumps(request_id) + b"}"


def _read(model: Any, data: Any) -> Any:
    if not isinstance(data, dict):
        raise Refusal("VALIDATION_ERROR", "data", data, "send an object")
    return read(model, data)


def _seconds(timeout_s: Any) -> float:
    number = isinstance(timeout_s, int | float) and not isinstance(timeout_s, bool)
    if not number or not LEAST_SECONDS <= timeout_s <= MOST_SECONDS:
        fix = f"use a number of seconds from {LEAST_SECONDS} to {MOST_SECONDS:g}"
        raise Refusal("VALIDATION_ERROR", "timeout_s", timeout_s, fix)
    return float(timeout_s)
