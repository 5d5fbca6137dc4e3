"""What can be dispensed of a drug: marketed strengths (`strengths.csv`), half of the smallest tablet, liquids."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from polyguard_env.knowledge.tabular import read_fragments

# A liquid, spray or injection is measured; every other form is counted in pieces.
MEASURED = frozenset({"liquid", "drops", "injection"})
COUNTED_ALIKE = "two doses on alternate days"


@dataclass(frozen=True, slots=True)
class Form:
    """One marketed form of a drug.

    Attributes:
        name: "tablet", "capsule", "liquid" ...
        pieces: daily amounts that make up a dose, in the drug's unit: strengths (with half of the smallest when it
            splits), or the smallest amount that can be measured.
        whole: the smallest undivided strength; for a liquid the smallest measure.
        alternate: True when a dose is the mean of two days' doses.
    """

    name: str
    pieces: tuple[Fraction, ...]
    whole: Fraction
    alternate: bool = False

    def below(self, dose: Fraction) -> list[Fraction]:
        """Daily amounts under `dose` that this form can make, 0 included, ascending."""
        unit = self._unit()
        count = int(dose / unit)
        steps = [int(piece / unit) for piece in self.pieces]
        made = bytearray(count + 1)
        made[0] = 1
        for amount in range(1, count + 1):
            made[amount] = any(step <= amount and made[amount - step] for step in steps)
        return [unit * amount for amount in range(count + 1) if made[amount] and unit * amount < dose]

    def alternating(self) -> Form:
        """The same form with two doses taken in turn, day by day."""
        return Form(self.name, tuple(piece / 2 for piece in self.pieces), self.whole, alternate=True)

    def _unit(self) -> Fraction:
        unit = self.pieces[0]
        for piece in self.pieces[1:]:
            while piece:
                unit, piece = piece, unit % piece
        return unit

    def __str__(self) -> str:
        return f"{self.name}, {COUNTED_ALIKE}" if self.alternate else self.name


@lru_cache(maxsize=1)
def _table() -> dict[str, tuple[Form, ...]]:
    found: dict[str, list[Form]] = {}
    for row in read_fragments("strengths"):
        strengths = sorted(Fraction(text) for text in row["strengths"].split(";"))
        days = Fraction(row["every_days"])
        if row["form"] in MEASURED:
            strengths = [strengths[0] * Fraction(row["step_ml"])]
        pieces = [strengths[0] / 2, *strengths] if row["split"] == "yes" else strengths
        form = Form(row["form"], tuple(piece / days for piece in pieces), strengths[0] / days)
        found.setdefault(row["drug_id"], []).append(form)
    # What is counted comes before what is measured: a tablet is preferred where it suffices.
    return {drug: tuple(sorted(forms, key=lambda form: form.name in MEASURED)) for drug, forms in found.items()}


def forms_of(drug_id: str) -> tuple[Form, ...]:
    """Marketed forms of a drug, counted ones first; empty when the table has none."""
    return _table().get(drug_id, ())
