"""Putting a scenario together: a person, target drugs, and drugs beside them that start no new trouble."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from polyguard_env.environment.roles import roles_explain
from polyguard_env.environment.splits import UNSEEN_MECHANISMS, interaction_allowed, pair_split
from polyguard_env.knowledge.schema import SEVERITY_RANK, Interaction
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.risk.index import RuleIndex
from polyguard_env.risk.review import find_all

LEAST_USE = 0.05
DOSE_FACTORS = (0.5, 1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class TargetPair:
    """An interacting pair an agent can recognise from the two drugs' roles."""

    drug_a: str
    drug_b: str
    interaction: Interaction


class DrugPool:
    """The formulary drugs scenarios draw from, and their recognisable interaction pairs by split.

    A drug qualifies when it is taken by mouth, commonly enough used and has an indication.
    """

    def __init__(self, index: RuleIndex) -> None:
        self.index = index
        self.drugs: list[str] = sorted(
            drug_id
            for drug_id, drug in index.knowledge.drugs.items()
            if drug.profile
            and "oral" in drug.profile.routes
            and drug.profile.use_weight >= LEAST_USE
            and drug.profile.indications
            and drug.profile.dose_usual > 0
        )
        weights = np.array([self._use(drug_id) for drug_id in self.drugs])
        self.weights = np.sqrt(weights)
        self.weights /= self.weights.sum()
        self.pairs: dict[str, list[TargetPair]] = {"train": [], "validation": [], "holdout": []}
        for a, b in combinations(self.drugs, 2):
            edge = index.interaction(a, b)
            if edge is None or SEVERITY_RANK[edge.severity] < SEVERITY_RANK["moderate"]:
                continue
            one, other = index.profile(a), index.profile(b)
            if one and other and roles_explain(edge.mechanism, one, other):
                split = pair_split(a, b, index)
                if split:
                    self.pairs[split].append(TargetPair(a, b, edge))

    def _use(self, drug_id: str) -> float:
        profile = self.index.profile(drug_id)
        return profile.use_weight if profile else 0.0

    def pair_weights(self, pairs: list[TargetPair]) -> np.ndarray:
        """Sampling weights, shape (pairs,): by use, evened out over mechanisms so rare ones occur."""
        use = np.array([(self._use(p.drug_a) * self._use(p.drug_b)) ** 0.35 for p in pairs])
        mechanisms = [p.interaction.mechanism for p in pairs]
        totals = {m: sum(u for u, n in zip(use, mechanisms, strict=True) if n == m) for m in set(mechanisms)}
        weights = np.array([u / totals[m] ** 0.6 for u, m in zip(use, mechanisms, strict=True)])
        return np.asarray(weights / weights.sum())


@dataclass
class Draft:
    """A scenario in the making.

    Attributes:
        patient: the person; conditions and regimen grow as drugs are added.
        split: only interaction pairs of this split may occur.
    """

    patient: Patient
    split: str
    pool: DrugPool
    rng: np.random.Generator
    regimen: list[RegimenItem] = field(default_factory=list)

    @property
    def index(self) -> RuleIndex:
        return self.pool.index

    @property
    def drug_ids(self) -> list[str]:
        return [item.drug_id for item in self.regimen]

    def add(self, drug_id: str, *, dose: float | None = None, indicated: bool = True, days: int | None = None) -> bool:
        """Add a drug with an indication; False (and no change) when the split or the person forbids it."""
        drug = self.index.drug(drug_id)
        profile = drug.profile
        if profile is None or drug_id in self.drug_ids or {drug_id, *drug.classes} & set(self.patient.allergies):
            return False
        if not all(interaction_allowed(drug_id, other, self.split, self.index) for other in self.drug_ids):
            return False
        fitting = [c for c in profile.indications if sex_fits(c, self.patient.sex)]
        if not fitting:
            return False
        held = [c for c in fitting if c in self.patient.conditions]
        indication = (held or fitting)[0] if indicated else ""
        if dose is None:
            factor = DOSE_FACTORS[int(self.rng.integers(len(DOSE_FACTORS)))]
            dose = min(profile.dose_max, max(profile.dose_min, profile.dose_usual * factor))
        if indication and indication not in self.patient.conditions:
            self.patient = replace(self.patient, conditions=tuple(sorted((*self.patient.conditions, indication))))
        taken_for = int(days if days is not None else self.rng.integers(90, 2000))
        self.regimen.append(RegimenItem(drug_id, dose, indication, taken_for))
        return True

    def quiet(self, most: float = 0.0) -> bool:
        """True when no finding of major or worse stands beside the interactions and conditions posed."""
        findings = find_all(self.patient, self.regimen, self.index)
        return all(f.severity not in ("major", "contraindicated") for f in findings)

    def add_bystanders(self, count: int) -> bool:
        """Add drugs that interact with nothing present and raise no major finding of their own."""
        added = 0
        for _ in range(12 * max(count, 1)):
            if added == count:
                return True
            drug_id = self.pool.drugs[int(self.rng.choice(len(self.pool.drugs), p=self.pool.weights))]
            if any(self.index.interaction(drug_id, other) for other in self.drug_ids):
                continue
            if self._shares_class(drug_id):
                continue
            kept, patient = list(self.regimen), self.patient
            before = self._severe()
            if not self.add(drug_id):
                continue
            if self._severe() - before:
                self.regimen, self.patient = kept, patient
                continue
            added += 1
        return added == count

    def _shares_class(self, drug_id: str) -> bool:
        classes = self.index.drug(drug_id).classes[:1]
        return any(set(classes) & set(self.index.drug(other).classes[:1]) for other in self.drug_ids)

    def _severe(self) -> set[str]:
        findings = find_all(self.patient, self.regimen, self.index)
        return {
            f.finding_id
            for f in findings
            if f.severity in ("major", "contraindicated") and f.category not in ("monitoring", "omission")
        }

    def finished(self) -> Patient:
        """The patient with the regimen, drugs in random order."""
        order = self.rng.permutation(len(self.regimen))
        return self.patient.with_regimen(tuple(self.regimen[int(place)] for place in order))


def sex_fits(condition: str, sex: str) -> bool:
    """False for conditions that only the other sex has."""
    if condition in ("bph", "prostate_cancer", "prostatitis", "erectile_dysfunction", "hypogonadism"):
        return sex == "M"
    return not (condition == "menopause_symptoms" and sex == "M")


def draw_pair(pool: DrugPool, split: str, rng: np.random.Generator, severities: tuple[str, ...]) -> TargetPair | None:
    """A target pair of the split; in the holdout half of the draws are mechanisms never trained on."""
    pairs = [p for p in pool.pairs[split] if p.interaction.severity in severities]
    if split == "holdout":
        unseen = bool(rng.integers(2))
        wanted = [p for p in pairs if (p.interaction.mechanism in UNSEEN_MECHANISMS) == unseen]
        pairs = wanted or pairs
    if not pairs:
        return None
    return pairs[int(rng.choice(len(pairs), p=pool.pair_weights(pairs)))]
