"""How an episode is told: as an observation, or straight as its JSON."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import orjson

from polyguard_env.engine.episode import Episode, Happened, Offers
from polyguard_env.engine.naming import Words
from polyguard_env.environment.episode import Scenario
from polyguard_env.environment.evidence import EvidenceProvider, shown
from polyguard_env.environment.messages import Candidate, PolyGuardObservation, all_trusted
from polyguard_env.environment.render import EVIDENCE_SHOWN
from polyguard_env.environment.standing import Standing
from polyguard_env.environment.wording import full_text
from polyguard_env.errors import PolyGuardError
from polyguard_env.reward.columns import COLUMNS, channels
from polyguard_env.risk.index import RuleIndex


class Telling:
    """The part of `PolyGuardEnv` that tells what an episode has come to; it changes nothing of the episode."""

    index: RuleIndex
    evidence: EvidenceProvider
    _episode: Episode
    _scenario: Scenario | None
    _episode_id: str
    _rewards: list[float]
    _fetched: list[str]
    # Reward, legality and named reasons of the last step.
    _verdict: tuple[float, bool, tuple[str, ...]] | None

    def __init__(self) -> None:
        self._head = b""
        self._offers: Offers | None = None
        self._standing: Standing | None = None
        self._named_events: list[dict[str, Any]] = []
        self._new_events: list[Happened] = []
        # Of how many topics of `_fetched` the passages are there.
        self._brought = 0
        self._passages: list[dict[str, Any]] = []

    def observe(self) -> PolyGuardObservation:
        """The observation of the episode as it stands."""
        scenario, episode = self._running_scenario(), self._episode
        offers, standing, evidence = self._on_offer(), self._known(), self._evidence(scenario)
        columns = dict(zip(COLUMNS, episode.columns, strict=True)) if self._verdict else {}
        return PolyGuardObservation.written_later(
            {
                "episode_id": self._episode_id,
                "scenario_id": scenario.scenario_id,
                "sub_environment": scenario.sub_environment,
                "difficulty": scenario.difficulty,
                "day": episode.day,
                "steps_left": scenario.budget - episode.steps,
                "evidence": evidence,
                "done": episode.ended,
                "reward": self.reward,
                "columns": columns,
                "channels": channels(columns) if columns else {},
                "info": self._info(),
            },
            partial(_rest, offers, standing, evidence[-EVIDENCE_SHOWN:], len(evidence)),
        )

    def write(self) -> bytes:
        """The members of the observation's JSON object but `done` and `reward`, in the order `observe` has them.

        Many times faster than an observation: what stays the same from step to step is not written again.
        """
        scenario, episode = self._running_scenario(), self._episode
        ids, words = self._offered()
        standing, evidence = self._known(), self._evidence(scenario)
        offers = b",".join(
            [b'{"candidate_id":"%b%b' % (name.encode(), offer.json) for name, offer in zip(ids, words, strict=True)]
        )
        text = orjson.dumps(standing.rendering.text(words, evidence, len(evidence)))
        return (
            b'%b,"day":%d,"steps_left":%d,%b,"candidates":[%b],"evidence":%b,"text":%b,%b,"info":%b'
        ) % (
            self._begins, episode.day, scenario.budget - episode.steps, standing.json, offers,
            orjson.dumps(evidence) if evidence else b"[]", text,
            written_columns(episode.raw_columns) if self._verdict else NO_COLUMNS, orjson.dumps(self._info()),
        )  # fmt: skip

    def full_text(self) -> str:
        """Everything the agent knows, in sentences and of any length; the observation's text is the short form."""
        scenario, standing = self._running_scenario(), self._known()
        words = self._on_offer().words
        return full_text(standing.patient(), standing.regimen(), words, scenario, self._evidence(scenario))

    @property
    def reward(self) -> float | None:
        """The last step's reward; None before the first."""
        return self._verdict[0] if self._verdict else None

    @property
    def harm_events(self) -> int:
        """Harm events since the reset."""
        return len(self._named_events) + len(self._new_events)

    def episode_reward(self) -> float:
        """Mean step reward over the budget; the closing step's reward stands for the steps not used."""
        scenario = self._running_scenario()
        if not self._rewards:
            raise PolyGuardError("episode", self._episode_id, "take a step before asking for its reward")
        unused = scenario.budget - len(self._rewards)
        return (sum(self._rewards) + unused * self._rewards[-1]) / scenario.budget

    def _running_scenario(self) -> Scenario:
        if self._scenario is None:
            raise PolyGuardError("episode", None, "call reset() before this")
        return self._scenario

    @property
    def _events(self) -> list[dict[str, Any]]:
        """Harm events since the reset, put in words when they are first told."""
        if self._new_events:
            self._named_events += [self._episode.told(event) for event in self._new_events]
            self._new_events = []
        return self._named_events

    @property
    def _begins(self) -> bytes:
        """What every observation of the episode begins with, written when it is first asked for."""
        if not self._head:
            scenario = self._running_scenario()
            told = {
                "episode_id": self._episode_id,
                "scenario_id": scenario.scenario_id,
                "sub_environment": scenario.sub_environment,
                "difficulty": scenario.difficulty,
            }
            self._head = orjson.dumps(told)[1:-1]
        return self._head

    def _offered(self) -> tuple[list[str], list[Words]]:
        """Ids and words of the step's candidates, worked out when they are first asked for."""
        offers = self._on_offer()
        return offers.ids, offers.words

    def _on_offer(self) -> Offers:
        """The step's candidates, to be put in words."""
        if self._offers is None:
            self._offers = self._episode.on_offer()
        return self._offers

    def _evidence(self, scenario: Scenario) -> list[dict[str, Any]]:
        """What look-ups and tests have brought, in the order asked; passages are fetched when they are first shown."""
        for topic in self._fetched[self._brought :]:
            self._passages += [shown(passage) for passage in self.evidence.fetch(scenario, topic)]
            self._brought += 1
        # Copies, so that what an agent does to them is done to its own alone.
        found = [dict(passage) for passage in self._passages]
        if scenario.combinations:
            for name, danger in sorted(self._episode.tested()):
                words = f"{name.replace('+', ' + ')}: {'dangerous' if danger else 'no danger found'}"
                found.append({"id": f"test:{name}", "source": "test", "year": None, "text": words})
        return found

    def _known(self) -> Standing:
        """What the agent knows of person and drugs; worked out again only when it changed."""
        scenario, standing = self._running_scenario(), self._standing
        key = self._episode.standing()
        if standing is None or standing.scenario is not scenario or standing.key != key:
            standing = self._standing = Standing(key, self._episode.shown(), scenario, self.index, standing)
        return standing

    def _info(self) -> dict[str, Any]:
        """Named reasons, harm events and counters."""
        info: dict[str, Any] = {"harm_events": self.harm_events}
        if self._verdict:
            _, legal, reasons = self._verdict
            info |= {"legal": legal, "reasons": list(reasons)}
        if self._episode.ended:
            info |= {"events": [dict(event) for event in self._events], "episode_reward": self.episode_reward()}
        return info


def _rest(offers: Offers, standing: Standing, evidence: list[dict[str, Any]], count: int) -> dict[str, Any]:
    """The fields of an observation that are written later.

    Args:
        evidence, count: as in `Rendering.text`.
    """
    return {
        "patient": standing.patient(),
        "regimen": standing.regimen(),
        "candidates": in_words(offers),
        "text": standing.rendering.text(offers.words, evidence, count),
    }


def in_words(offers: Offers) -> list[Candidate]:
    """Candidates as an observation has them, without a check of their values."""
    return all_trusted(
        Candidate,
        [
            {"candidate_id": name, "action_type": kind, "targets": [*targets], "text": text}
            for name, (kind, targets, text, _) in zip(offers.ids, offers.words, strict=True)
        ],
    )


@lru_cache(maxsize=4096)
def written_columns(raw: bytes) -> bytes:
    """The thirteen columns and their channels as members of a JSON object; many steps have the same ones.

    Args:
        raw: the columns as the engine holds them.
    """
    columns = dict(zip(COLUMNS, memoryview(raw).cast("d").tolist(), strict=True))
    return orjson.dumps({"columns": columns, "channels": channels(columns)})[1:-1]


NO_COLUMNS = b'"columns":{},"channels":{}'
