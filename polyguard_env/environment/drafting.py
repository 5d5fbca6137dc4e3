"""Putting a scenario together: a person, target drugs, and drugs beside them that start no new trouble."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

import numpy as np

from polyguard_env.environment.pool import MAJOR, MODERATE, SEXES, DrugPool, draw, sex_fits
from polyguard_env.environment.splits import SPLITS
from polyguard_env.knowledge.schema import SEVERITY_RANK
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.genes import gene_findings
from polyguard_env.risk.index import RuleIndex
from polyguard_env.risk.review import dosing_findings, find_all, kidney_function

DOSE_FACTORS = (0.5, 1.0, 1.0, 1.0)
MOST_ACB, MOST_DBI, MOST_CNS = 3, 1.0, 3
MILD_SHARE = 0.1
BACKGROUND = 3
TRIES = 12
KIDNEY = frozenset({"creatinine", "crcl", "egfr"})
# Conditions that call for no drug and speak against few: they even out how many conditions a person has.
PADDING = (
    "allergic_rhinitis", "chronic_cough", "dry_eye", "eczema", "erectile_dysfunction", "fibromyalgia", "gerd",
    "insomnia", "irritable_bowel", "macular_degeneration", "menopause_symptoms", "migraine", "nausea", "obesity",
    "overactive_bladder", "prostatitis", "pruritus", "raynaud", "urinary_incontinence", "vertigo",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a scenario is settled by its id alone, so that problems and their controls look alike.

    Attributes:
        control: nothing should change.
        rng: further draws of this kind (sizes, hidden sets, falls, kidneys), the same at every attempt.
    """

    control: bool
    rng: Random


