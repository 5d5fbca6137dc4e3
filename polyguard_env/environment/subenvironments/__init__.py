"""The sub-environments: what each declares. Each one's scenario generator is the module of its name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SubEnvironment:
    """A family of scenarios. Its generator is compiled: `pose` of the module of its name.

    Attributes:
        name: id used in scenario ids and reports.
        description: one sentence for people.
        budgets: steps by difficulty. step_days: days a step takes.
    """

    name: str
    description: str
    budgets: dict[str, int]
    step_days: int


SPECS: dict[str, SubEnvironment] = {
    spec.name: spec
    for spec in (
        SubEnvironment(
            name="DDI",
            description="Find the dangerous drug pair from the drugs' roles and resolve it.",
            budgets={"easy": 2, "medium": 2, "hard": 4},
            step_days=14,
        ),
        SubEnvironment(
            name="BANDIT_MINING",
            description="Find the dangerous drug combinations of a pool with few tests.",
            budgets={"easy": 3, "medium": 4, "hard": 6},
            step_days=1,
        ),
        SubEnvironment(
            name="REGIMEN_RISK",
            description="Put right a whole regimen: doses, duplicates, conflicts with diseases, interactions, burden.",
            budgets={"easy": 2, "medium": 4, "hard": 6},
            step_days=14,
        ),
        SubEnvironment(
            name="PRECISION_DOSING",
            description="Fit doses to kidneys, liver and genotype; order the decisive lab where it is missing.",
            budgets={"easy": 3, "medium": 3, "hard": 5},
            step_days=7,
        ),
        SubEnvironment(
            name="LONGITUDINAL_DEPRESCRIBING",
            description="Taper drugs whose harm outweighs their use, without withdrawal.",
            budgets={"easy": 5, "medium": 6, "hard": 9},
            step_days=14,
        ),
        SubEnvironment(
            name="WEB_SEARCH_MISSING_DATA",
            description="Look up what is not on file about a drug or a person, then act on it, or leave well alone.",
            budgets={"easy": 3, "medium": 4, "hard": 6},
            step_days=7,
        ),
        SubEnvironment(
            name="ALTERNATIVE_SUGGESTION",
            description="Suggest the substitute that fits this person's conditions, allergies, organs and other drugs.",
            budgets={"easy": 2, "medium": 2, "hard": 4},
            step_days=14,
        ),
        SubEnvironment(
            name="NEW_DRUG_DECOMPOSITION",
            description="Take an unseen product apart and judge its ingredients beside the rest of the regimen.",
            budgets={"easy": 3, "medium": 4, "hard": 5},
            step_days=7,
        ),
    )
}
