"""Kinds of problem a regimen can have. In a control each leaves its lure: the same circumstances, nothing wrong.

Each function adds what it needs to a draft and returns the drugs at fault; None when the draw did not work out.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from polyguard_env.environment.drafting import Draft
from polyguard_env.environment.pool import MODERATE
from polyguard_env.knowledge.schema import SEVERITY_RANK
from polyguard_env.patients.model import RegimenItem
from polyguard_env.risk.review import dosing_findings

SEVERE = ("contraindicated", "major")
ANY = ("contraindicated", "major", "moderate")
DRAWS = 8

Problem = Callable[[Draft], list[str] | None]


def excessive_for_kidneys(draft: Draft) -> list[str] | None:
    """A drug whose usual dose is too much for the person's kidneys; a fitting dose in a control."""
    draft.set_kidneys(low=True)
    pool = draft.pool
    if draft.control:
        return [] if draft.add_quiet(pool.weights, pool.kidney) else None
    for _ in range(DRAWS):
        drug_id = draft.draw(draft.apart() & pool.kidney)
        if drug_id is None:
            return None
        dose = pool.profiles[pool.place[drug_id]].dose_usual
        if breaks(draft, drug_id, dose, "renal"):
            return [drug_id] if draft.add(drug_id, dose=dose) else None
    return None


def breaks(draft: Draft, drug_id: str, dose: float, kind: str) -> bool:
    """True when a dose is too much for kidneys or liver, as severely as the draft asks, and wrong in no other way."""
    found = dosing_findings(RegimenItem(drug_id, dose), draft.patient, draft.kidneys, draft.index)
    return [SEVERITY_RANK[f.severity] >= draft.least for f in found if f.mechanism == kind] == [True] and len(
        found
    ) == 1


def wrong_for_disease(draft: Draft) -> list[str] | None:
    """A drug that a condition of the person speaks strongly against; the condition with other drugs in a control."""
    pool = draft.pool
    exposed = np.array([bool(names) for names in pool.against])
    for _ in range(DRAWS):
        drug_id = draft.draw(draft.apart() & exposed)
        if drug_id is None:
            return None
        condition = _free_condition(draft, drug_id)
        if condition is None:
            continue
        draft.pin(condition)
        if draft.control:
            return [] if draft.add_quiet(pool.weights, exposed) else None
        return [drug_id] if draft.add(drug_id) else None
    return None


def _free_condition(draft: Draft, drug_id: str) -> str | None:
    """A condition against the drug that calls for no treatment and speaks against nothing else present."""
    pool = draft.pool
    taken = [pool.place[name] for name in draft.drug_ids]
    free = [
        name
        for name in pool.against[pool.place[drug_id]]
        if pool.uncalled(name)
        and name != "cirrhosis"
        and not (pool.unsuits[taken, pool.condition_place[name]] >= MODERATE).any()
    ]
    return free[draft.rng.randrange(len(free))] if free else None


def doubled(draft: Draft) -> list[str] | None:
    """Two drugs of one class; two drugs of different classes in a control."""
    draft.mild = True
    pool = draft.pool
    twins = np.array([bool(pool.index.duplicates.get(drug_id)) for drug_id in pool.drugs])
    if draft.control:
        return [] if all(draft.add_quiet(pool.weights, twins) for _ in range(2)) else None
    first = draft.draw(draft.apart() & twins)
    if first is None:
        return None
    place = pool.place[first]
    second = draft.draw(draft.apart() & pool.doubled[place] & (pool.rank[place] == 0))
    if second is None or not (draft.add(first) and draft.add(second)):
        return None
    return [first, second]


def above_maximum(draft: Draft) -> list[str] | None:
    """A drug at twice its geriatric maximum; at its maximum in a control."""
    pool = draft.pool
    drug_id = draft.draw((draft.quiet() if draft.control else draft.apart()) & ~pool.kidney)
    if drug_id is None:
        return None
    dose = pool.profiles[pool.place[drug_id]].dose_max * (1 if draft.control else 2)
    if not draft.add(drug_id, dose=round(dose, 4)):
        return None
    return [] if draft.control else [drug_id]


def fall_risk(draft: Draft) -> list[str] | None:
    """A fall-risk drug without strong need in a person who falls; a person who falls in a control."""
    draft.fall()
    pool = draft.pool
    if draft.control:
        return [] if draft.add_quiet(pool.weights, pool.taper) else None
    drug_id = draft.draw(draft.apart() & (pool.fall >= draft.least) & (pool.burdensome >= 2))
    return [drug_id] if drug_id and draft.add(drug_id) else None


def interacting(draft: Draft, severities: tuple[str, ...] = SEVERE, explicit: bool | None = None) -> list[str] | None:
    """Two drugs that must not go together; two such drugs of different pairs in a control."""
    pool = draft.pool
    if draft.control:
        weights = pool.marginal(draft.split, severities)
        return [] if draft.fill(len(draft.regimen) + 2, weights) else None
    apart = draft.apart()
    for _ in range(DRAWS):
        pair = pool.draw_pair(draft.split, draft.rng, severities, explicit)
        if pair is None:
            return None
        if apart[pool.place[pair.drug_a]] and apart[pool.place[pair.drug_b]]:
            return [pair.drug_a, pair.drug_b] if draft.add(pair.drug_a) and draft.add(pair.drug_b) else None
    return None


PROBLEMS: dict[str, Problem] = {
    "renal": excessive_for_kidneys,
    "drug_disease": wrong_for_disease,
    "duplication": doubled,
    "excess_dose": above_maximum,
    "sedative_with_falls": fall_risk,
    "interaction": interacting,
}
