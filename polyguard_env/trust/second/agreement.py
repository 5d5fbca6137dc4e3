"""Holding the first implementation against the second: random people, random regimens, every finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.knowledge.base import KnowledgeBase, snapshot_folder
from polyguard_env.patients.model import Patient
from polyguard_env.policies.baselines import RandomLegal
from polyguard_env.risk.review import graded_findings
from polyguard_env.trust.second.findings import Found, findings
from polyguard_env.trust.second.legality import breach
from polyguard_env.trust.second.tables import Facts, cells, table

MOST_DRUGS = 14
OUTSIDE_FORMULARY = 0.05
COMMON = 0.5


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A finding that one checker makes and the other does not, or grades otherwise ("" is no finding)."""

    regimen: int
    finding_id: str
    first: str
    second: str


@lru_cache(maxsize=1)
def packaged_facts() -> Facts:
    """The raw tables, read once."""
    return Facts(snapshot_folder())


def random_person(number: int, seed: int, facts: Facts) -> dict[str, Any]:
    """A random older adult with a random regimen, as plain data.

    Half the drugs are drawn by use, so that regimens look prescribed; the others uniformly over the formulary, and
    some from outside it. Doses run from a quarter of the usual to three times the highest.
    """
    rng = np.random.Generator(np.random.PCG64([seed, number]))
    formulary, shares, others, conditions = pools(facts)
    drugs: list[str] = []
    for _ in range(int(rng.integers(1, MOST_DRUGS + 1))):
        draw = rng.random()
        if draw < OUTSIDE_FORMULARY:
            drug = others[int(rng.integers(len(others)))]
        elif draw < OUTSIDE_FORMULARY + COMMON:
            drug = formulary[int(np.searchsorted(shares, rng.random()))]
        else:
            drug = formulary[int(rng.integers(len(formulary)))]
        if drug not in drugs:
            drugs.append(drug)
    held = sorted({conditions[int(place)] for place in rng.integers(len(conditions), size=int(rng.integers(0, 9)))})
    regimen = []
    for drug in drugs:
        usual, high = facts.number(drug, "dose_usual"), facts.number(drug, "dose_max")
        levels = (None, usual / 4, usual, high, high * 1.0005, high * 1.2, high * 3) if usual else (None,)
        told = [c for c in cells(facts.profiles.get(drug, {}).get("indications", "")) if c in held]
        dose = levels[int(rng.integers(len(levels)))]
        indication = told[0] if told and rng.random() < 0.7 else ""
        regimen.append({"drug_id": drug, "dose": dose, "indication": indication, "days": int(rng.integers(0, 2000))})
    measurements: dict[str, float] = {}
    if rng.random() < 0.8:
        measurements["creatinine"] = round(float(rng.uniform(0.5, 4.5)), 2)
    if rng.random() < 0.2:
        measurements["egfr"] = round(float(rng.uniform(8, 110)), 1)
    for name in ("potassium", "sodium", "qtc", "inr", "tsh", "haemoglobin", "heart_rate", "alt", "glucose"):
        if rng.random() < 0.4:
            measurements[name] = 4.0
    genes = {"CYP2C19": "poor", "CYP2D6": "poor", "CYP2C9": "intermediate", "SLCO1B1": "poor", "CYP2B6": "poor"}
    return {
        "patient_id": f"random{number:06d}",
        "age": int(rng.integers(65, 100)),
        "sex": "F" if rng.random() < 0.55 else "M",
        "weight": round(float(rng.uniform(42, 118)), 1),
        "height": 166.0,
        "conditions": held,
        "measurements": measurements,
        "frailty": 4,
        "falls": int(rng.integers(0, 3)),
        "allergies": [],
        "genotype": {gene: state for gene, state in genes.items() if rng.random() < 0.2},
        "child_pugh": ("", "", "A", "B", "C")[int(rng.integers(5))],
        "regimen": regimen,
    }


@lru_cache(maxsize=2)
def pools(facts: Facts) -> tuple[list[str], np.ndarray, list[str], list[str]]:
    """The formulary, its cumulative shares by use, interacting drugs outside it, and the conditions."""
    formulary = sorted(facts.profiles)
    use = np.array([facts.number(drug, "use_weight") + 1e-3 for drug in formulary])
    others = sorted({drug for pair in facts.pairs for drug in pair} - set(formulary))
    return formulary, np.cumsum(use / use.sum())[:-1], others, [row["condition_id"] for row in table("conditions")]


def compare(
    person: dict[str, Any], number: int, knowledge: KnowledgeBase, facts: Facts, second: Found | None = None
) -> list[Disagreement]:
    """Where the two checkers differ on one person; `second` when that checker's word is known already."""
    graded = graded_findings(Patient.from_dict(person), knowledge)
    first = {finding.finding_id: (finding.category, finding.severity) for finding in graded}
    second = findings(person, facts) if second is None else second
    return [
        Disagreement(number, name, " ".join(first.get(name, ())), " ".join(second.get(name, ())))
        for name in sorted(first.keys() | second.keys())
        if first.get(name) != second.get(name)
    ]


def agreement(
    regimens: int, seed: int, knowledge: KnowledgeBase | None = None, snapshot: Path | None = None
) -> dict[str, Any]:
    """Both checkers on random regimens.

    Args:
        knowledge: what the first checker reads; the packaged knowledge when None.
        snapshot: folder the second checker reads vocabulary and interactions from; the packaged one when None.

    Returns:
        regimens, findings (made by the second checker), by_category, and disagreements (at most 50 listed).
    """
    facts = packaged_facts() if snapshot is None else Facts(snapshot)
    known = knowledge or KnowledgeBase.default()
    differing: list[Disagreement] = []
    counts: dict[str, int] = {}
    for number in range(regimens):
        person = random_person(number, seed, facts)
        second = findings(person, facts)
        for category, _ in second.values():
            counts[category] = counts.get(category, 0) + 1
        differing += compare(person, number, known, facts, second)
    return {
        "regimens": regimens,
        "seed": seed,
        "findings": sum(counts.values()),
        "by_category": dict(sorted(counts.items())),
        "disagreements": len(differing),
        "examples": [[d.regimen, d.finding_id, d.first, d.second] for d in differing[:50]],
    }


def legality_disagreements(env: PolyGuardEnv, scenario_ids: Sequence[str], seed: int = 0) -> list[str]:
    """Where the two differ on the legality of a candidate, along random legal walks."""
    facts = packaged_facts()
    found: list[str] = []
    walker = RandomLegal(seed)
    for scenario_id in scenario_ids:
        observation = env.reset(seed=seed, scenario_id=scenario_id)
        while not observation.done:
            scenario, legal = env.scenario, set(env.legal_candidate_ids())
            unknown = frozenset(observation.patient["to_check"])
            products = {product.name: product.drug_ids for product in scenario.products}
            for candidate in observation.candidates:
                against = breach(
                    candidate.action_type, candidate.targets, env.state.regimen, scenario.patient.allergies, unknown,
                    facts, products, {entry["drug_id"] for entry in observation.regimen if entry["held"]},
                )  # fmt: skip
                if (candidate.candidate_id in legal) is bool(against):
                    found.append(f"{scenario_id} {candidate.text}: second says {against or 'legal'}")
            observation = env.step(walker.choose(env, observation))
    return found
