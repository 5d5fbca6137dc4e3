"""The names behind a record: what a candidate says and acts on, what a finding is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import orjson

from polyguard_env.engine import layout as at
from polyguard_env.engine.facts import FactTable
from polyguard_env.engine.vocabularies import KIDNEY
from polyguard_env.environment.episode import Scenario
from polyguard_env.environment.messages import ActionType
from polyguard_env.environment.observed import CHART, dose_word, drug_word, measurement_word

KEPT = 200_000
VERBS = {
    at.STOP: "stop",
    at.TAPER: "taper",
    at.REDUCE: "reduce",
    at.INCREASE: "increase",
    at.HOLD: "hold",
    at.ADD: "add",
}


class Words(NamedTuple):
    """A candidate in words.

    Attributes:
        targets, text: as in a `Candidate`.
        json: what follows the id in its JSON form.
    """

    action_type: ActionType
    targets: tuple[str, ...]
    text: str
    json: bytes

    @classmethod
    def of(cls, action_type: ActionType, targets: tuple[str, ...], text: str) -> Words:
        """The words with their JSON form."""
        told = orjson.dumps({"action_type": action_type, "targets": targets, "text": text})
        return cls(action_type, targets, text, b'",' + told[1:])


@dataclass(frozen=True, slots=True)
class Named:
    """A finding as those who explain or report read it.

    Attributes:
        finding_id: as in a review of the regimen, for example "interaction:fluconazole+warfarin".
        weight: what it weighs in its state.
    """

    finding_id: str
    category: str
    severity: str
    drugs: tuple[str, ...]
    mechanism: str
    weight: float


class Naming:
    """Words for the records of one knowledge base."""

    def __init__(self, table: FactTable) -> None:
        self.table = table
        self._words: dict[tuple[Any, ...], Words] = {}

    def candidate(self, scenario: Scenario, kind: int, a: int, b: int, value: float, group: int) -> Words:
        """What a candidate is, acts on and says.

        Args:
            group: number of the product that the target belongs to, 0 for none.
        """
        key: tuple[Any, ...] = (kind, a, b, value)
        if group > 0 and kind in (at.STOP, at.TAPER):
            key = (kind, scenario.products[group - 1].name)
        elif kind == at.DECOMPOSE:
            key = (kind, scenario.products[a - 1].name)
        elif kind == at.TEST:
            key = (kind, *scenario.combinations[a])
        elif kind == at.ORDER:
            key = (kind, self.measurement(scenario, a))
        found = self._words.get(key)
        if found is None:
            if len(self._words) >= KEPT:
                self._words.clear()
            words = self._own(*key) if isinstance(key[1], str) else self._shared(kind, a, b, value)
            found = self._words[key] = Words.of(*words)
        return found

    def _own(self, kind: int, *names: str) -> tuple[ActionType, tuple[str, ...], str]:
        """Words that depend on the scenario: its products, its combinations, the measurements it hides."""
        if kind == at.DECOMPOSE:
            text = f"take apart {names[0]}"
        elif kind == at.TEST:
            text = "test " + " + ".join(drug_word(name) for name in names)
        elif kind == at.ORDER:
            text = f"check {measurement_word(names[0])}"
        else:
            text = f"{VERBS[kind]} {names[0]}"
        return at.KINDS[kind], names, text

    def _shared(self, kind: int, a: int, b: int, value: float) -> tuple[ActionType, tuple[str, ...], str]:
        drugs = self.table.drugs
        action = at.KINDS[kind]
        if kind == at.FINISH:
            return action, (), "finish"
        if kind == at.KEEP:
            return action, (), "keep regimen"
        if kind == at.REVIEW:
            return action, (), "ask specialist"
        if kind == at.FETCH:
            if a == at.CHART:
                return action, (CHART,), "open the chart"
            return action, (drugs[a],), f"look up {drug_word(drugs[a])}"
        if kind in (at.SUBSTITUTE, at.RECOMMEND):
            return action, (drugs[a], drugs[b]), f"switch {drug_word(drugs[a])} to {drug_word(drugs[b])}"
        if kind == at.ADD:
            condition = self.table.conditions[b] if b >= 0 else ""
            return action, (drugs[a], condition), f"add {drug_word(drugs[a])}"
        if kind in (at.REDUCE, at.INCREASE):
            profile = self.table.index.profile(drugs[a])
            dose = dose_word(value, profile.dose_unit if profile else "")
            return action, (drugs[a], f"{value:g}"), f"{VERBS[kind]} {drug_word(drugs[a])} to {dose}"
        return action, (drugs[a],), f"{VERBS[kind]} {drug_word(drugs[a])}"

    def measurement(self, scenario: Scenario, place: int) -> str:
        """A measurement's name; kidney function goes by the name that the scenario hides it under."""
        name = self.table.measurements[place]
        if name in KIDNEY:
            return next((hidden for hidden in KIDNEY if hidden in scenario.hidden), name)
        return name

    def findings(self, rows: np.ndarray, taken: Sequence[str]) -> list[Named]:
        """Names of FINDING rows.

        Args:
            taken: drug of each slot.
        """
        return [self._finding(row, taken) for row in rows]

    def _finding(self, row: np.void, taken: Sequence[str]) -> Named:
        table, category, what = self.table, int(row["category"]), int(row["what"])
        severity, weight = SEVERITIES[int(row["severity"])], float(row["weight"])
        slots = int(row["slots"])
        drugs = tuple(sorted(name for place, name in enumerate(taken) if slots >> place & 1))
        one = table.drugs[row["a"]] if row["a"] >= 0 else ""
        mechanism = CATEGORY_NAMES[category]
        if what == at.HYPEREDGE:
            name = table.hyperedges[row["code"]]
            mechanism = table.index.combinations[name].rule.fields["mechanism"]
            return Named(f"combination:{name}", CATEGORY_NAMES[category], severity, drugs, mechanism, weight)
        if category == at.INTERACTION:
            mechanism = table.mechanisms[table.facts.edge[row["code"]]["mechanism"]]
            name = f"interaction:{'+'.join(drugs)}"
        elif category == at.DUPLICATION:
            name = f"duplication:{'+'.join(drugs)}"
        elif category == at.DRUG_DISEASE:
            mechanism = table.gene_names[row["b"]] if what == at.GENE else table.conditions[row["b"]]
            name = f"drug_disease:{one}+{mechanism}"
        elif category == at.ORGAN_DOSING:
            mechanism = DOSING_NAMES[what]
            name = f"organ_dosing:{mechanism}:{one}"
        elif category == at.OMISSION:
            rule = table.omission_rules[row["code"]]
            drugs, mechanism, name = (one,), rule.fields["condition"], f"omission:{rule.rule_id}"
        elif category == at.WITHDRAWAL:
            drugs, name = (one,), f"withdrawal:{one}"
        else:
            mechanism = BURDEN_NAMES[what]
            name = f"burden:{mechanism}:{one}" if one else f"burden:{mechanism}"
        return Named(name, CATEGORY_NAMES[category], severity, drugs, mechanism, weight)


SEVERITIES = ("", "minor", "moderate", "major", "contraindicated")
CATEGORY_NAMES = (
    "interaction", "drug_disease", "organ_dosing", "burden", "duplication", "omission", "monitoring", "withdrawal",
)  # fmt: skip
DOSING_NAMES = {at.RENAL: "renal", at.HEPATIC: "hepatic", at.MAXIMUM: "maximum"}
BURDEN_NAMES = {at.FALL_RISK: "fall_risk", at.AVOID: "avoid", at.ACB: "acb", at.DBI: "dbi"}
