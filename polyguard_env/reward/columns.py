"""The thirteen reward columns, their default weights and channels, and the map to a reward.

Every column is a strictly increasing function of what it measures, the weights sum to 1 and the
final map is affine, so no two different qualities are clipped to the same reward.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp

WEIGHTS: dict[str, float] = {
    "format_compliance_score": 0.08,
    "candidate_alignment_score": 0.08,
    "legality_score": 0.12,
    "safety_delta_score": 0.15,
    "burden_improvement_score": 0.08,
    "disease_stability_score": 0.10,
    "dosing_quality_score": 0.08,
    "abstention_quality_score": 0.06,
    "efficiency_score": 0.06,
    "process_fidelity_score": 0.06,
    "explanation_grounding_score": 0.03,
    "anti_cheat_score": 0.06,
    "uncertainty_calibration_score": 0.04,
}
COLUMNS: tuple[str, ...] = tuple(WEIGHTS)
CHANNELS: dict[str, tuple[str, ...]] = {
    "safety_legality": ("legality_score", "safety_delta_score", "anti_cheat_score"),
    "clinical_improvement": ("burden_improvement_score", "disease_stability_score"),
    "dosing_quality": ("dosing_quality_score", "abstention_quality_score"),
    "process_integrity": (
        "format_compliance_score",
        "candidate_alignment_score",
        "efficiency_score",
        "process_fidelity_score",
        "explanation_grounding_score",
        "uncertainty_calibration_score",
    ),
}
UNGATED: frozenset[str] = frozenset({"format_compliance_score", "candidate_alignment_score", "legality_score"})
# Paid without legality: the ungated ones, and the sliver of conduct that keeps a malformed answer off the bound.
UNCONDITIONAL: frozenset[str] = UNGATED | {"anti_cheat_score"}
LOW, HIGH = 0.001, 0.999
BEST_LOGIT = 4.0
DELTA_SCALE = 0.3


def delta_score(delta: float, best_delta: float) -> float:
    """Score in (0, 1) of a potential difference against the best legal action's.

    Logistic, strictly increasing in `delta`: about 0.98 at the best action's difference, 0.66 when
    a moderate harm (1.0) is left, 0.002 when a major one (3.0) is.
    """
    x = BEST_LOGIT + (delta - best_delta) / DELTA_SCALE
    return 1.0 / (1.0 + exp(-x)) if x >= 0 else exp(x) / (1.0 + exp(x))


def gate(columns: Mapping[str, float], factor: float) -> dict[str, float]:
    """Scale every gated column by `factor` (0-1): illegal or unsafe actions earn no bonus."""
    return {name: value if name in UNGATED else value * factor for name, value in columns.items()}


def combine(columns: Mapping[str, float], weights: Mapping[str, float] = WEIGHTS) -> float:
    """Reward in [0.001, 0.999]: an affine map of the weighted mean of the columns.

    Args:
        columns: all thirteen columns, each in [0, 1].
        weights: column weights; they sum to 1.
    """
    raw = sum(weights[name] * columns[name] for name in weights)
    return LOW + (HIGH - LOW) * raw


_SHARES = {
    channel: ([(name, WEIGHTS[name]) for name in names], sum(WEIGHTS[name] for name in names))
    for channel, names in CHANNELS.items()
}


def channels(columns: Mapping[str, float]) -> dict[str, float]:
    """The four channels: weighted means of their columns, each in [0, 1]."""
    return {
        channel: sum([weight * columns[name] for name, weight in shares]) / total
        for channel, (shares, total) in _SHARES.items()
    }
