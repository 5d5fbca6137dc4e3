"""The reward as an OpenEnv rubric tree: thirteen columns under a weighted sum.

The verifier computes each column with its gate applied; the tree shows what the reward is made of,
column by column, and combines them with the same weights and bounds.
"""

from __future__ import annotations

from typing import Any

from openenv.core.rubrics import Rubric, RubricDict

from polyguard_env.reward.columns import COLUMNS, HIGH, LOW, WEIGHTS


class ColumnRubric(Rubric):
    """One reward column, 0-1, as the verifier computed it for the observation."""

    def __init__(self, column: str) -> None:
        super().__init__()
        self.column = column

    def forward(self, action: Any, observation: Any) -> float:
        return float(observation.columns[self.column])


class PolyGuardRubric(Rubric):
    """The weighted sum of the columns, mapped to [0.001, 0.999]; None-reward observations score 0."""

    def __init__(self) -> None:
        super().__init__()
        self.columns = RubricDict({name: ColumnRubric(name) for name in COLUMNS})

    def forward(self, action: Any, observation: Any) -> float:
        if not observation.columns:
            return 0.0
        raw = sum(WEIGHTS[name] * self.columns[name](action, observation) for name in COLUMNS)
        return float(LOW + (HIGH - LOW) * raw)
