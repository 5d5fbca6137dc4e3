"""The drugs scenarios draw from, as arrays: who interacts with whom, what is unsuitable when, what is quiet.

Everything a generator asks of every drug at once is worked out here, so that a draw is a mask and a binary search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from polyguard_env.environment.roles import roles_explain
from polyguard_env.environment.splits import SPLITS, UNSEEN_MECHANISMS, pair_split
from polyguard_env.knowledge.base import combination_products
from polyguard_env.knowledge.formulary import split as cells
from polyguard_env.knowledge.schema import SEVERITY_RANK, DrugProfile, Interaction, Rule
from polyguard_env.risk.index import RuleIndex, terms

LEAST_USE = 0.05
MODERATE, MAJOR = SEVERITY_RANK["moderate"], SEVERITY_RANK["major"]
# Weights of burden in the risk function, to tell drugs that are worth taking off or switching for burden alone.
PER_DBI, PER_ACB = 0.8, 0.15
MOST_STOP_GAIN, MOST_SWAP_GAIN = 0.10, 0.12
SEXES = ("F", "M")
MEN_ONLY = frozenset({"bph", "prostate_cancer", "prostatitis", "erectile_dysfunction", "hypogonadism"})
# Acute conditions that some drugs are withheld for; no one has them but where that is the problem posed.
ILLNESSES = ("acute_dehydration", "acute_kidney_injury")
WOMEN_ONLY = frozenset({"menopause_symptoms"})


@dataclass(frozen=True, slots=True)
class TargetPair:
    """An interacting pair an agent can recognise from the two drugs' roles.

    Attributes:
        explicit: both drugs carry the mechanism as the same role; otherwise an enzyme or transporter links them.
    """

    drug_a: str
    drug_b: str
    interaction: Interaction
    explicit: bool


@dataclass(frozen=True, slots=True)
class Alternative:
    """A row of the substitution table: `drug_id` may replace another for `indication`, unless one of `wrong_if`."""

    drug_id: str
    indication: str
    wrong_if: frozenset[str]


class DrugPool:
    """Formulary drugs taken by mouth, commonly enough used and with an indication, and their pairs by split.

    Attributes:
        drugs: drug ids, sorted; `place` is the inverse. Arrays over drugs have n = len(drugs) entries.
        conditions: condition ids; `condition_place` is the inverse.
        weights: sampling weights by use, shape (n,).
        priority: cost of leaving a condition untreated, shape (conditions,).
        against: conditions that speak strongly against each drug.
        rank: severity rank of each pair's interaction, 0 none, shape (n, n).
        split_of: split of each interacting pair as an index into `SPLITS`, -1 none, shape (n, n).
        alike: pairs that duplicate therapy or share a class, shape (n, n).
        doubled: pairs whose duplication is a finding of moderate severity or worse, shape (n, n).
        unsuits: severity rank of a condition against a drug, shape (n, conditions).
        purpose: condition each drug is given for, by sex, -1 none, shape (2, n).
        given: drugs given for anything, by sex, shape (2, n).
        clash: pairs that interact or are alike, shape (n, n).
        still: calm drugs that raise no fall risk, shape (2, n).
        calm: drugs that raise no finding by themselves and are worth neither stopping nor switching, shape (2, n).
        fall, acb, dbi, cns: severity rank of the fall-risk rule, ACB score, Drug Burden Index at the usual dose,
            and whether CNS-active, each of shape (n,).
        burdensome: ACB, sedation and fall-risk grades in all, shape (n,).
        toll: what each drug weighs by burden, fall risk and age in a person who falls, shape (n,).
        taper, swap: whether a drug has a taper rule, or substitutes, shape (n,).
        several: drugs with two or more substitutes for what they are given for, shape (2, n).
        kidney, liver, narrow, twins: whether a drug has kidney rules, liver rules, a narrow index, or rules on
            duplicating it, shape (n,).
        genes: rules on genotypes of moderate severity or worse, per drug.
        products: combination products of two drugs of the pool.
        course: days that a short course of each drug lasts at most for what it is given for, 0 for none, shape (2, n).
        pausable: drugs that may be paused for days while a course of another lasts, by sex, shape (2, n).
        sick_day: for each of `ILLNESSES`, drugs that are withheld while it lasts, shape (2, n).
        pausing: by split, places among its pairs of those of a course and of a drug that may be paused, of major
            severity or worse.
    """

    def __init__(self, index: RuleIndex) -> None:
        self.index = index
        profiles = {drug_id: drug.profile for drug_id, drug in index.knowledge.drugs.items() if drug.profile}
        self.drugs: list[str] = sorted(
            drug_id
            for drug_id, profile in profiles.items()
            if "oral" in profile.routes
            and profile.use_weight >= LEAST_USE
            and profile.indications
            and profile.dose_usual > 0
        )
        self.place = {drug_id: place for place, drug_id in enumerate(self.drugs)}
        self.profiles: list[DrugProfile] = [profiles[drug_id] for drug_id in self.drugs]
        self.weights = np.sqrt(np.array([profile.use_weight for profile in self.profiles]))
        self.weights.flags.writeable = False
        self._conditions()
        self._omissions()
        self._pairs()
        self._own_facts()
        self._holds()
        self._masks()
        self._marginals: dict[tuple[str, tuple[str, ...]], np.ndarray] = {}
        self._keyed: dict[tuple[str, tuple[str, ...], bool | None, bool | None], tuple[np.ndarray, np.ndarray]] = {}
        self._members: dict[str, np.ndarray] = {}

    def _masks(self) -> None:
        """What a draft asks of every drug each time one is added."""
        self.given = self.purpose >= 0
        self.clash = (self.rank > 0) | self.alike
        self.still = self.calm & (self.fall < MODERATE)

    def _conditions(self) -> None:
        index = self.index
        rules = [rule for drug_id in self.drugs for rule in index.rules("drug_disease", drug_id)]
        names = {rule.fields["condition"] for rule in rules} | set(index.priorities)
        names |= {name for profile in self.profiles for name in profile.indications}
        self.conditions: list[str] = sorted(names)
        self.condition_place = {name: place for place, name in enumerate(self.conditions)}
        self.unsuits = np.zeros((len(self.drugs), len(self.conditions)), dtype=np.int8)
        for rule in rules:
            spot = self.place[rule.drug_id], self.condition_place[rule.fields["condition"]]
            self.unsuits[spot] = max(self.unsuits[spot], SEVERITY_RANK[rule.severity])
        self.priority = np.array([index.priority(name) for name in self.conditions])
        self.against: list[list[str]] = [[] for _ in self.drugs]
        for place, drug_id in enumerate(self.drugs):
            worst = {
                rule.fields["condition"]
                for rule in index.rules("drug_disease", drug_id)
                if SEVERITY_RANK[rule.severity] >= MAJOR
            }
            self.against[place] = sorted(worst - set(self.profiles[place].indications) - set(ILLNESSES))

    def _omissions(self) -> None:
        """Which conditions call for a drug, and which drugs call for another beside them."""
        self.calls: dict[str, list[set[str]]] = {}
        partners: set[str] = set()
        for rule in self.index.omissions:
            if rule.drug_id != (rule.fields.get("preferred") or rule.drug_id):
                continue
            beside = terms(rule.fields.get("with_drug", ""))
            if beside:
                partners |= beside
            else:
                wanted = terms(rule.fields.get("target", "")) or {rule.drug_id}
                self.calls.setdefault(rule.fields["condition"], []).append(wanted)
        self.partner = np.array([bool(self._names(drug_id) & partners) for drug_id in self.drugs])

    def _names(self, drug_id: str) -> set[str]:
        return {drug_id, *self.index.drug(drug_id).classes}

    def uncalled(self, condition: str) -> bool:
        """True when a condition by itself calls for no drug."""
        return condition not in self.calls

    def _pairs(self) -> None:
        n, index = len(self.drugs), self.index
        self.rank = np.zeros((n, n), dtype=np.int8)
        self.split_of = np.full((n, n), -1, dtype=np.int8)
        self.alike = np.zeros((n, n), dtype=bool)
        self.doubled = np.zeros((n, n), dtype=bool)
        first = [index.drug(drug_id).classes[:1] for drug_id in self.drugs]
        self.pairs: dict[str, list[TargetPair]] = {split: [] for split in SPLITS}
        for one, other in combinations(range(n), 2):
            a, b = self.drugs[one], self.drugs[other]
            both = index.duplicates.get(a, {}).keys() & index.duplicates.get(b, {}).keys()
            if (first[one] and first[one] == first[other]) or both:
                self.alike[one, other] = self.alike[other, one] = True
            if any(SEVERITY_RANK[index.duplicates[a][rule_id].severity] >= MODERATE for rule_id in both):
                self.doubled[one, other] = self.doubled[other, one] = True
            edge = index.interaction(a, b)
            if edge is None:
                continue
            split = pair_split(a, b, index)
            assert split is not None
            self.rank[one, other] = self.rank[other, one] = SEVERITY_RANK[edge.severity]
            self.split_of[one, other] = self.split_of[other, one] = SPLITS.index(split)
            roles = roles_explain(edge.mechanism, self.profiles[one], self.profiles[other])
            if roles and SEVERITY_RANK[edge.severity] >= MODERATE:
                self.pairs[split].append(TargetPair(a, b, edge, len(roles) == 1))

    def _own_facts(self) -> None:
        index, n = self.index, len(self.drugs)
        self.acb = np.array([profile.acb for profile in self.profiles])
        self.dbi = np.array([_dbi(profile, profile.dose_usual) for profile in self.profiles])
        self.cns = np.array([profile.cns_active for profile in self.profiles])
        self.burdensome = np.array([p.acb + p.sedation + p.fall_risk for p in self.profiles])
        self.fall = np.array([_worst(index.rules("burden", drug_id), "fall_risk") for drug_id in self.drugs])
        self.avoid = np.array([_worst(index.rules("burden", drug_id), "avoid") for drug_id in self.drugs])
        self.taper = np.array([bool(index.rules("taper", drug_id)) for drug_id in self.drugs])
        self.kidney = np.array([bool(index.rules("renal", drug_id)) for drug_id in self.drugs])
        self.liver = np.array([bool(index.rules("hepatic", drug_id)) for drug_id in self.drugs])
        self.narrow = np.array([profile.narrow_index for profile in self.profiles])
        self.twins = np.array([bool(index.duplicates.get(drug_id)) for drug_id in self.drugs])
        self.genes: list[list[Rule]] = [
            [rule for rule in index.rules("pharmacogenomics", drug_id) if SEVERITY_RANK[rule.severity] >= MODERATE]
            for drug_id in self.drugs
        ]
        products = combination_products(index.knowledge.drugs)
        self.products: list[tuple[str, tuple[str, ...]]] = sorted(
            (name, drug_ids)
            for name, drug_ids in products.items()
            if len(drug_ids) == 2 and all(drug_id in self.place for drug_id in drug_ids)
        )
        self.alternatives: list[list[Alternative]] = [self._alternatives(drug_id) for drug_id in self.drugs]
        weight = np.array([0.0, 0.2, 1.0, 3.0, 6.0])
        self.toll = PER_DBI * self.dbi + PER_ACB * self.acb + weight[self.fall] + weight[self.avoid]
        self.swap = np.array([bool(found) for found in self.alternatives])
        self.purpose = np.full((2, n), -1, dtype=np.int16)
        self.calm = np.zeros((2, n), dtype=bool)
        self.several = np.zeros((2, n), dtype=bool)
        self.moves = self.taper.astype(np.int8) * 2 + self.swap
        for row, sex in enumerate(SEXES):
            for place in range(n):
                condition = self._purpose(place, sex)
                if condition is None:
                    continue
                self.purpose[row, place] = self.condition_place[condition]
                self.calm[row, place] = self._is_calm(place, condition)
                self.several[row, place] = len(self.choices(self.drugs[place], condition)) >= 2

    def _holds(self) -> None:
        """Which drugs are short courses, which may be paused for one, and which are withheld in acute illness."""
        n = len(self.drugs)
        self.course = np.zeros((2, n), dtype=np.int16)
        self.pausable = np.zeros((2, n), dtype=bool)
        self.sick_day = np.zeros((len(ILLNESSES), n), dtype=bool)
        for place, drug_id in enumerate(self.drugs):
            for rule in self.index.rules("hold", drug_id):
                role, illnesses = rule.fields["role"], cells(rule.fields["condition"])
                if role == "sick_day":
                    self.sick_day[:, place] |= [name in illnesses for name in ILLNESSES]
                for row in range(len(SEXES)):
                    purpose = self.conditions[self.purpose[row, place]] if self.purpose[row, place] >= 0 else None
                    fits = purpose is not None and purpose in (cells(rule.fields["indication"]) or (purpose,))
                    if role == "course" and fits:
                        self.course[row, place] = int(rule.fields["most_days"])
                    if role == "pausable" and fits:
                        self.pausable[row, place] = True
        self.pausable &= self.course == 0
        self.pausing = {
            name: np.array([at for at, pair in enumerate(pairs) if self._is_pausing(pair)], dtype=np.int64)
            for name, pairs in self.pairs.items()
        }

    def _is_pausing(self, pair: TargetPair) -> bool:
        a, b = self.place[pair.drug_a], self.place[pair.drug_b]
        one = (self.course[:, a] > 0) & self.pausable[:, b]
        other = (self.course[:, b] > 0) & self.pausable[:, a]
        return SEVERITY_RANK[pair.interaction.severity] >= MAJOR and bool((one | other).any())

    def pausing_weights(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Running weights of a split's `pausing` pairs, and how often each drug is part of one drawn, shape (n,)."""
        pairs = [self.pairs[name][at] for at in self.pausing[name]]
        weights = self._pair_weights(pairs)
        shares = np.zeros(len(self.drugs))
        for pair, weight in zip(pairs, weights, strict=True):
            shares[[self.place[pair.drug_a], self.place[pair.drug_b]]] += weight
        return np.cumsum(weights), 0.85 * shares / max(shares.sum(), 1e-9) + 0.15 * self.weights / self.weights.sum()

    def _purpose(self, place: int, sex: str) -> str | None:
        """The first indication that fits the sex, preferably one that calls for no further drug."""
        fitting = [name for name in self.profiles[place].indications if sex_fits(name, sex)]
        names = self._names(self.drugs[place])
        settled = [name for name in fitting if all(wanted & names for wanted in self.calls.get(name, []))]
        return next(iter(settled or fitting), None)

    def _is_calm(self, place: int, condition: str) -> bool:
        names = self._names(self.drugs[place])
        if self.avoid[place] >= MODERATE or self.partner[place]:
            return False
        if not all(wanted & names for wanted in self.calls.get(condition, [])):
            return False
        burden = PER_DBI * self.dbi[place] + PER_ACB * self.acb[place]
        if burden - self.index.priority(condition) > MOST_STOP_GAIN:
            return False
        for other in self.alternatives[place]:
            profile = self.index.profile(other.drug_id)
            if profile and other.indication in ("", condition):
                left = PER_DBI * _dbi(profile, profile.dose_min) + PER_ACB * profile.acb
                if burden - left > MOST_SWAP_GAIN:
                    return False
        return True

    def _alternatives(self, drug_id: str) -> list[Alternative]:
        found = []
        for rule in self.index.rules("substitution", drug_id):
            new = self.index.knowledge.drugs.get(rule.fields["replacement"])
            if new is not None and new.profile is not None:
                wrong = frozenset(terms(rule.fields.get("wrong_if", "")))
                found.append(Alternative(new.drug_id, rule.fields.get("indication", ""), wrong))
        return found

    def choices(self, drug_id: str, condition: str) -> list[Alternative]:
        """Substitutes of a drug when it is given for a condition, each once."""
        found: dict[str, Alternative] = {}
        for other in self.alternatives[self.place[drug_id]]:
            if other.indication in ("", condition):
                found.setdefault(other.drug_id, other)
        return list(found.values())

    def need(self, sex: str) -> np.ndarray:
        """Cost of leaving untreated what each drug is given for, 0 where it is given for nothing, shape (n,)."""
        row = self.purpose[SEXES.index(sex)]
        return np.where(row >= 0, self.priority[row], 0.0)

    def members(self, name: str) -> np.ndarray:
        """Which drugs are this drug or of this class, shape (n,)."""
        if name not in self._members:
            self._members[name] = np.array([name in self._names(drug_id) for drug_id in self.drugs])
        return self._members[name]

    def by_key(
        self, split: str, severities: tuple[str, ...], explicit: bool | None, unseen: bool | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Places of a split's pairs that fit and their running weights; None fits either kind.

        Args:
            explicit: pairs that carry the mechanism as one role (True), or through an enzyme (False).
            unseen: pairs of mechanisms that training never poses (True), or of the others.
        """
        key = (split, severities, explicit, unseen)
        if key not in self._keyed:
            places = [
                place
                for place, pair in enumerate(self.pairs[split])
                if pair.interaction.severity in severities
                and (explicit is None or pair.explicit == explicit)
                and (unseen is None or (pair.interaction.mechanism in UNSEEN_MECHANISMS) == unseen)
            ]
            weights = self._pair_weights([self.pairs[split][place] for place in places])
            self._keyed[key] = np.array(places, dtype=np.int64), np.cumsum(weights)
        return self._keyed[key]

    def _pair_weights(self, pairs: Sequence[TargetPair]) -> np.ndarray:
        """By use, evened out over mechanisms so that rare ones occur."""
        use = [(self._use(pair.drug_a) * self._use(pair.drug_b)) ** 0.35 for pair in pairs]
        totals: dict[str, float] = {}
        for pair, share in zip(pairs, use, strict=True):
            totals[pair.interaction.mechanism] = totals.get(pair.interaction.mechanism, 0.0) + share
        return np.array(
            [share / totals[pair.interaction.mechanism] ** 0.6 for pair, share in zip(pairs, use, strict=True)]
        )

    def _use(self, drug_id: str) -> float:
        return self.profiles[self.place[drug_id]].use_weight

    def marginal(self, split: str, severities: tuple[str, ...]) -> np.ndarray:
        """How often each drug is part of a drawn target pair, shape (n,), so that bystanders look like targets."""
        key = (split, severities)
        if key not in self._marginals:
            shares = np.zeros(len(self.drugs))
            for explicit, share in ((True, 0.6), (False, 0.4)):
                places, cumulative = self.by_key(split, severities, explicit, None)
                weights = np.diff(cumulative, prepend=0.0) / cumulative[-1] if len(places) else ()
                for place, weight in zip(places, weights, strict=True):
                    pair = self.pairs[split][int(place)]
                    shares[self.place[pair.drug_a]] += share * weight
                    shares[self.place[pair.drug_b]] += share * weight
            # A floor keeps every drug of the pool possible.
            shares = 0.85 * shares / shares.sum() + 0.15 * self.weights / self.weights.sum()
            shares.flags.writeable = False
            self._marginals[key] = shares
        return self._marginals[key]


def sex_fits(condition: str, sex: str) -> bool:
    """False for conditions that only the other sex has."""
    return condition not in (WOMEN_ONLY if sex == "M" else MEN_ONLY)


def _dbi(profile: DrugProfile, dose: float) -> float:
    return dose / (dose + profile.dbi_delta) if profile.dbi_delta else 0.0


def _worst(rules: Sequence[Rule], kind: str) -> int:
    return max((SEVERITY_RANK[rule.severity] for rule in rules if rule.fields["kind"] == kind), default=0)
