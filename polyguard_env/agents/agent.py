"""What an agent is, and the registry that later ones join."""

from __future__ import annotations

from typing import Protocol

from polyguard_env.agents.board import Board, Note
from polyguard_env.errors import PolyGuardError


class Agent(Protocol):
    """One specialist.

    Attributes:
        name: as in traces and reports.
        role: one sentence: what it looks at.
    """

    name: str
    role: str

    def run(self, board: Board) -> Note:
        """Look at the board, add to it and say what was found."""


class Registry:
    """Agents by name, in the order they joined."""

    def __init__(self) -> None:
        self._agents: dict[str, Agent] = {}

    def add(self, agent: Agent) -> None:
        """Let an agent join.

        Raises:
            PolyGuardError: its name is taken.
        """
        if agent.name in self._agents:
            raise PolyGuardError("agent", agent.name, "give it a name of its own")
        self._agents[agent.name] = agent

    def __getitem__(self, name: str) -> Agent:
        if name not in self._agents:
            raise PolyGuardError("agent", name, f"use one of {', '.join(self._agents)}")
        return self._agents[name]

    def names(self) -> tuple[str, ...]:
        """Names in the order they joined."""
        return tuple(self._agents)

    def roles(self) -> dict[str, str]:
        """What each looks at."""
        return {name: agent.role for name, agent in self._agents.items()}
