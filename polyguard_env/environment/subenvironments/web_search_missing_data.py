"""WEB_SEARCH_MISSING_DATA: a drug's own facts, or the chart, are not on file and must be looked up before acting.

In half the scenarios every drug without facts is innocent, so that not knowing a drug is no reason to change it. Of a
culprit pair neither drug's facts are on file, so that no partner can be changed instead of looking up.
"""

from __future__ import annotations

from polyguard_env.environment.drafting import Draft
from polyguard_env.environment.subenvironments.problems import ANY, SEVERE, interacting, wrong_for_disease
from polyguard_env.environment.subenvironments.spec import CONTROL, Posed, SubEnvironment

DRUGS = {"easy": (3, 3), "medium": (3, 4), "hard": (4, 5)}
UNKNOWN = {"easy": 1, "medium": 1, "hard": 2}
HIDE_CHART = {"easy": 0.0, "medium": 0.3, "hard": 0.4}
PAIR_SHARE = 0.6
# Of problems; with one in five a control, the unknown drugs are all innocent in half the scenarios.
CULPRIT_UNKNOWN = 0.625


def pose(draft: Draft, difficulty: str) -> Posed | None:
    """A pair or a drug against a condition, and one or two drugs without facts: the culprits among them, or not."""
    shape = draft.shape.rng
    count = shape.randint(*DRUGS[difficulty])
    severities = ANY if draft.mild and difficulty != "easy" else SEVERE
    pair, culprit = shape.random() < PAIR_SHARE, shape.random() < CULPRIT_UNKNOWN
    chart = shape.random() < HIDE_CHART[difficulty]
    targets = interacting(draft, severities) if pair else wrong_for_disease(draft)
    if targets is None or not draft.fill(count, draft.pool.marginal(draft.split, severities)):
        return None
    unknown = _unknown(draft, targets, culprit, max(UNKNOWN[difficulty], 2 if pair and culprit else 1))
    if unknown is None:
        return None
    hidden = {f"facts:{drug_id}" for drug_id in unknown}
    if chart:
        hidden |= {"allergies", *(f"indication:{drug_id}" for drug_id in draft.drug_ids)}
    mechanism = CONTROL if draft.control else _mechanism(draft, targets)
    return Posed(tuple(targets), mechanism, frozenset(hidden))


def _unknown(draft: Draft, targets: list[str], culprit: bool, count: int) -> list[str] | None:
    """The drugs whose facts are missing; with `culprit` the targets are among them, otherwise none is."""
    rng = draft.rng
    innocent = [drug_id for drug_id in draft.drug_ids if drug_id not in targets]
    rng.shuffle(innocent)
    chosen = list(targets) if culprit else []
    chosen += innocent[: max(0, count - len(chosen))]
    return chosen if len(chosen) == count else None


def _mechanism(draft: Draft, targets: list[str]) -> str:
    edge = draft.index.interaction(*targets) if len(targets) == 2 else None
    return edge.mechanism if edge else "drug_disease"


SPEC = SubEnvironment(
    name="WEB_SEARCH_MISSING_DATA",
    description="Look up what is not on file about a drug or a person, then act on it, or leave well alone.",
    budgets={"easy": 3, "medium": 4, "hard": 6},
    step_days=7,
    pose=pose,
)
