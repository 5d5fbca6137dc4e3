"""PRECISION_DOSING: the dose for these kidneys, this liver and genotype; too little is as wrong as too much.

Kidneys follow from creatinine, age, sex and weight. The creatinine may be missing: it must be ordered before a dose
that hangs on it is changed. In a control every dose is right, low or high as it may look.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from polyguard_env.environment.drafting import Draft
from polyguard_env.environment.subenvironments.problems import above_maximum, breaks
from polyguard_env.environment.subenvironments.spec import CONTROL, Posed, SubEnvironment
from polyguard_env.knowledge.schema import SEVERITY_RANK, Rule
from polyguard_env.patients.model import RegimenItem
from polyguard_env.risk.review import dosing_findings

DRUGS = {"easy": (2, 3), "medium": (3, 3), "hard": (3, 4)}
COUNT = {"easy": 1, "medium": 1, "hard": 2}
HIDE_KIDNEYS = {"easy": 0.25, "medium": 0.4, "hard": 0.6}
NARROW_WEIGHT = 4.0
UNDER_SHARES = (0.2, 0.25, 0.33)
LEAST_NEED = 2.0
DRAWS = 12
GRADES = ("A", "B", "B", "C")


def pose(draft: Draft, difficulty: str) -> Posed | None:
    """One wrong dose (two when hard) among right ones; right ones alone in a control."""
    shape = draft.shape.rng
    count = shape.randint(*DRUGS[difficulty])
    hidden = frozenset({"creatinine"}) if shape.random() < HIDE_KIDNEYS[difficulty] else frozenset()
    kinds = shape.sample(tuple(KINDS), COUNT[difficulty], counts=tuple(SHARES.values()))
    if len(set(kinds)) < len(kinds) or {"renal", "under_treatment"} <= set(kinds):
        kinds = ["renal", "excess_dose"]
    grade = GRADES[shape.randrange(len(GRADES))]
    draft.set_kidneys(low="renal" in kinds or ("under_treatment" not in kinds and shape.random() < 0.5))
    if "hepatic" in kinds:
        draft.set_liver(grade)
    targets: list[str] = []
    for kind in kinds:
        found = KINDS[kind](draft)
        if found is None:
            return None
        targets += found
    if not draft.fill(count, _weights(draft)):
        return None
    return Posed(tuple(targets), CONTROL if draft.control else kinds[0], hidden)


def _weights(draft: Draft) -> np.ndarray:
    """By use, narrow-index drugs more often, shape (n,)."""
    pool = draft.pool
    return np.asarray(pool.weights * np.where(pool.narrow, NARROW_WEIGHT, 1.0))


def _for_organ(draft: Draft, kind: str, carriers: np.ndarray) -> list[str] | None:
    """A drug above what an organ allows, or that it does not allow at all; a fitting dose in a control."""
    pool, weights = draft.pool, _weights(draft)
    if draft.control:
        return [] if draft.add_quiet(weights, carriers) else None
    for _ in range(DRAWS):
        drug_id = draft.draw(draft.apart() & carriers, weights)
        if drug_id is None:
            return None
        dose = pool.profiles[pool.place[drug_id]].dose_usual
        if breaks(draft, drug_id, dose, kind):
            return [drug_id] if draft.add(drug_id, dose=dose) else None
    return None


def too_much_for_kidneys(draft: Draft) -> list[str] | None:
    """A dose above what the kidneys allow."""
    return _for_organ(draft, "renal", draft.pool.kidney)


def too_much_for_liver(draft: Draft) -> list[str] | None:
    """A dose above what the liver allows."""
    return _for_organ(draft, "hepatic", draft.pool.liver)


def too_little(draft: Draft) -> list[str] | None:
    """A dose far below the lowest usual one with kidneys that allow it; the lowest usual dose in a control."""
    pool, weights = draft.pool, _weights(draft)
    needed = pool.need(draft.sex) >= LEAST_NEED
    draft.mild = True
    for _ in range(DRAWS):
        drug_id = draft.draw(draft.quiet() & needed, weights)
        if drug_id is None:
            return None
        lowest = pool.profiles[pool.place[drug_id]].dose_min
        if dosing_findings(RegimenItem(drug_id, lowest), draft.patient, draft.kidneys, draft.index):
            continue
        share = UNDER_SHARES[draft.rng.randrange(len(UNDER_SHARES))]
        dose = lowest if draft.control else float(f"{lowest * share:.3g}")
        if not draft.add(drug_id, dose=dose):
            return None
        return [] if draft.control else [drug_id]
    return None


def wrong_for_genotype(draft: Draft) -> list[str] | None:
    """A drug the person's genotype calls for another dose of, or another drug; the genotype alone in a control."""
    pool = draft.pool
    carriers = np.array([any(SEVERITY_RANK[r.severity] >= draft.least for r in found) for found in pool.genes])
    drug_id = draft.draw((draft.quiet() if draft.control else draft.apart()) & carriers, _weights(draft))
    if drug_id is None:
        return None
    rules = [rule for rule in pool.genes[pool.place[drug_id]] if SEVERITY_RANK[rule.severity] >= draft.least]
    if not rules:
        return None
    rule: Rule = rules[draft.rng.randrange(len(rules))]
    draft.set_genotype(rule.fields["gene"], rule.fields["phenotype"])
    if draft.control:
        # The genotype speaks against the drug drawn, so other drugs are taken.
        unaffected = np.array([not _affects(found, draft) for found in pool.genes])
        return [] if draft.add_quiet(_weights(draft), unaffected) else None
    return [drug_id] if draft.add(drug_id) else None


def _affects(rules: list[Rule], draft: Draft) -> bool:
    return any(draft.patient.genotype.get(rule.fields["gene"]) == rule.fields["phenotype"] for rule in rules)


KINDS: dict[str, Callable[[Draft], list[str] | None]] = {
    "renal": too_much_for_kidneys,
    "under_treatment": too_little,
    "excess_dose": above_maximum,
    "hepatic": too_much_for_liver,
    "genotype": wrong_for_genotype,
}
SHARES = {"renal": 7, "under_treatment": 4, "excess_dose": 4, "hepatic": 2, "genotype": 3}

SPEC = SubEnvironment(
    name="PRECISION_DOSING",
    description="Fit doses to kidneys, liver and genotype; order the decisive lab where it is missing.",
    budgets={"easy": 3, "medium": 3, "hard": 5},
    step_days=7,
    pose=pose,
)
