"""`PolyGuardEnv`: reset, step, state, fork and tasks. Same seed, same bytes, in any process."""

from __future__ import annotations

from typing import Any

from polyguard_env.engine.engine import engine_of
from polyguard_env.engine.episode import Episode
from polyguard_env.environment import checkpoint
from polyguard_env.environment.episode import Scenario
from polyguard_env.environment.evidence import EvidenceProvider, local_evidence, shown
from polyguard_env.environment.messages import (
    PolyGuardAction,
    PolyGuardObservation,
    PolyGuardState,
)
from polyguard_env.environment.reading import ID_MISMATCH, read_answer
from polyguard_env.environment.scenarios import ScenarioFactory, scenario_factory
from polyguard_env.environment.telling import Telling
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.reward.grounding import supporting_facts
from polyguard_env.risk.review import rule_index

MOST_FACTS = 8


class PolyGuardEnv(Telling):
    """One episode at a time over a knowledge base.

    The rules run in the compiled engine; what is here puts them in words.

    Args:
        knowledge: where the facts come from; the packaged snapshot when None.
        evidence: where look-ups go; the local provider when None.
    """

    def __init__(self, knowledge: KnowledgeBase | None = None, evidence: EvidenceProvider | None = None) -> None:
        super().__init__()
        self.knowledge = knowledge if knowledge is not None else KnowledgeBase.default()
        self.evidence: EvidenceProvider = evidence if evidence is not None else local_evidence(self.knowledge)
        self.index = rule_index(self.knowledge)
        self.engine = engine_of(self.knowledge)
        self.factory: ScenarioFactory = scenario_factory(self.knowledge)
        self._episode = Episode(self.engine)
        self._scenario: Scenario | None = None
        self._seed = 0
        self._episode_id = ""
        self._rewards: list[float] = []
        self._fetched: list[str] = []
        self._verdict: tuple[float, bool, tuple[str, ...]] | None = None

    def start(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        difficulty: str = "easy",
        sub_environment: str | None = None,
        scenario_id: str | None = None,
        patient_id: str | None = None,
        split: str = "train",
    ) -> None:
        """Start an episode and observe nothing; `observe` or `write` gives the observation.

        Args:
            seed: seeds candidate order, ids and harm events; also picks the scenario when no
                `scenario_id` is given. 0 when None.
            scenario_id: replay this very scenario, for example "train-DDI-easy-000012".
            patient_id: pick the scenario of this patient (same numbering as the scenario id's last part).

        Raises:
            PolyGuardError: an unknown difficulty, split, sub-environment, scenario or patient.
        """
        checked = _checked_seed(seed)
        scenario = self.factory.find(
            scenario_id,
            seed=checked,
            split=split,
            sub_environment=sub_environment,
            difficulty=difficulty,
            patient_id=patient_id,
        )
        self._episode.begin(scenario, checked)
        self._scenario, self._seed = scenario, checked
        self._episode_id = episode_id or f"{scenario.scenario_id}@{checked}"
        self._named_events, self._new_events = [], []
        self._rewards, self._verdict = [], None
        self._fetched, self._brought, self._passages = [], 0, []
        self._forget()
        self._head = b""

    def reset(self, *arguments: Any, **named: Any) -> PolyGuardObservation:
        """Start an episode, with the arguments of `start`, and observe it."""
        self.start(*arguments, **named)
        return self.observe()

    def step(self, action: PolyGuardAction) -> PolyGuardObservation:
        """Take one action, as `act`, and observe the result."""
        self.act(action)
        return self.observe()

    def act(self, action: PolyGuardAction) -> None:
        """Take one action and observe nothing; `observe` or `write` gives the observation.

        An answer that names no candidate is priced as malformed and changes nothing but the step count.

        Raises:
            PolyGuardError: no episode is running, or it has ended.
        """
        self._running()
        ids, words = self._offered()
        choice, reasons = read_answer(action, ids, words)
        cited = set(action.evidence_ids)
        hits, topic = 0, ""
        if choice is not None and self._episode.legal(choice):
            hits = len(cited & self._support(choice)) if cited else 0
            topic = self._episode.fetched(choice)
        self._take(-1 if choice is None else choice, topic, reasons, action.confidence, len(cited), hits)

    def advance(self, place: int) -> tuple[float, bool]:
        """Take the candidate at a place and observe nothing: what a caller of many episodes needs at each step.

        Args:
            place: among the candidates, from 0; one beyond them names none, as a wrong id does.

        Returns:
            The reward, and whether the episode has ended. `observe` gives the rest when it is wanted.

        Raises:
            PolyGuardError: no episode is running, or it has ended.
        """
        episode = self._episode
        if self._scenario is None or episode.ended:
            self._running()
        known = 0 <= place < episode.offered
        topic = episode.fetched(place) if known and episode.legal(place) else ""
        self._take(place if known else -1, topic, 0 if known else ID_MISMATCH, None, 0, 0)
        return self._rewards[-1], episode.ended

    @property
    def episode_id(self) -> str:
        """The running episode's id."""
        return self._episode_id

    @property
    def done(self) -> bool:
        """True when no episode is running or it has ended."""
        return self._scenario is None or self._episode.ended

    @property
    def state(self) -> PolyGuardState:
        """The public state of the episode."""
        if self._scenario is None:
            return PolyGuardState(knowledge_fingerprint=self.knowledge.fingerprint)
        state = self._episode.state
        return PolyGuardState(
            episode_id=self._episode_id,
            scenario_id=self._scenario.scenario_id,
            sub_environment=self._scenario.sub_environment,
            difficulty=self._scenario.difficulty,
            seed=self._seed,
            step_count=int(state["step"]),
            day=int(state["day"]),
            done=self.done,
            regimen=self._episode.doses(),
            harm_events=self.harm_events,
            total_reward=sum(self._rewards),
            knowledge_fingerprint=self.knowledge.fingerprint,
        )

    @property
    def scenario(self) -> Scenario:
        """The running scenario (privileged: holds what is hidden from the agent)."""
        return self._running_scenario()

    @property
    def hazard(self) -> tuple[float, float]:
        """Hazard of all harm events and of severe ones that the episode has built up since reset (privileged).

        The follow-up counts once the episode has ended. It is what harm events are drawn from, without the draw.
        """
        state = self._episode.state
        return float(state["hazard"]), float(state["severe_hazard"])

    def legal_candidate_ids(self) -> list[str]:
        """Ids of the legal candidates of this step (privileged)."""
        self._running()
        return [name for place, name in enumerate(self._offered()[0]) if self._episode.legal(place)]

    def price(self) -> dict[str, float]:
        """The reward each candidate of this step would get, by id (privileged; changes nothing).

        Confidence is priced as stated with certainty and no evidence is cited.
        """
        self._running()
        prices = self._episode.prices()
        return dict(zip(self._offered()[0], prices, strict=True))

    def supporting_facts(self, candidate_id: str) -> list[str]:
        """Fact ids that support a legal candidate, at most 8 (privileged)."""
        self._running()
        place = next((i for i, name in enumerate(self._offered()[0]) if name == candidate_id), None)
        if place is None or not self._episode.legal(place):
            raise PolyGuardError("candidate_id", candidate_id, "use a legal candidate of this step")
        return sorted(self._support(place))[:MOST_FACTS]

    def price_malformed(self) -> float:
        """The reward of an answer that names no candidate (privileged)."""
        self._running()
        return self._episode.price_unreadable()

    def get_state(self) -> dict[str, Any]:
        """A JSON-able checkpoint of the episode; `set_state` continues from it, here or elsewhere."""
        scenario = self._running_scenario()
        return {
            "scenario_id": scenario.scenario_id,
            "seed": self._seed,
            "episode_id": self._episode_id,
            "events": [dict(event) for event in self._events],
            "rewards": list(self._rewards),
            "fetched": list(self._fetched),
            "state": checkpoint.dump(self._episode),
            "knowledge_fingerprint": self.knowledge.fingerprint,
        }

    def set_state(self, saved: dict[str, Any]) -> PolyGuardObservation:
        """Continue from a checkpoint.

        Raises:
            PolyGuardError: a field is missing, unknown or out of range, or the knowledge differs.
        """
        fields = checkpoint.checked(saved, self.knowledge.fingerprint)
        scenario = self.factory.find(fields.scenario_id)
        episode = Episode(self.engine)
        episode.begin(scenario, fields.seed)
        checkpoint.load(episode, fields.state)
        passages = [shown(passage) for topic in fields.fetched for passage in self.evidence.fetch(scenario, topic)]
        self._episode, self._scenario = episode, scenario
        self._seed, self._episode_id = fields.seed, fields.episode_id
        self._named_events, self._new_events = [event.model_dump() for event in fields.events], []
        self._rewards, self._verdict = list(fields.rewards), None
        self._fetched, self._brought, self._passages = list(fields.fetched), len(fields.fetched), passages
        self._forget()
        self._head = b""
        return self.observe()

    def list_tasks(self) -> list[dict[str, Any]]:
        """The tasks on offer: one per split, sub-environment and difficulty."""
        return self.factory.tasks()

    def get_task(self, task_id: str) -> dict[str, Any]:
        """One task by id, for example "train-DDI-easy"."""
        for task in self.factory.tasks():
            if task["task_id"] == task_id:
                return task
        raise PolyGuardError("task_id", task_id, "use an id from list_tasks()")

    def _running(self) -> Scenario:
        scenario = self._running_scenario()
        if self._episode.ended:
            raise PolyGuardError("episode", self._episode_id, "the episode has ended; call reset()")
        return scenario

    def _forget(self) -> None:
        """The episode has moved on: what it offers is worked out anew."""
        self._offers = None

    def _take(self, choice: int, topic: str, reasons: int, confidence: float | None, cited: int, hits: int) -> None:
        """Take one action and note what it brought.

        Args:
            topic: what it looks up, "" for nothing; the rest as `Episode.take`.
        """
        reward, named, legal, events = self._episode.take(choice, reasons, confidence, cited, hits)
        if topic:
            self._fetched.append(topic)
        self._verdict = reward, legal, named
        self._rewards.append(reward)
        self._new_events += events
        self._forget()

    def _support(self, choice: int) -> set[str]:
        before, after = self._episode.compared(choice)
        return supporting_facts(before, after, self.index)


def _checked_seed(seed: object) -> int:
    if seed is None:
        return 0
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise PolyGuardError("seed", seed, "give a whole number from 0 to 2^63 - 1")
    return seed
