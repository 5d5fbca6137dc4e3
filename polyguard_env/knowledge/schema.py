"""The shapes of knowledge: drugs, interactions, rules and where each fact came from.

Pure data. Loading lives in `base.py`, building in `build.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["contraindicated", "major", "moderate", "minor"]
SEVERITIES: tuple[Severity, ...] = ("minor", "moderate", "major", "contraindicated")
SEVERITY_RANK: dict[str, int] = {name: rank for rank, name in enumerate(SEVERITIES, start=1)}

RULE_KINDS: tuple[str, ...] = (
    "renal",
    "hepatic",
    "burden",
    "taper",
    "duplicate_therapy",
    "substitution",
    "drug_disease",
    "omission",
    "monitoring",
    "pharmacogenomics",
    "combination",
    "hold",
)


@dataclass(frozen=True, slots=True)
class CypRole:
    """One drug's role at one enzyme or transporter.

    Attributes:
        enzyme: "3A4", "2D6", "2C9", "2C19", "1A2", "2C8", "2B6", "P-gp", "OATP1B1", "BCRP" ...
        role: "substrate", "inhibitor" or "inducer".
        strength: for substrates "sensitive", "moderate" or "prodrug";
            for inhibitors and inducers "strong", "moderate" or "weak".
    """

    enzyme: str
    role: str
    strength: str


@dataclass(frozen=True, slots=True)
class DrugProfile:
    """Facts of one formulary drug, for adults over 65.

    Doses are daily totals in `dose_unit`. Graded flags run from 0 (none) upward.

    Attributes:
        dose_min: lowest usual daily maintenance dose.
        dose_usual: usual daily dose in an older adult.
        dose_max: highest daily dose for an older adult with normal organ function.
        renal_fraction: fraction excreted unchanged by the kidney, 0-1.
        half_life_h: elimination half-life in hours; None where the table has none.
        hepatic: hepatic elimination, "" where the table has none, else "low", "moderate" or "high".
        qt: CredibleMeds-style risk: "none", "conditional", "possible" or "known".
        acb: Anticholinergic Cognitive Burden score, 0-3.
        dbi_delta: minimum recommended daily dose in `dose_unit` if the drug counts
            toward the Drug Burden Index, else None.
        taper_class: id of the taper rule that applies when stopping, or "".
    """

    routes: tuple[str, ...]
    dose_unit: str
    dose_min: float
    dose_usual: float
    dose_max: float
    doses_per_day: float | None
    indications: tuple[str, ...]
    half_life_h: float | None
    renal_fraction: float
    hepatic: str
    cyp: tuple[CypRole, ...]
    qt: str
    acb: int
    dbi_delta: float | None
    sedation: int
    fall_risk: int
    bleeding: int
    hyperkalaemia: int
    hyponatraemia: int
    hypoglycaemia: int
    hypotension: int
    bradycardia: int
    serotonergic: int
    cns_active: int
    nephrotoxic: int
    seizure_threshold: int
    narrow_index: bool
    monitoring: tuple[str, ...]
    taper_class: str
    use_weight: float
    sources: tuple[str, ...]
    year: int


@dataclass(frozen=True, slots=True)
class Drug:
    """One ingredient.

    Attributes:
        drug_id: stable slug of the English name, for example "warfarin".
        name: English display name.
        rxcui: RxNorm concept id, or "".
        drugbank_id: DrugBank accession, or "".
        atc: ATC codes.
        classes: ids in the class tree, leaf classes first, then their ancestors.
        profile: the formulary profile, or None outside the formulary.
    """

    drug_id: str
    name: str
    rxcui: str
    drugbank_id: str
    atc: tuple[str, ...]
    classes: tuple[str, ...]
    profile: DrugProfile | None


@dataclass(frozen=True, slots=True)
class ClassNode:
    """One class of the tree.

    Attributes:
        parent_id: the class it is part of, "" at the top.
        origin: what the class is taken from: ATC codes (`;` between several), an established pharmacologic class of
            the FDA, or the words of the source.
        source: source key.
        year: year of that source.
    """

    class_id: str
    parent_id: str
    name: str
    origin: str
    source: str
    year: int


@dataclass(frozen=True, slots=True)
class Interaction:
    """A graded edge between two drugs; `drug_a` < `drug_b`.

    Attributes:
        mechanism: controlled term, for example "bleeding", "cyp3a4_inhibition", "qt_prolongation".
        effect: what happens to the person, one clause.
        management: "avoid", "substitute", "reduce_dose", "monitor", "separate_doses" or "none",
            followed by free text after a colon where there is one.
        sources: source keys (see `sources.csv`).
        years: publication year of each source, in the same order.
        disagree: True when sources grade the pair differently.
    """

    drug_a: str
    drug_b: str
    severity: Severity
    mechanism: str
    effect: str
    management: str
    sources: tuple[str, ...]
    years: tuple[int, ...]
    disagree: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of a rule table, expanded to one drug.

    Attributes:
        rule_id: stable id, quoted as evidence.
        kind: one of `RULE_KINDS`.
        drug_id: the drug it applies to (for omissions: the drug to start).
        severity: how bad it is to break it.
        fields: the kind's own columns (thresholds, steps, conditions), all strings.
        strength: "strong", "moderate" or "weak" strength of the recommendation.
        source: source key.
        year: year of that source.
    """

    rule_id: str
    kind: str
    drug_id: str
    severity: Severity
    fields: dict[str, str]
    strength: str
    source: str
    year: int