class Draft:
    """A scenario in the making.

    Attributes:
        patient: the person; conditions and regimen grow as drugs are added.
        split: only interaction pairs of this split may occur.
        shape: draws that do not depend on the attempt.
        rng: draws of this attempt.
        code: place of the split in `SPLITS`. row: place of the sex in the pool's arrays.
        regimen: drugs so far, targets first.
        mild: the problem need not be severe; drawn for a few, set by kinds of problem that seldom are.
        accepted: drugs whose findings are outweighed by what the drugs are needed for; a control may hold such.
    """

    def __init__(self, patient: Patient, split: str, pool: DrugPool, shape: Shape, rng: Random) -> None:
        self.pool, self.split, self.shape, self.rng = pool, split, shape, rng
        self.regimen: list[RegimenItem] = []
        self.accepted: set[str] = set()
        self.row = SEXES.index(patient.sex)
        self.code = SPLITS.index(split)
        n = len(pool.drugs)
        self._blocked = np.zeros(n, dtype=bool)
        self._foreign = np.zeros(n, dtype=bool)
        self._spoils = np.zeros(n, dtype=bool)
        self._unsuited = np.zeros(n, dtype=bool)
        self._acb = self._dbi = self._cns = 0.0
        for name in patient.allergies:
            self._foreign |= pool.members(name)
        self._background = [name for name in patient.conditions if pool.uncalled(name) and name != "cirrhosis"]
        self._own: list[str] = []
        self.mild = shape.rng.random() < MILD_SHARE
        self._falls = shape.rng.random() < 0.35
        self._extra = shape.rng.randrange(3)
        self._held: set[str] = set()
        self._person = patient.changed(
            conditions=(), child_pugh="", falls=1 + shape.rng.randrange(2) if self._falls else 0
        )
        self.set_kidneys(low=shape.rng.random() < 0.5)
        for name in self._background[:BACKGROUND]:
            self.hold(name)

    @property
    def patient(self) -> Patient:
        """The person as drafted so far, without the regimen."""
        if len(self._person.conditions) != len(self._held):
            self._person = self._person.changed(conditions=tuple(sorted(self._held)))
        return self._person

    @property
    def control(self) -> bool:
        return self.shape.control

    @property
    def sex(self) -> str:
        return self._person.sex

    @property
    def index(self) -> RuleIndex:
        return self.pool.index

    @property
    def drug_ids(self) -> list[str]:
        return [item.drug_id for item in self.regimen]

    def set_kidneys(self, low: bool) -> None:
        """A creatinine clearance of 15 to 50 mL/min, or of 55 to 100."""
        clearance = 15 + 35 * self.shape.rng.random() if low else 55 + 45 * self.shape.rng.random()
        person = self._person
        creatinine = (140 - person.age) * person.weight / (72.0 * clearance) * (0.85 if person.sex == "F" else 1.0)
        creatinine = round(min(max(creatinine, 0.3), 9.0), 2)
        self._person = person.changed(measurements={**person.measurements, "creatinine": creatinine})
        self.kidneys = dict(kidney_function(self._person))

    def set_liver(self, grade: str) -> None:
        """Give the person a cirrhosis of Child-Pugh class A, B or C."""
        self.pin("cirrhosis")
        self._person = self._person.changed(child_pugh=grade)

    def set_frailty(self, frailty: int) -> None:
        """Clinical Frailty Scale, 1 to 9."""
        self._person = self._person.changed(frailty=frailty)

    def set_genotype(self, gene: str, phenotype: str) -> None:
        """Let a gene's phenotype be known."""
        self._person = self._person.changed(genotype={**self._person.genotype, gene: phenotype})

    def set_allergies(self, allergies: tuple[str, ...]) -> None:
        """Allergies to drugs or classes; drugs taken already are not looked at again."""
        self._person = self._person.changed(allergies=tuple(sorted(set(allergies))))

    def hold(self, condition: str) -> None:
        """Give the person a condition."""
        if condition not in self._held:
            self._held.add(condition)
            place = self.pool.condition_place.get(condition)
            if place is not None:
                self._unsuited |= self.pool.wrong[place]

    def allowed(self) -> np.ndarray:
        """Drugs that may be added at all: not taken, no allergy or pair of another split, indicated; shape (n,)."""
        return np.asarray(self.pool.given[self.row] & ~self._foreign)

    def apart(self) -> np.ndarray:
        """Allowed drugs that neither interact with nor duplicate anything present, shape (n,)."""
        return np.asarray(self.pool.given[self.row] & ~(self._foreign | self._blocked))

    def quiet(self) -> np.ndarray:
        """Drugs that would start no new trouble beside what is present, shape (n,)."""
        pool = self.pool
        calm = pool.still if self._person.falls else pool.calm
        # What is calm is given for something.
        mask = calm[self.row] & ~(self._foreign | self._blocked | self._spoils | self._unsuited)
        for own, total, most in (
            (pool.acb, self._acb, MOST_ACB),
            (pool.dbi, self._dbi, MOST_DBI),
            (pool.cns, self._cns, MOST_CNS),
        ):
            mask &= (own == 0) | (own + total < most)
        return np.asarray(mask)

    def purpose(self, drug_id: str) -> str:
        """The condition a drug of the pool is given for to this person."""
        return self.pool.conditions[int(self.pool.purpose[self.row, self.pool.place[drug_id]])]

    def add(self, drug_id: str, *, dose: float | None = None, indicated: bool = True, days: int | None = None) -> bool:
        """Add a drug with an indication; False (and no change) when the split or the person forbids it."""
        pool, place = self.pool, self.pool.place[drug_id]
        if self._foreign[place] or not pool.given[self.row, place]:
            return False
        profile = pool.profiles[place]
        if dose is None:
            factor = DOSE_FACTORS[self.rng.randrange(len(DOSE_FACTORS))]
            dose = min(profile.dose_max, max(profile.dose_min, profile.dose_usual * factor))
        indication = self.purpose(drug_id) if indicated else ""
        if indication:
            self.hold(indication)
        taken_for = days if days is not None else 90 + self.rng.randrange(1900)
        self.regimen.append(RegimenItem(drug_id, dose, indication, taken_for))
        self._blocked |= pool.clash[place]
        self._foreign |= pool.foreign[self.code, place]
        self._foreign[place] = True
        self._spoils |= pool.spoiled[self.row, place]
        self._acb += float(pool.acb[place])
        self._dbi += float(pool.dbi[place])
        self._cns += float(pool.cns[place])
        return True

    def draw(self, mask: np.ndarray, weights: np.ndarray | None = None) -> str | None:
        """A drug of the mask (shape (n,)), by weight (by use when None); None when there is none."""
        place = draw(mask, self.pool.weights if weights is None else weights, self.rng)
        return self.pool.drugs[place] if place >= 0 else None

    def fall(self) -> None:
        """Make the person one who fell."""
        self._person = self._person.changed(falls=max(1, self._person.falls))

    def add_quiet(self, weights: np.ndarray, mask: np.ndarray | None = None) -> bool:
        """Add one quiet drug, drawn by weight from `mask` where given."""
        open_ = self.quiet() if mask is None else self.quiet() & mask
        for _ in range(TRIES):
            place = draw(open_, weights, self.rng)
            if place < 0:
                return False
            if self.add_fitting(self.pool.drugs[place]):
                return True
            open_[place] = False
        return False

    def add_fitting(self, drug_id: str) -> bool:
        """Add a drug at a dose that kidneys and liver allow; False (and no change) when there is none."""
        dose = self._fitting_dose(drug_id)
        return dose is not None and self.add(drug_id, dose=dose)

    def _fitting_dose(self, drug_id: str) -> float | None:
        """A usual dose that kidney and liver allow; None when there is none."""
        pool, place = self.pool, self.pool.place[drug_id]
        profile = pool.profiles[place]
        factor = DOSE_FACTORS[self.rng.randrange(len(DOSE_FACTORS))]
        dose = min(profile.dose_max, max(profile.dose_min, profile.dose_usual * factor))
        limited = pool.kidney[place] or pool.liver[place]
        for tried in (dose, profile.dose_min):
            if not limited and tried <= profile.dose_max:
                return tried
            if not dosing_findings(RegimenItem(drug_id, tried), self._person, self.kidneys, self.index):
                return tried
        return None

    def fill(self, count: int, weights: np.ndarray, like: np.ndarray | None = None) -> bool:
        """Add quiet drugs until the regimen has `count`; they allow the kinds of move that targets do.

        Args:
            weights: by which drugs are drawn, and by which it is drawn whether each needs a taper or has a substitute.
            like: drugs to keep to where possible.
        """
        pool = self.pool
        while len(self.regimen) < count:
            model = pool.draw_any(weights, self.rng) if like is None else draw(like, weights, self.rng)
            mask = pool.moves == pool.moves[model]
            if not self.add_quiet(weights, mask if like is None else mask & like) and not self.add_quiet(weights):
                return False
        return True

    def findings(self) -> list[Finding]:
        """Findings of moderate severity or worse, missing measurements aside."""
        found = find_all(self.patient, self.regimen, self.index) + gene_findings(self._person, self.regimen, self.index)
        return [f for f in found if SEVERITY_RANK[f.severity] >= MODERATE and f.category != "monitoring"]

    @property
    def least(self) -> int:
        """Severity rank that the problem must reach."""
        return MODERATE if self.mild else MAJOR

    def worth_posing(self, targets: Iterable[str]) -> bool:
        """True when every finding is about a target, what a target is taken for, or an accepted drug.

        A problem that is not mild has a finding of major severity or worse.
        """
        found = self.findings()
        if not self.control and not self.mild and not any(SEVERITY_RANK[f.severity] >= MAJOR for f in found):
            return False
        wanted = self.accepted | (set() if self.control else set(targets))
        treated = {item.indication for item in self.regimen if item.drug_id in wanted} if not self.control else set()
        return all(f.mechanism in treated if f.category == "omission" else wanted & set(f.drugs) for f in found)

    def settle(self) -> bool:
        """Bring the number of conditions to the number of drugs and up to two more, by harmless ones."""
        needed = {item.indication for item in self.regimen if item.indication} | set(self._own)
        wanted = max(len(self.regimen) + self._extra, len(needed))
        held = self._held
        if len(held) > wanted:
            spare = [name for name in sorted(held) if name not in needed]
            for name in spare[: len(held) - wanted]:
                held.discard(name)
        elif len(held) < wanted:
            places = [self.pool.place[item.drug_id] for item in self.regimen]
            harmful = np.any(self.pool.unsuits[places] >= MODERATE, axis=0)
            spare = [name for name in PADDING if name not in held and sex_fits(name, self.patient.sex)]
            self.rng.shuffle(spare)
            for name in [*self._background, *spare]:
                place = self.pool.condition_place.get(name)
                if len(held) < wanted and self.pool.uncalled(name) and (place is None or not harmful[place]):
                    held.add(name)
        self._person = self._person.changed(conditions=tuple(sorted(held)))
        return len(held) == wanted

    def pad_condition(self) -> None:
        """A condition that speaks strongly against some drug, but against none present."""
        taken = [self.pool.place[name] for name in self.drug_ids]
        exposed = np.array([bool(names) for names in self.pool.against])
        for _ in range(TRIES):
            drug_id = self.draw(exposed)
            names = [
                name
                for name in (self.pool.against[self.pool.place[drug_id]] if drug_id else ())
                if self.pool.uncalled(name)
                and name != "cirrhosis"
                and not (self.pool.unsuits[taken, self.pool.condition_place[name]] >= MODERATE).any()
            ]
            if names:
                self.pin(names[self.rng.randrange(len(names))])
                return

    def pin(self, condition: str) -> None:
        """Give the person a condition that stays."""
        self._own.append(condition)
        self.hold(condition)

    def finished(self) -> Patient:
        """The patient with the regimen, drugs in random order."""
        order = list(self.regimen)
        self.rng.shuffle(order)
        return self.patient.with_regimen(tuple(order))
