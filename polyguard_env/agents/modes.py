"""How the agents work together. Every mode ends with an action that the critic let pass, or with abstention."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from polyguard_env.agents.agent import Registry
from polyguard_env.agents.board import ABLATIONS, Board, Chooser, Note, Search
from polyguard_env.agents.clinical import Dosing, Evidence, GraphSafety, MedRec
from polyguard_env.agents.deciding import Critic, Explainer, Planner, complaints
from polyguard_env.agents.weighing import CandidateForecasts, Supervisor, of_route, ranking
from polyguard_env.environment.messages import ActionType, Candidate, PolyGuardAction, PolyGuardObservation
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.policies.policy import answer

AGENTS = Registry()
for _agent in (
    MedRec(), Evidence(), GraphSafety(), Dosing(), CandidateForecasts(), Supervisor(), Planner(), Critic(), Explainer(),
):  # fmt: skip
    AGENTS.add(_agent)

LOOKING = ("MedRec", "Evidence", "GraphSafety", "Dosing", "Candidate", "Supervisor")
# What is done when every choice was vetoed, the first that is offered.
ABSTENTION = (ActionType.REQUEST_SPECIALIST_REVIEW, ActionType.KEEP_REGIMEN, ActionType.FINISH)
MOST_REPLANS = 3
ABSTAINED_CONFIDENCE = 0.1


@dataclass(frozen=True, slots=True)
class Decision:
    """What the agents decided for one step.

    Attributes:
        mode, chooser: how, and who chose.
        candidate: the candidate taken. action: to pass to the environment.
        route: what the supervisor said was due.
        vetoes: what the critic refused on the way.
        abstained: True when every choice was refused and the safest idle candidate was taken instead.
        explanation: for a person.
        trace: each agent's note, in order.
        without: parts taken away.
    """

    mode: str
    chooser: str
    candidate: Candidate
    action: PolyGuardAction
    route: str
    vetoes: tuple[dict[str, Any], ...]
    abstained: bool
    explanation: str
    trace: tuple[Note, ...]
    without: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON values only."""
        return {
            "mode": self.mode, "chooser": self.chooser, "candidate": self.candidate.model_dump(mode="json"),
            "action": self.action.model_dump(mode="json"), "route": self.route, "vetoes": list(self.vetoes),
            "abstained": self.abstained, "explanation": self.explanation,
            "trace": [note.to_dict() for note in self.trace], "without": list(self.without),
        }  # fmt: skip


def decide(
    observation: PolyGuardObservation,
    knowledge: KnowledgeBase,
    chooser: Chooser,
    mode: str = "sequential_pipeline",
    search: Search | None = None,
    without: Iterable[str] = (),
) -> Decision:
    """One step, decided by the agents.

    Args:
        observation: of a running episode.
        knowledge: what the agents look up; the interactions in it are not part of the observation.
        chooser: who picks for the planner.
        mode: one of `MODES`.
        without: parts to leave out (see `ABLATIONS`).

    Raises:
        PolyGuardError: an unknown mode or part, or an episode that is over.
    """
    if mode not in MODES:
        raise PolyGuardError("mode", mode, f"use one of {', '.join(MODES)}")
    board = Board(observation, knowledge, chooser, search, frozenset(without))
    for name in LOOKING:
        _ask(name, board)
    if "supervisor" in board.without:
        board.route = ""
    abstained = MODES[mode](board)
    _ask("Explainer", board)
    assert board.action is not None
    vetoes = tuple(
        {
            "candidate_id": veto.candidate_id, "text": veto.text,
            "reasons": [{"reason": name, "text": text} for name, text in veto.reasons],
        }
        for veto in board.vetoes
    )  # fmt: skip
    return Decision(
        mode=mode, chooser=chooser.name, candidate=board.chosen(), action=board.action, route=board.route,
        vetoes=vetoes, abstained=abstained, explanation=board.notes[-1].says, trace=tuple(board.notes),
        without=tuple(sorted(board.without)),
    )  # fmt: skip


def sequential_pipeline(board: Board) -> bool:
    """Every agent once; a vetoed choice is replaced by abstention."""
    return _plan_once(board)


def supervisor_routed(board: Board) -> bool:
    """The planner sees only the candidates of the supervisor's route; a veto means abstention."""
    if board.route:
        kept = of_route(board.allowed, board.route)
        others = [c for c in kept if c.action_type is not ActionType.FINISH]
        # A route without an action of its own would leave only the end of the episode.
        board.allowed = kept if others else board.allowed
    return _plan_once(board)


def replan_on_veto(board: Board) -> bool:
    """After a veto the planner chooses again among the rest, a few times."""
    for _ in range(MOST_REPLANS + 1):
        if not _is_vetoed(board):
            return False
        refused = {veto.candidate_id for veto in board.vetoes}
        board.allowed = [c for c in board.allowed if c.candidate_id not in refused]
        if not board.allowed:
            break
    return _abstain(board)


def lightweight_debate(board: Board) -> bool:
    """The planner's choice and the best forecast are held against each other; the one with more for it is taken."""
    _ask("Planner", board)
    mine = board.chosen()
    rival = ranking(board)[0].candidate
    votes = {c.candidate_id: _standing(c, board) for c in (mine, rival)}
    winner = max((mine, rival), key=lambda c: votes[c.candidate_id])
    said = (
        f"both say {mine.text}"
        if mine == rival
        else f"{board.chooser.name} says {mine.text}, the forecasts say {rival.text}: {winner.text} stands"
    )
    sides = [
        {"side": side, "candidate_id": c.candidate_id, "text": c.text, "standing": round(votes[c.candidate_id], 3)}
        for side, c in (("planner", mine), ("forecasts", rival))
    ]
    board.notes.append(Note("Debate", said, {"sides": sides, "winner": winner.candidate_id}))
    if winner != mine:
        board.action = answer(winner, board.observation, (board.action.confidence if board.action else None) or 0.5)
    return _abstain(board) if _criticised(board) else False


MODES: dict[str, Callable[[Board], bool]] = {
    "sequential_pipeline": sequential_pipeline,
    "supervisor_routed": supervisor_routed,
    "replan_on_veto": replan_on_veto,
    "lightweight_debate": lightweight_debate,
}


def _ask(name: str, board: Board) -> None:
    """Let an agent speak, unless an ablation silences it."""
    if name not in {ABLATIONS[part] for part in board.without}:
        board.notes.append(AGENTS[name].run(board))


def _criticised(board: Board) -> bool:
    """True when the critic vetoes the choice at hand."""
    before = len(board.vetoes)
    _ask("Critic", board)
    return len(board.vetoes) > before


def _is_vetoed(board: Board) -> bool:
    _ask("Planner", board)
    return _criticised(board)


def _plan_once(board: Board) -> bool:
    return _abstain(board) if _is_vetoed(board) else False


def _abstain(board: Board) -> bool:
    """Take the safest idle candidate instead of what was vetoed."""
    refused = {veto.candidate_id for veto in board.vetoes}
    idle = [c for kind in ABSTENTION for c in board.observation.candidates if c.action_type is kind]
    kept = [c for c in idle if c.candidate_id not in refused] or idle or [ranking(board)[0].candidate]
    board.action = answer(kept[0], board.observation, ABSTAINED_CONFIDENCE)
    board.notes.append(Note("Critic", f"abstains: {kept[0].text}", {"candidate_id": kept[0].candidate_id}))
    return True


def _standing(candidate: Candidate, board: Board) -> float:
    """What speaks for a candidate: its forecast, less a point for each complaint."""
    return board.forecasts[candidate.candidate_id].value - len(complaints(candidate, board))
