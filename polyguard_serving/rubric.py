"""The reward as an OpenEnv rubric tree: four channels of columns under a weighted sum.

The verifier computes every column; the tree shows what the reward is made of, column by column and
channel by channel, and combines them with the same weights, gate and bounds.
"""

from __future__ import annotations

from typing import Any

from openenv.core.rubrics import Rubric, WeightedSum

from polyguard_env.reward.columns import CHANNELS, HIGH, LOW, UNCONDITIONAL, WEIGHTS


class ColumnRubric(Rubric):
    """One reward column, 0-1, as the verifier computed it for the observation."""

    def __init__(self, column: str) -> None:
        super().__init__()
        self.column = column

    def forward(self, action: Any, observation: Any) -> float:
        return float(observation.columns[self.column])


class GatedColumnRubric(ColumnRubric):
    """A bonus column: nothing without legality. The verifier has already scaled it by the safety gate."""

    def forward(self, action: Any, observation: Any) -> float:
        return super().forward(action, observation) if observation.columns["legality_score"] > 0.0 else 0.0


class ChannelRubric(WeightedSum):
    """One channel: the weighted mean of its columns; each is a child under its own name."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        total = sum(WEIGHTS[name] for name in columns)
        children = [ColumnRubric(name) if name in UNCONDITIONAL else GatedColumnRubric(name) for name in columns]
        super().__init__(children, [WEIGHTS[name] / total for name in columns])
        _name_children(self, columns)


class PolyGuardRubric(Rubric):
    """The reward: the weighted sum of the channels, mapped to [0.001, 0.999]; 0 before the first step."""

    def __init__(self) -> None:
        super().__init__()
        weights = [sum(WEIGHTS[name] for name in columns) for columns in CHANNELS.values()]
        self.channels = WeightedSum([ChannelRubric(columns) for columns in CHANNELS.values()], weights)
        _name_children(self.channels, tuple(CHANNELS))

    def forward(self, action: Any, observation: Any) -> float:
        if not observation.columns:
            return 0.0
        return float(LOW + (HIGH - LOW) * self.channels(action, observation))


def _name_children(rubric: Rubric, names: tuple[str, ...]) -> None:
    """List a container's children under their own names, not their places."""
    rubric._rubric_children = dict(zip(names, rubric.children(), strict=True))
