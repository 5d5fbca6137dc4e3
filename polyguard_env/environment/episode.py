"""What an episode is made of: the scenario it starts from, and a drug as it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from polyguard_env.patients.model import Patient


@dataclass(frozen=True, slots=True)
class Product:
    """A new product in a regimen; until taken apart, the agent sees its name and not its ingredients.

    Attributes:
        drug_ids: its ingredients, each an entry of the regimen.
    """

    name: str
    drug_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Where an episode starts. Regenerated from its id and the knowledge base alone.

    Attributes:
        hidden: what the agent does not see at first: measurement ids, "indication:<drug_id>",
            "facts:<drug_id>", "allergies" and "product:<name>".
        pair_split: which split's interaction pairs may occur, "train", "validation" or "holdout".
        mechanism: mechanism of the target interaction, or the kind of problem posed.
        unseen_mechanism: True when training never poses this mechanism.
        budget: steps the agent has. step_days: days that pass per step.
        control: a matched control: nothing should change.
        explicit: the two drugs of a target pair carry its mechanism as the same role.
        products: new products of the regimen.
        combinations: sets of drugs that may be tested; the regimen is then the pool under study.
    """

    scenario_id: str
    split: str
    sub_environment: str
    difficulty: str
    patient: Patient
    hidden: frozenset[str]
    target_drugs: tuple[str, ...]
    mechanism: str
    unseen_mechanism: bool
    budget: int
    step_days: int
    control: bool = False
    explicit: bool = False
    products: tuple[Product, ...] = ()
    combinations: tuple[tuple[str, ...], ...] = ()


class Taken(NamedTuple):
    """A drug as it stands in the episode; doses are daily totals.

    Attributes:
        held: withheld for now. course: taken for a short course that ends by itself.
    """

    dose: float
    initial_dose: float
    indication: str
    days: int
    tapering: bool = False
    held: bool = False
    course: bool = False

    @property
    def fraction(self) -> float:
        return self.dose / self.initial_dose if self.initial_dose > 0 else 1.0
