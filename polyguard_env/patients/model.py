"""A patient: person, conditions, measurements and regimen. Plain data, JSON in and out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Sex = Literal["F", "M"]


@dataclass(frozen=True, slots=True)
class RegimenItem:
    """One drug as taken.

    Attributes:
        drug_id: id in the knowledge base.
        dose: daily total in the drug's dose unit; None when unknown.
        indication: condition id the drug is taken for; "" when none is known.
        days: how long the drug has been taken, in days.
        entered: name under which a list had it ("Norco 5/325"); "" when it was not read from one.
        product: number of the list's entry when that is a combination product, the same for all its ingredients;
            0 for a drug on its own.
        note: why a dose that was given is not known, and what of it was read in a way worth saying; "" otherwise.
        interval: days between two doses (7 for a weekly tablet, 0.5 for one twice a day); 0 when it is not told.
    """

    drug_id: str
    dose: float | None = None
    indication: str = ""
    days: int = 365
    entered: str = ""
    product: int = 0
    note: str = ""
    interval: float = 0.0


@dataclass(frozen=True, slots=True)
class Patient:
    """A person over 65.

    Attributes:
        age: years, 65-110.
        weight: kg. height: cm.
        conditions: condition ids (`conditions.csv`).
        measurements: measurement id (`measurements.csv`) to value in that row's unit.
        frailty: Clinical Frailty Scale, 1-9.
        falls: falls in the last year.
        allergies: ids of drugs, classes and other allergens (`allergens.csv`).
        genotype: gene to phenotype, for example {"CYP2C19": "poor"}.
        child_pugh: "", "A", "B" or "C" ("" without known liver disease).
        regimen: drugs taken now.
    """

    patient_id: str
    age: int
    sex: Sex
    weight: float
    height: float
    conditions: tuple[str, ...] = ()
    measurements: dict[str, float] = field(default_factory=dict)
    frailty: int = 3
    falls: int = 0
    allergies: tuple[str, ...] = ()
    genotype: dict[str, str] = field(default_factory=dict)
    child_pugh: str = ""
    regimen: tuple[RegimenItem, ...] = ()

    @property
    def drug_ids(self) -> tuple[str, ...]:
        return tuple(item.drug_id for item in self.regimen)

    def with_regimen(self, regimen: tuple[RegimenItem, ...]) -> Patient:
        return self.changed(regimen=regimen)

    def changed(self, **fields: Any) -> Patient:
        """The patient with other fields; `dataclasses.replace` at a fraction of its time."""
        new = object.__new__(Patient)
        for name in self.__dataclass_fields__:
            object.__setattr__(new, name, fields[name] if name in fields else getattr(self, name))
        return new

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Patient:
        values = dict(data)
        values["conditions"] = tuple(values.get("conditions", ()))
        values["allergies"] = tuple(values.get("allergies", ()))
        values["regimen"] = tuple(RegimenItem(**item) for item in values.get("regimen", ()))
        return cls(**values)
