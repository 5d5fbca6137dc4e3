"""What a sub-environment declares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from polyguard_env.environment.drafting import Draft


@dataclass(frozen=True, slots=True)
class Posed:
    """The problem a scenario generator has set up in a draft.

    Attributes:
        target_drugs: the drugs it is about.
        mechanism: the interaction's mechanism or the kind of problem.
        hidden: measurement ids and "indication:<drug_id>" the agent does not see at first.
    """

    target_drugs: tuple[str, ...]
    mechanism: str
    hidden: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SubEnvironment:
    """A family of scenarios.

    Attributes:
        name: id used in scenario ids and reports.
        description: one sentence for people.
        budgets: steps by difficulty. step_days: days a step takes.
        pose: sets up a problem in a draft, or returns None when the draw did not work out.
    """

    name: str
    description: str
    budgets: dict[str, int]
    step_days: int
    pose: Callable[[Draft, str], Posed | None]
