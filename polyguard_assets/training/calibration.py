"""Making a policy's probabilities mean what they say: one temperature, fitted by likelihood."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from polyguard_assets.training.publish import write_json
from polyguard_env.errors import PolyGuardError

CALIBRATION_FILE = "calibration.json"
LOWEST, HIGHEST = 0.05, 20.0


@dataclass(frozen=True)
class Calibration:
    """How scores become confidence.

    Attributes:
        temperature: divides candidate log-likelihoods.
        length_normalise: scores are means per token, as in training.
        groups: decision points it was fitted on; 0 when it is the default.
        negative_log_likelihood: of the best candidates under the fit, nats.
    """

    temperature: float = 1.0
    length_normalise: bool = False
    groups: int = 0
    negative_log_likelihood: float | None = None

    def save(self, directory: Path | str) -> None:
        """Write it beside the weights."""
        write_json(Path(directory) / CALIBRATION_FILE, asdict(self))

    @classmethod
    def load(cls, directory: Path | str) -> Calibration:
        """The one beside the weights, or the default when training wrote none."""
        path = Path(directory) / CALIBRATION_FILE
        if not path.is_file():
            return cls()
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise PolyGuardError(CALIBRATION_FILE, str(path), "materialize the adapter again") from error


def fit_calibration(
    scores: Sequence[np.ndarray], rewards: Sequence[np.ndarray], length_normalise: bool = False
) -> Calibration:
    """The temperature under which the best-rewarded candidates are most likely.

    Golden-section search over log temperature; the likelihood has one peak there.

    Args:
        scores: log-likelihoods per decision point, as `candidate_loss` takes them.
        rewards: rewards per decision point; ties for best share the credit.
    """
    if not scores:
        return Calibration(length_normalise=length_normalise)
    left, right = np.log(LOWEST), np.log(HIGHEST)
    ratio = (np.sqrt(5) - 1) / 2
    while right - left > 1e-3:
        low, high = right - ratio * (right - left), left + ratio * (right - left)
        if _loss(np.exp(low), scores, rewards) < _loss(np.exp(high), scores, rewards):
            right = high
        else:
            left = low
    temperature = float(np.exp((left + right) / 2))
    return Calibration(
        temperature=round(temperature, 4),
        length_normalise=length_normalise,
        groups=len(scores),
        negative_log_likelihood=round(_loss(temperature, scores, rewards), 5),
    )


def softmax(scores: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Probabilities of candidates from their scores."""
    shifted = np.asarray(scores, dtype=np.float64) / temperature
    weights = np.exp(shifted - shifted.max())
    probabilities: np.ndarray = weights / weights.sum()
    return probabilities


def _loss(temperature: float, scores: Sequence[np.ndarray], rewards: Sequence[np.ndarray]) -> float:
    losses = []
    for score, reward in zip(scores, rewards, strict=True):
        best = np.asarray(reward) >= np.max(reward) - 1e-9
        losses.append(-np.log(max(softmax(score, temperature)[best].sum(), 1e-12)))
    return float(np.mean(losses))
