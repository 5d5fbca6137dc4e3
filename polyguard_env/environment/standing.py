"""What an agent knows of a state, kept with its words for as long as it stays the same."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import orjson

from polyguard_env.environment.episode import Scenario
from polyguard_env.environment.observed import Shown, known_patient, known_regimen
from polyguard_env.environment.render import Rendering
from polyguard_env.risk.index import RuleIndex


class Standing:
    """The person and the drugs as the agent knows them.

    Attributes:
        key: what of the episode it follows from.
        scenario: the episode's.
        rendering: its compact texts.

    Args:
        last: what was known before, to take the person from where nothing more is known of them.
    """

    def __init__(
        self, key: object, state: Shown, scenario: Scenario, index: RuleIndex, last: Standing | None = None
    ) -> None:
        self.key, self.scenario, self._hidden = key, scenario, state.hidden
        same = last is not None and last.scenario is scenario and last._hidden == state.hidden
        self._patient: dict[str, Any] = last._patient if same and last else known_patient(state, scenario)
        self._regimen = known_regimen(state, scenario, index)
        self.rendering = Rendering(self._patient, self._regimen, state, scenario, index)

    def patient(self) -> dict[str, Any]:
        """The patient, to keep."""
        return dict(self._patient)

    def regimen(self) -> list[dict[str, Any]]:
        """The drugs, to keep."""
        return [entry | {"facts": list(entry["facts"])} for entry in self._regimen]

    @cached_property
    def json(self) -> bytes:
        """Both as members of a JSON object."""
        return orjson.dumps({"patient": self._patient, "regimen": self._regimen})[1:-1]
