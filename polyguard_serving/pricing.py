"""Prices for training: replay a scenario, then the verifier's reward for each action text."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

from pydantic import Field

from polyguard_env.environment.answers import LONGEST_ANSWER, LONGEST_TEXT, chosen
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import Candidate
from polyguard_env.environment.reading import read_answer
from polyguard_env.errors import PolyGuardError
from polyguard_serving.options import SEED, Options, ScenarioId

CACHED_STATES = 20_000


class PriceItem(Options):
    """One decision point.

    Attributes:
        prefix: texts of the actions taken before it.
        actions: answers to price: a candidate's text or id, JSON of an action, or whatever a model wrote, read as
            `parse_answer` reads it. What cannot be read is priced as malformed, not refused. A price is that of the
            candidate named, taken with certainty and without evidence: what JSON says of either does not change it.
        seed: of the episode.
    """

    scenario_id: ScenarioId
    prefix: list[Annotated[str, Field(max_length=LONGEST_TEXT)]] = Field(default_factory=list, max_length=64)
    actions: list[Annotated[str, Field(max_length=LONGEST_ANSWER)]] = Field(min_length=1, max_length=64)
    seed: SEED = 0


class PriceRequest(Options):
    """A batch of decision points, at most 512."""

    items: list[PriceItem] = Field(min_length=1, max_length=512)


class PriceAnswer(Options):
    """Rewards by item and action, in order, and the knowledge they rest on."""

    rewards: list[list[float]]
    knowledge_fingerprint: str


@dataclass(frozen=True, slots=True)
class PricedState:
    """A decision point with the reward of each of its candidates and of an answer that names none."""

    candidates: tuple[Candidate, ...]
    rewards: tuple[float, ...]
    malformed: float

    def reward(self, text: str) -> float:
        """The reward of an answer, read as the environment reads it."""
        place = _named(text, self.candidates)
        return self.malformed if place is None else self.rewards[place]


class Pricer:
    """Prices decision points; recent ones are kept.

    Args:
        cached: most priced decision points kept.
    """

    def __init__(self, cached: int = CACHED_STATES) -> None:
        self.cached = cached
        self._known: OrderedDict[tuple[str, int, tuple[str, ...]], PricedState] = OrderedDict()

    @cached_property
    def env(self) -> PolyGuardEnv:
        """The environment that prices; made when first needed, as its knowledge takes seconds to load."""
        return PolyGuardEnv()

    async def price(self, request: PriceRequest) -> PriceAnswer:
        """Rewards of every action of every item. Other callers are served between items.

        Raises:
            PolyGuardError: an unknown scenario, or a prefix that its episode does not offer.
        """
        rewards = []
        for item in request.items:
            state = self.state(item.scenario_id, item.seed, tuple(item.prefix))
            rewards.append([state.reward(text) for text in item.actions])
            await asyncio.sleep(0)
        return PriceAnswer(rewards=rewards, knowledge_fingerprint=self.env.knowledge.fingerprint)

    def state(self, scenario_id: str, seed: int, prefix: tuple[str, ...]) -> PricedState:
        """One priced decision point."""
        key = (scenario_id, seed, prefix)
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        found = self._known[key] = self._replay(scenario_id, seed, prefix)
        if len(self._known) > self.cached:
            self._known.popitem(last=False)
        return found

    def _replay(self, scenario_id: str, seed: int, prefix: tuple[str, ...]) -> PricedState:
        observation = self.env.reset(seed=seed, scenario_id=scenario_id)
        for text in prefix:
            if observation.done or _named(text, observation.candidates) is None:
                raise PolyGuardError("prefix", text, f"{scenario_id} with seed {seed} does not offer this action here")
            observation = self.env.step(chosen(text, observation.candidates))
        if observation.done:
            raise PolyGuardError("prefix", list(prefix), f"the episode of {scenario_id} ends before its last action")
        prices = self.env.price()
        candidates = tuple(observation.candidates)
        return PricedState(candidates, tuple(prices[c.candidate_id] for c in candidates), self.env.price_malformed())


def _named(text: str, candidates: list[Candidate] | tuple[Candidate, ...]) -> int | None:
    """The place of the candidate an answer names, None when it names none."""
    return read_answer(chosen(text, candidates), [entry.candidate_id for entry in candidates], candidates)[0]
