"""`PolyGuardEnv`: reset, step, state, fork and tasks. Same seed, same bytes, in any process."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np

from polyguard_env.environment import checkpoint
from polyguard_env.environment.candidates import offers
from polyguard_env.environment.episode import EpisodeState, Scenario, start
from polyguard_env.environment.evidence import EvidenceProvider, local_evidence, shown
from polyguard_env.environment.harm import expected_harm, harm_events
from polyguard_env.environment.messages import (
    Candidate,
    PolyGuardAction,
    PolyGuardObservation,
    PolyGuardState,
)
from polyguard_env.environment.potential import Risk, assess, dangerous_combinations
from polyguard_env.environment.reading import read_answer
from polyguard_env.environment.render import compact_text, known_patient, known_regimen
from polyguard_env.environment.scenarios import ScenarioFactory, scenario_factory
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.reward.verifier import Board, Outlook, Verdict, board, supporting_facts, verdict
from polyguard_env.risk.review import rule_index


class PolyGuardEnv:
    """One episode at a time over a knowledge base.

    Args:
        knowledge: where the facts come from; the packaged snapshot when None.
        evidence: where look-ups go; the local provider when None.
    """

    def __init__(self, knowledge: KnowledgeBase | None = None, evidence: EvidenceProvider | None = None) -> None:
        self.knowledge = knowledge if knowledge is not None else KnowledgeBase.default()
        self.evidence: EvidenceProvider = evidence if evidence is not None else local_evidence(self.knowledge)
        self.index = rule_index(self.knowledge)
        self.factory: ScenarioFactory = scenario_factory(self.knowledge)
        self._scenario: Scenario | None = None
        self._state: EpisodeState | None = None
        self._risk: Risk | None = None
        self._board: Board | None = None
        self._seed = 0
        self._episode_id = ""
        self._events: list[dict[str, Any]] = []
        self._rewards: list[float] = []
        self._hazard = (0.0, 0.0)
        self._verdict: Verdict | None = None

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        difficulty: str = "easy",
        sub_environment: str | None = None,
        scenario_id: str | None = None,
        patient_id: str | None = None,
        split: str = "train",
    ) -> PolyGuardObservation:
        """Start an episode.

        Args:
            seed: seeds candidate order, ids and harm events; also picks the scenario when no
                `scenario_id` is given. 0 when None.
            scenario_id: replay this very scenario, for example "train-DDI-easy-000012".
            patient_id: pick the scenario of this patient (same numbering as the scenario id's last part).

        Raises:
            PolyGuardError: an unknown difficulty, split, sub-environment, scenario or patient.
        """
        self._seed = _checked_seed(seed)
        scenario = self.factory.find(
            scenario_id,
            seed=self._seed,
            split=split,
            sub_environment=sub_environment,
            difficulty=difficulty,
            patient_id=patient_id,
        )
        self._scenario = scenario
        self._episode_id = episode_id or f"{scenario.scenario_id}@{self._seed}"
        self._events, self._rewards, self._verdict = [], [], None
        self._hazard = (0.0, 0.0)
        self._enter(start(scenario, self.index))
        return self._observe()

    def step(self, action: PolyGuardAction) -> PolyGuardObservation:
        """Take one action and observe the result.

        An answer that names no candidate is priced as malformed and changes nothing but the step count.

        Raises:
            PolyGuardError: no episode is running, or it has ended.
        """
        scenario, state, view = self._running()
        chosen, reasons = read_answer(action, view.candidates)
        judged = verdict(view, chosen, action, state, scenario, self.index, reasons)
        outcome = view.outcomes[chosen] if chosen is not None else None
        after = outcome.state if outcome else checkpoint.idle(state, scenario)
        risk = outcome.risk if outcome else view.risk
        self._verdict = judged
        self._rewards.append(judged.reward)
        ended = after.finished or after.step >= scenario.budget
        self._events += harm_events(risk, state.day, after.day, self._seed, scenario, final=ended)
        added = expected_harm(risk, state.day, after.day, final=ended)
        self._hazard = (self._hazard[0] + added[0], self._hazard[1] + added[1])
        self._enter(after, risk)
        return self._observe()

    @property
    def done(self) -> bool:
        """True when no episode is running or it has ended."""
        if self._state is None or self._scenario is None:
            return True
        return self._state.finished or self._state.step >= self._scenario.budget

    @property
    def state(self) -> PolyGuardState:
        """The public state of the episode."""
        if self._state is None or self._scenario is None:
            return PolyGuardState(knowledge_fingerprint=self.knowledge.fingerprint)
        return PolyGuardState(
            episode_id=self._episode_id,
            scenario_id=self._scenario.scenario_id,
            sub_environment=self._scenario.sub_environment,
            difficulty=self._scenario.difficulty,
            seed=self._seed,
            step_count=self._state.step,
            day=self._state.day,
            done=self.done,
            regimen={drug_id: taken.dose for drug_id, taken in self._state.regimen.items()},
            harm_events=len(self._events),
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
        return self._hazard

    def episode_reward(self) -> float:
        """Mean step reward over the budget; the closing step's reward stands for the steps not used."""
        scenario = self._running_scenario()
        if not self._rewards:
            raise PolyGuardError("episode", self._episode_id, "take a step before asking for its reward")
        unused = scenario.budget - len(self._rewards)
        return (sum(self._rewards) + unused * self._rewards[-1]) / scenario.budget

    def legal_candidate_ids(self) -> list[str]:
        """Ids of the legal candidates of this step (privileged)."""
        view = self._running()[2]
        return [c.candidate_id for c, o in zip(view.candidates, view.outcomes, strict=True) if o]

    def price(self) -> dict[str, float]:
        """The reward each candidate of this step would get, by id (privileged; changes nothing).

        Confidence is priced as stated with certainty and no evidence is cited.
        """
        scenario, state, view = self._running()
        return {
            candidate.candidate_id: verdict(
                view,
                place,
                PolyGuardAction(candidate_id=candidate.candidate_id, confidence=1.0),
                state,
                scenario,
                self.index,
            ).reward
            for place, candidate in enumerate(view.candidates)
        }

    def supporting_facts(self, candidate_id: str) -> list[str]:
        """Fact ids that support a legal candidate, at most 8 (privileged)."""
        _, state, view = self._running()
        place = next((i for i, c in enumerate(view.candidates) if c.candidate_id == candidate_id), None)
        outcome = view.outcomes[place] if place is not None else None
        if outcome is None:
            raise PolyGuardError("candidate_id", candidate_id, "use a legal candidate of this step")
        return sorted(supporting_facts(view, outcome, state, self.index))[:8]

    def price_malformed(self) -> float:
        """The reward of an answer that names no candidate (privileged)."""
        scenario, state, view = self._running()
        return verdict(view, None, PolyGuardAction(), state, scenario, self.index).reward

    def get_state(self) -> dict[str, Any]:
        """A JSON-able checkpoint of the episode; `set_state` continues from it, here or elsewhere."""
        scenario, state = self._running_scenario(), self._state
        assert state is not None
        return {
            "scenario_id": scenario.scenario_id,
            "seed": self._seed,
            "episode_id": self._episode_id,
            "events": list(self._events),
            "rewards": list(self._rewards),
            "episode": checkpoint.dump(state),
            "knowledge_fingerprint": self.knowledge.fingerprint,
        }

    def set_state(self, saved: dict[str, Any]) -> PolyGuardObservation:
        """Continue from a checkpoint.

        Raises:
            PolyGuardError: a field is missing or malformed, or the knowledge differs.
        """
        fields = checkpoint.checked(saved, self.knowledge.fingerprint)
        self._scenario = self.factory.find(fields["scenario_id"])
        self._seed = _checked_seed(fields["seed"])
        self._episode_id = str(fields["episode_id"])
        self._events, self._rewards = list(fields["events"]), [float(r) for r in fields["rewards"]]
        self._verdict = None
        self._enter(checkpoint.load(fields["episode"]))
        return self._observe()

    def list_tasks(self) -> list[dict[str, Any]]:
        """The tasks on offer: one per split, sub-environment and difficulty."""
        return self.factory.tasks()

    def get_task(self, task_id: str) -> dict[str, Any]:
        """One task by id, for example "train-DDI-easy"."""
        for task in self.factory.tasks():
            if task["task_id"] == task_id:
                return task
        raise PolyGuardError("task_id", task_id, "use an id from list_tasks()")

    def _running_scenario(self) -> Scenario:
        if self._scenario is None:
            raise PolyGuardError("episode", None, "call reset() before this")
        return self._scenario

    def _running(self) -> tuple[Scenario, EpisodeState, Board]:
        scenario = self._running_scenario()
        if self._state is None or self._board is None:
            raise PolyGuardError("episode", self._episode_id, "the episode has ended; call reset()")
        return scenario, self._state, self._board

    def _enter(self, state: EpisodeState, risk: Risk | None = None) -> None:
        """Make `state` current: assess it, unless its risk is known, and lay out its candidates."""
        scenario = self._running_scenario()
        self._state = state
        self._risk = risk if risk is not None else assess(state, scenario, self.index)
        self._board = None
        if not self.done:
            rng = _rng(scenario.scenario_id, self._seed, state.step)
            outlook = Outlook(state, self._risk, scenario, self.index)
            found = offers(state, self._risk, scenario, self.index, rng, outlook.value)
            ids = rng.choice(90_000, size=len(found), replace=False) + 10_000
            candidates = [
                Candidate(
                    candidate_id=f"c{int(number)}",
                    action_type=offer.action_type,
                    targets=list(offer.targets),
                    text=offer.text,
                )
                for number, offer in zip(ids, found, strict=True)
            ]
            self._board = board(candidates, found, outlook)

    def _evidence(self, state: EpisodeState, scenario: Scenario) -> list[dict[str, Any]]:
        """What look-ups and tests have brought, in the order asked."""
        found = [shown(passage) for topic in state.evidence for passage in self.evidence.fetch(scenario, topic)]
        if state.tested:
            dangerous = {"+".join(finding.drugs) for finding in dangerous_combinations(scenario, self.index)}
            for name in sorted(state.tested):
                words = f"{name.replace('+', ' + ')}: {'dangerous' if name in dangerous else 'no danger found'}"
                found.append({"id": f"test:{name}", "source": "test", "year": None, "text": words})
        return found

    def _observe(self) -> PolyGuardObservation:
        scenario, state = self._running_scenario(), self._state
        assert state is not None
        patient = known_patient(state, scenario, self.index)
        regimen = known_regimen(state, scenario, self.index)
        candidates = list(self._board.candidates) if self._board else []
        evidence = self._evidence(state, scenario)
        judged = self._verdict
        info: dict[str, Any] = {"harm_events": len(self._events)}
        if judged:
            info |= {"legal": judged.legal, "reasons": list(judged.reasons)}
        if self.done:
            info |= {"events": list(self._events), "episode_reward": self.episode_reward()}
        return PolyGuardObservation(
            episode_id=self._episode_id,
            scenario_id=scenario.scenario_id,
            sub_environment=scenario.sub_environment,
            difficulty=scenario.difficulty,
            day=state.day,
            steps_left=scenario.budget - state.step,
            patient=patient,
            regimen=regimen,
            candidates=candidates,
            evidence=evidence,
            text=compact_text(patient, regimen, candidates, state, scenario, self.index, evidence),
            done=self.done,
            reward=judged.reward if judged else None,
            columns=judged.columns if judged else {},
            channels=judged.channels if judged else {},
            info=info,
        )


def _checked_seed(seed: object) -> int:
    if seed is None:
        return 0
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise PolyGuardError("seed", seed, "give a whole number from 0 to 2^63 - 1")
    return seed


def _rng(scenario_id: str, seed: int, step: int) -> np.random.Generator:
    digest = blake2b(f"{scenario_id}|{seed}|{step}".encode(), digest_size=16, person=b"candidates").digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))
