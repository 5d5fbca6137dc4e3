"""What a sub-environment declares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from polyguard_env.environment.drafting import Draft
from polyguard_env.environment.episode import Product


@dataclass(frozen=True, slots=True)
class Posed:
    """The problem a scenario generator has set up in a draft.

    Attributes:
        target_drugs: the drugs it is about; none in a control.
        mechanism: the interaction's mechanism, the kind of problem, or "control".
        hidden: what the agent does not see at first (see `Scenario.hidden`).
        explicit: the target pair carries its mechanism as one role on both drugs.
        products: new products of the regimen.
        combinations: sets of drugs that may be tested.
    """

    target_drugs: tuple[str, ...]
    mechanism: str
    hidden: frozenset[str] = frozenset()
    explicit: bool = False
    products: tuple[Product, ...] = ()
    combinations: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class SubEnvironment:
    """A family of scenarios.

    Attributes:
        name: id used in scenario ids and reports.
        description: one sentence for people.
        budgets: steps by difficulty. step_days: days a step takes.
        pose: sets up a problem, or its matched control, in a draft; None when the draw did not work out.
    """

    name: str
    description: str
    budgets: dict[str, int]
    step_days: int
    pose: Callable[[Draft, str], Posed | None]


CONTROL = "control"
