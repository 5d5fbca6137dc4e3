"""REGIMEN_RISK: whole regimens of 5 to 20 drugs with one to three problems, under trade-offs and indications.

A stop costs what the drug is needed for, so that reducing, switching and keeping are often the better answer.
"""

from __future__ import annotations

from polyguard_env.environment.drafting import Draft
from polyguard_env.environment.subenvironments.problems import PROBLEMS
from polyguard_env.environment.subenvironments.spec import CONTROL, Posed, SubEnvironment

DRUGS = {"easy": (5, 7), "medium": (8, 12), "hard": (13, 20)}
COUNT = {"easy": 1, "medium": 2, "hard": 3}
# Doubled drugs are seldom severe, so they are drawn half as often as the other kinds.
DRAWN = [kind for kind in sorted(PROBLEMS) for _ in range(1 if kind == "duplication" else 2)]
HIDE_KIDNEYS = {"easy": 0.0, "medium": 0.15, "hard": 0.35}


def pose(draft: Draft, difficulty: str) -> Posed | None:
    """One to three problems of different kinds, then bystanders; their lures in a control."""
    shape = draft.shape.rng
    count = shape.randint(*DRUGS[difficulty])
    hidden = frozenset({"creatinine"}) if shape.random() < HIDE_KIDNEYS[difficulty] else frozenset()
    kinds: list[str] = []
    while len(kinds) < COUNT[difficulty]:
        kind = shape.choice(DRAWN)
        kinds += [kind] if kind not in kinds else []
    targets: list[str] = []
    # Falls and kidneys are set before drugs are drawn that would fall foul of them.
    for kind in sorted(kinds, key=lambda name: name not in ("sedative_with_falls", "renal")):
        found = PROBLEMS[kind](draft)
        if found is None:
            return None
        targets += found
    if not draft.fill(count, draft.pool.weights):
        return None
    return Posed(tuple(targets), CONTROL if draft.control else kinds[0], hidden)


SPEC = SubEnvironment(
    name="REGIMEN_RISK",
    description="Put right a whole regimen: doses, duplicates, drug-disease conflicts, interactions and burden.",
    budgets={"easy": 2, "medium": 4, "hard": 6},
    step_days=14,
    pose=pose,
)
