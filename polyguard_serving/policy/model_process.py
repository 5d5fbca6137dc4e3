"""The model's process as the server sees it: started when needed, asked one thing at a time, never waited for long.

The server's event loop only reads and writes pipes, so a model that is slow, hangs or dies costs its
callers an error and everybody else nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyguard_env.active_model import manifest_path, read_active_model
from polyguard_env.errors import PolyGuardError
from polyguard_serving.refusals import Refusal

# Names of environment variables the model's process has no business with.
SECRET_WORDS = ("TOKEN", "SECRET", "PASSWORD", "KEY", "CREDENTIAL")
LINE_LIMIT = 2**20
START_AGAIN_AFTER = 5.0


@dataclass(frozen=True, slots=True)
class Scored:
    """What the model said of one decision.

    Attributes:
        source: which model spoke, "grpo_adapter" or "merged".
        fallback_reason: why it was not the preferred one; None when it was.
        scores: log-likelihood of each candidate, nats. probabilities: calibrated, sum 1.
        seconds: the model took.
    """

    source: str
    label: str
    model_run: str
    fallback_reason: str | None
    scores: tuple[float, ...]
    probabilities: tuple[float, ...]
    seconds: float


class ModelProcess:
    """Asks the active model.

    Args:
        lake: data lake with the manifest.
        command: what to run; the model worker by default.
        most_waiting: callers at once; one more is refused with BUSY.
        load_s: seconds the model may take to load. answer_s: seconds one answer may take.
        patience_s: seconds a caller waits in all, for its turn, the load and the answer.
    """

    def __init__(
        self,
        lake: Path,
        command: Sequence[str] | None = None,
        *,
        most_waiting: int = 16,
        load_s: float = 120.0,
        answer_s: float = 30.0,
        patience_s: float = 150.0,
    ) -> None:
        self.lake = lake
        self.command = list(command or (sys.executable, "-m", "polyguard_serving.policy.model_worker"))
        self.most_waiting, self.load_s, self.answer_s, self.patience_s = most_waiting, load_s, answer_s, patience_s
        self.state, self.reason = "not_started", ""
        self.hello: dict[str, Any] = {}
        self.waiting = self.restarts = self.answered = 0
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._number = 0
        self._manifest_time = 0
        self._failed_at = float("-inf")
        self._failure: PolyGuardError | None = None

    async def score(self, system: str, user: str, candidates: Sequence[str]) -> Scored:
        """The model's word on one decision.

        Raises:
            Refusal: MODEL_NOT_AVAILABLE (409) without a model that loads, BUSY (503) with too many callers,
                TIMEOUT (504) when it takes too long.
            PolyGuardError: the model refuses the input.
        """
        if self.waiting >= self.most_waiting:
            raise Refusal("BUSY", "model", self.waiting, "too many callers wait for it: try again", retry_after=1)
        self.waiting += 1
        try:
            async with asyncio.timeout(self.patience_s), self._turn:
                await self._ready()
                return await self._exchange({"system": system, "user": user, "candidates": list(candidates)})
        except TimeoutError as error:
            raise Refusal("TIMEOUT", "model", self.patience_s, "it did not answer in time: try again later") from error
        finally:
            self.waiting -= 1

    async def told(self) -> dict[str, Any]:
        """How the process does: state, reason, what it said of itself, callers waiting and answered."""
        hello = self.hello if self.state == "ready" else {}
        return {
            "state": self.state, "reason": self.reason, "hello": hello, "waiting": self.waiting,
            "answered": self.answered,
        }  # fmt: skip

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if self.state in ("ready", "loading"):
            self.state = "not_started"

    async def _ready(self) -> None:
        """Have a process that answers, and that serves the manifest as it is now."""
        changed = self._manifest_time != _time_of(manifest_path(self.lake))
        alive = self._process is not None and self._process.returncode is None
        if alive and not changed and self.state == "ready":
            return
        if self._failure is not None and not changed and time.monotonic() - self._failed_at < START_AGAIN_AFTER:
            raise self._failure
        await self.close()
        await self._start()

    async def _start(self) -> None:
        self._manifest_time = _time_of(manifest_path(self.lake))
        try:
            read_active_model(self.lake)
        except PolyGuardError as error:
            raise self._failed(error.field, error.value, error.fix, "absent") from error
        self.state, self.reason, self.hello = "loading", "", {}
        self._process = await asyncio.create_subprocess_exec(
            *self.command, "--lake", str(self.lake), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env=_plain_environment(), limit=LINE_LIMIT,
        )  # fmt: skip
        self.restarts += 1
        try:
            async with asyncio.timeout(self.load_s):
                message = await self._read()
        except TimeoutError as error:
            await self.close()
            raise self._failed(
                "model", f"{self.load_s:g} s", "it did not load in time; see the server's log"
            ) from error
        if "ready" not in message:
            problem = message.get("error") or {"field": "model", "value": "no answer", "fix": "see the server's log"}
            await self.close()
            raise self._failed(problem["field"], problem["value"], problem["fix"])
        self.state, self.hello, self._failure = "ready", message["ready"], None

    async def _exchange(self, request: dict[str, Any]) -> Scored:
        process = self._process
        assert process is not None and process.stdin is not None
        self._number += 1
        number = self._number
        try:
            async with asyncio.timeout(self.answer_s):
                process.stdin.write(json.dumps({"id": number, **request}).encode() + b"\n")
                await process.stdin.drain()
                message = await self._read()
                while message.get("id") not in (number, None):
                    # An answer whose caller has gone.
                    message = await self._read()
        except (TimeoutError, OSError) as error:
            await self.close()
            late = isinstance(error, TimeoutError)
            self.state, self.reason = "not_started", "it was stopped: no answer in time" if late else "it ended"
            fix = "it is started again for the next caller: try again"
            if late:
                raise Refusal("TIMEOUT", "model", self.answer_s, fix) from error
            raise self._failed("model", "ended", fix) from error
        if message.get("id") != number:
            await self.close()
            raise self._failed("model", "ended", "it is started again for the next caller: try again", cool=False)
        if "error" in message:
            raise PolyGuardError(**message["error"])
        self.answered += 1
        hello = self.hello
        return Scored(
            hello["source"], hello["label"], hello["model_run"], hello["fallback_reason"],
            tuple(message["scores"]), tuple(message["probabilities"]), message["seconds"],
        )  # fmt: skip

    async def _read(self) -> dict[str, Any]:
        """The next message; empty when the process has ended or says what nobody understands."""
        assert self._process is not None and self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            return {}
        try:
            message = json.loads(line)
        except ValueError:
            return {}
        return message if isinstance(message, dict) else {}

    def _failed(self, field: str, value: object, fix: str, state: str = "failed", cool: bool = True) -> Refusal:
        """Remember a failure, so that the next callers get it at once; `cool` keeps it for a few seconds."""
        failure = Refusal("MODEL_NOT_AVAILABLE", field, value, fix, retry_after=int(START_AGAIN_AFTER))
        self.state, self.reason = state, str(failure)
        self._failure, self._failed_at = (failure, time.monotonic()) if cool else (None, float("-inf"))
        return failure


def _time_of(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _plain_environment() -> dict[str, str]:
    """The environment without secrets."""
    return {k: v for k, v in os.environ.items() if not any(word in k.upper() for word in SECRET_WORDS)}
