"""The person's line of a compact text."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from polyguard_env.environment.episode import Scenario
from polyguard_env.environment.observed import KIDNEY, Shown, drug_word, measurement_word
from polyguard_env.environment.pieces import Piece, Remembered, joined
from polyguard_env.risk.index import RuleIndex

# Outside these a value is marked low or high in the text: a display choice of this project (2026) for older adults. The
# published reference ranges are in `measurements*.csv`, with their sources.
ABNORMAL = {
    "potassium": (3.5, 5.0, "K"),
    "sodium": (135.0, 146.0, "Na"),
    "inr": (0.0, 3.0, "INR"),
    "qtc": (300.0, 460.0, "QTc"),
    "heart_rate": (55.0, 100.0, "HR"),
    "systolic_bp": (110.0, 160.0, "BP"),
    "haemoglobin": (11.0, 18.0, "Hb"),
}


class PersonLine:
    """The person's line, of pieces whose sizes add up, by how many conditions are named.

    Every piece begins with a space or a sign, so that no word or number reaches over two of them.

    Args:
        patient: as `known_patient` gives one.
    """

    __slots__ = ("_conditions", "_head", "_tail", "_told")

    def __init__(self, patient: Mapping[str, Any], state: Shown, scenario: Scenario, index: RuleIndex) -> None:
        name, crcl, measurements = scenario.sub_environment, patient["crcl"], patient["measurements"]
        head = [f"{patient['age']}{patient['sex']}"]
        if name == "PRECISION_DOSING":
            head.append(f" {patient['weight']}kg")
        head.append(" CrCl ?" if crcl is None else f" CrCl {crcl}")
        for measurement, (low, high, label) in ABNORMAL.items():
            value = measurements.get(measurement)
            if value is not None and not low <= value <= high:
                head.append(f" {label} {value:g}")
        if patient["falls"] > 0:
            head.append(" falls")
        if name == "LONGITUDINAL_DEPRESCRIBING" and patient["frailty"]:
            head.append(f" frailty {patient['frailty']}")
        if patient["child_pugh"]:
            head.append(f" Child {patient['child_pugh']}")
        head += [f" {gene} {phenotype.replace('_', ' ')}" for gene, phenotype in patient["genotype"].items()]
        self._head = head
        self._conditions = [told for *_, told in sorted(map(_ranks(index).__getitem__, patient["conditions"]))]
        tail = []
        if patient["allergies"]:
            tail.append("; allergy " + ", ".join([drug_word(name) for name in patient["allergies"][:3]]))
        missing = [word for name in state.hidden if (word := _missing_word(name))]
        if missing:
            tail.append("; unknown " + ", ".join(dict.fromkeys(missing)))
        if state.withdrawals:
            tail.append("; withdrawal " + ", ".join([drug_word(name) for name in sorted(state.withdrawals)]))
        self._tail = tail
        self._told: dict[int, Piece] = {}

    def naming(self, most: int) -> Piece:
        """The line with so many conditions at most."""
        found = self._told.get(most)
        if found is None:
            named = self._conditions[:most]
            if named:
                named[0] = f";{named[0][1:]}"
            found = self._told[most] = joined([*self._head, *named, *self._tail])
        return found

    def counting(self) -> Piece:
        """The line without conditions, and all that follows them only counted with them."""
        if not self._tail:
            return self.naming(0)
        return joined([*self._head, f"; +{len(self._conditions) + len(self._tail)} more"])


@lru_cache(maxsize=4)
def _ranks(index: RuleIndex) -> Remembered[str, tuple[bool, float, str, str]]:
    """A condition's place among others, those that speak strongly against some drug first, and its short name."""
    against = _against(index)
    return Remembered(lambda name: (name not in against, -index.priority(name), name, f", {index.short(name)}"))


def _missing_word(name: str) -> str:
    """How the person's line calls what is hidden; drugs and products say so on their own lines."""
    if name in KIDNEY:
        return "kidney function"
    if name.startswith(("facts:", "product:")):
        return ""
    return "chart" if name == "allergies" or name.startswith("indication:") else measurement_word(name)


def _against(index: RuleIndex) -> frozenset[str]:
    """Conditions that speak strongly against some drug: they are named first."""
    return frozenset(
        rule.fields["condition"]
        for rule in index.knowledge.rules("drug_disease")
        if rule.severity in ("major", "contraindicated")
    )
