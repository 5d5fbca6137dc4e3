"""Rewards from the environment server: the only place a reward comes from.

The server replays each scenario and prices the actions with its verifier. Requests run ahead of
training on a thread, so that a step finds its prices waiting.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from polyguard_env.errors import PolyGuardError

TOKEN_VARIABLE = "POLYGUARD_TOKEN"
PRICE_PATH = "/price"
FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 8.0


@dataclass(frozen=True)
class PriceItem:
    """What to price: actions at one decision point.

    Attributes:
        prefix: texts of the actions taken before.
        actions: texts to price.
        seed: of the episode, when the corpus fixes one.
    """

    scenario_id: str
    prefix: tuple[str, ...]
    actions: tuple[str, ...]
    seed: int | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, Any], actions: Sequence[str]) -> PriceItem:
        """The item of a grpo_corpus row."""
        seed = row.get("seed")
        return cls(
            scenario_id=str(row["scenario_id"]),
            prefix=tuple(row["prefix"]),
            actions=tuple(actions),
            seed=None if seed is None else int(seed),
        )

    def to_json(self) -> dict[str, Any]:
        """The item as the server reads it."""
        item: dict[str, Any] = {
            "scenario_id": self.scenario_id,
            "prefix": list(self.prefix),
            "actions": list(self.actions),
        }
        if self.seed is not None:
            item["seed"] = self.seed
        return item


@dataclass(frozen=True)
class PricedActions:
    """The server's answer for one item.

    Attributes:
        rewards: one per action, 0-1.
        columns: reward columns per action, empty when the server gives none.
    """

    rewards: tuple[float, ...]
    columns: tuple[dict[str, float], ...] = field(default=())


class PriceClient:
    """Asks the environment server for rewards.

    Args:
        url: base URL of the environment server.
        timeout: seconds a request may take.
        retries: attempts before giving up, with growing waits between them.
        knowledge_fingerprint: when given, answers must quote the same knowledge.
    """

    def __init__(self, url: str, timeout: float = 60.0, retries: int = 5, knowledge_fingerprint: str = "") -> None:
        self.url = url.rstrip("/")
        self.retries = retries
        self.knowledge_fingerprint = knowledge_fingerprint
        self.requests = self.actions = 0
        self._expected = knowledge_fingerprint
        # The server is named by the configuration; a proxy meant for the web must not get in between.
        token = os.environ.get(TOKEN_VARIABLE, "")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(timeout=timeout, trust_env=False, headers=headers)

    def price(self, items: Sequence[PriceItem]) -> list[PricedActions]:
        """Rewards of every action of every item.

        Raises:
            PolyGuardError: the server cannot be reached, refuses the request, answers in another shape, or
                prices with other knowledge.
        """
        answer = self._post({"items": [item.to_json() for item in items]})
        fingerprint = str(answer.get("knowledge_fingerprint", ""))
        if self._expected and fingerprint != self._expected:
            raise PolyGuardError(
                "knowledge_fingerprint",
                fingerprint,
                f"start the environment server on the knowledge {self._expected}, or materialize the corpora again",
            )
        self.knowledge_fingerprint = fingerprint
        self.requests += 1
        self.actions += sum(len(item.actions) for item in items)
        return self._read(items, answer)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        wait = FIRST_WAIT_SECONDS
        reason = ""
        for attempt in range(self.retries):
            if attempt:
                time.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT_SECONDS)
            try:
                response = self._http.post(self.url + PRICE_PATH, json=body)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                reason = f"{type(error).__name__}: {error}"
                continue
            if response.status_code >= 500:
                reason = f"HTTP {response.status_code}: {response.text[:200]}"
                continue
            if response.status_code >= 400:
                raise PolyGuardError(
                    "environment_url",
                    self.url,
                    f"the server refused the prices with HTTP {response.status_code} ({response.text[:300]}); "
                    "materialize the GRPO corpus again so that it matches the server's scenarios",
                )
            try:
                answer = response.json()
            except ValueError:
                answer = None
            if not isinstance(answer, dict):
                raise PolyGuardError("environment_url", self.url, "point it at a PolyGuard environment server")
            return answer
        raise PolyGuardError(
            "environment_url",
            self.url,
            f"start the environment server (make serve) or correct the URL; {self.retries} attempts failed, {reason}",
        )

    def _read(self, items: Sequence[PriceItem], answer: dict[str, Any]) -> list[PricedActions]:
        rewards, columns = answer.get("rewards"), answer.get("columns")
        fix = "use a server and a training package of the same version"
        if not isinstance(rewards, list) or [len(group) for group in rewards] != [len(i.actions) for i in items]:
            raise PolyGuardError("rewards", "unexpected shape", fix)
        priced = []
        for number, group in enumerate(rewards):
            if not all(isinstance(r, int | float) and math.isfinite(r) and 0.0 <= r <= 1.0 for r in group):
                raise PolyGuardError("rewards", group, f"rewards are numbers from 0 to 1; {fix}")
            named = tuple(dict(entry) for entry in columns[number]) if columns else ()
            priced.append(PricedActions(tuple(float(r) for r in group), named))
        return priced


class PricePrefetcher:
    """Prices of batches in a known order, asked for ahead of time.

    Args:
        batches: the items of each step, in training order.
        ahead: how many steps' prices may be on their way.
    """

    def __init__(self, client: PriceClient, batches: Sequence[Sequence[PriceItem]], ahead: int) -> None:
        self.client = client
        self.batches = batches
        self.ahead = ahead
        self.waited_seconds = 0.0
        self._pending: dict[int, Future[list[PricedActions]]] = {}
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prices")

    def take(self, step: int) -> list[PricedActions]:
        """Prices of a step's batch; the following steps' are asked for meanwhile."""
        for number in range(step, min(step + self.ahead + 1, len(self.batches))):
            if number not in self._pending:
                self._pending[number] = self._pool.submit(self.client.price, self.batches[number])
        began = time.monotonic()
        try:
            return self._pending.pop(step).result()
        finally:
            self.waited_seconds += time.monotonic() - began

    def close(self) -> None:
        """Drop what is still on its way."""
        self._pool.shutdown(wait=False, cancel_futures=True)
