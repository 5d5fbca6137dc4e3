"""Prices for training: replay a scenario, then the verifier's reward for each action text."""

from __future__ import annotations

from collections import OrderedDict

from pydantic import BaseModel, ConfigDict, Field

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardAction
from polyguard_env.environment.reading import normal
from polyguard_env.errors import PolyGuardError

CACHED_STATES = 20_000


class PriceItem(BaseModel):
    """One decision point.

    Attributes:
        prefix: texts of the actions taken before it.
        actions: texts to price.
        seed: of the episode.
    """

    model_config = ConfigDict(extra="forbid")
    scenario_id: str
    prefix: list[str] = Field(default_factory=list, max_length=64)
    actions: list[str] = Field(min_length=1, max_length=64)
    seed: int = Field(default=0, ge=0)


class PriceRequest(BaseModel):
    """A batch of decision points, at most 512."""

    model_config = ConfigDict(extra="forbid")
    items: list[PriceItem] = Field(min_length=1, max_length=512)


class PriceAnswer(BaseModel):
    """Rewards by item and action, in order, and the knowledge they rest on."""

    rewards: list[list[float]]
    knowledge_fingerprint: str


class Pricer:
    """Prices decision points; recent ones are kept.

    An action text that names no candidate gets what the environment pays a malformed answer.
    """

    def __init__(self) -> None:
        self.env = PolyGuardEnv()
        self._known: OrderedDict[tuple[str, int, tuple[str, ...]], tuple[dict[str, float], float]] = OrderedDict()

    def price(self, request: PriceRequest) -> PriceAnswer:
        """Rewards of every action of every item.

        Raises:
            PolyGuardError: an unknown scenario, or a prefix that its episode does not offer.
        """
        rewards = []
        for item in request.items:
            by_text, otherwise = self._prices(item.scenario_id, item.seed, tuple(item.prefix))
            rewards.append([by_text.get(normal(text), otherwise) for text in item.actions])
        return PriceAnswer(rewards=rewards, knowledge_fingerprint=self.env.knowledge.fingerprint)

    def _prices(self, scenario_id: str, seed: int, prefix: tuple[str, ...]) -> tuple[dict[str, float], float]:
        key = (scenario_id, seed, prefix)
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        observation = self.env.reset(seed=seed, scenario_id=scenario_id)
        for text in prefix:
            if observation.done or normal(text) not in {normal(c.text) for c in observation.candidates}:
                raise PolyGuardError("prefix", text, f"{scenario_id} with seed {seed} does not offer this action here")
            observation = self.env.step(PolyGuardAction(text=text))
        if observation.done:
            raise PolyGuardError("prefix", list(prefix), f"the episode of {scenario_id} ends before its last action")
        prices = self.env.price()
        by_text = {normal(c.text): prices[c.candidate_id] for c in observation.candidates}
        found = by_text, self.env.price_malformed()
        self._known[key] = found
        if len(self._known) > CACHED_STATES:
            self._known.popitem(last=False)
        return found
