"""What an agent knows of a state, kept with its words for as long as it stays the same."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import orjson

from polyguard_env.environment.episode import Scenario
from polyguard_env.environment.observed import Shown, known_patient, known_regimen
from polyguard_env.environment.person_line import PersonLine
from polyguard_env.environment.render import Rendering
from polyguard_env.risk.index import RuleIndex


class Person:
    """What is known of a person and their line by the withdrawals they have, for all who know the same of them."""

    __slots__ = ("lines", "patient")

    def __init__(self) -> None:
        self.patient: dict[str, Any] | None = None
        self.lines: dict[tuple[str, ...], PersonLine] = {}


class Standing:
    """The person and the drugs as the agent knows them, each put in words when first asked for.

    Attributes:
        key: what of the episode it follows from.
        scenario: the episode's.

    Args:
        last: what was known before, to take the person from where nothing more is known of them.
    """

    def __init__(
        self, key: object, state: Shown, scenario: Scenario, index: RuleIndex, last: Standing | None = None
    ) -> None:
        self.key, self.scenario, self._state, self._index = key, scenario, state, index
        same = last is not None and last.scenario is scenario and last._state.hidden == state.hidden
        self._person: Person = last._person if same and last else Person()

    @cached_property
    def rendering(self) -> Rendering:
        """Its compact texts."""
        lines, key = self._person.lines, self._state.withdrawals
        line = lines.get(key)
        if line is None:
            line = lines[key] = PersonLine(self._patient, self._state, self.scenario, self._index)
        return Rendering(line, self._regimen, self.scenario, self._index)

    @property
    def _patient(self) -> dict[str, Any]:
        found = self._person.patient
        if found is None:
            found = self._person.patient = known_patient(self._state, self.scenario)
        return found

    @cached_property
    def _regimen(self) -> list[dict[str, Any]]:
        return known_regimen(self._state, self.scenario, self._index)

    def patient(self) -> dict[str, Any]:
        """The patient, to keep and change: nothing of it is shared."""
        # A copy of each value is enough, for none nests deeper, at a twelfth of the time a deep copy takes.
        return {name: v.copy() if isinstance(v, (dict, list)) else v for name, v in self._patient.items()}

    def regimen(self) -> list[dict[str, Any]]:
        """The drugs, to keep and change: nothing of them is shared."""
        return [{**entry, "facts": [*map(dict.copy, entry["facts"])]} for entry in self._regimen]

    @cached_property
    def json(self) -> bytes:
        """Both as members of a JSON object."""
        return orjson.dumps({"patient": self._patient, "regimen": self._regimen})[1:-1]
