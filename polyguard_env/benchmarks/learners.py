"""Reference learners of the polypharmacy bandit: random, linear Thompson sampling, a neural ensemble.

Each pulls in batches, never the same combination twice, and says which combinations it holds for dangerous.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

BLOCK = 8192
# Combinations looked at per batch, and the share of a batch pulled at random so that the harmless are known too.
CANDIDATES, EXPLORED = 20_000, 0.1


class Learner(ABC):
    """Chooses combinations to pull and learns from what they show.

    Args:
        combinations: drugs of each combination, bool of shape (n, drugs).
        threshold: relative risk above which a combination is dangerous.
        seed: of the learner's own draws, 0 or more.
    """

    def __init__(self, combinations: np.ndarray, threshold: float, seed: int) -> None:
        self.combinations, self.threshold = combinations, threshold
        self.rng = np.random.Generator(np.random.PCG64([seed, 2]))

    @abstractmethod
    def score(self, places: np.ndarray) -> np.ndarray:
        """Sampled predictions of the combinations at these places, shape (places, samples)."""

    def choose(self, pulled: np.ndarray, count: int) -> np.ndarray:
        """Places of `count` distinct combinations not yet pulled (bool of shape (n,)).

        Each sample picks its share of the batch greedily; a few are drawn at random.
        """
        places = np.flatnonzero(~pulled)
        if len(places) > CANDIDATES:
            places = self.rng.choice(places, size=max(CANDIDATES, count), replace=False)
        else:
            places = self.rng.permutation(places)
        free = round(EXPLORED * count)
        picked = _best_of(self.score(places[free:]), count - free)
        return np.concatenate([places[:free], places[free:][picked]])

    @abstractmethod
    def learn(self, chosen: np.ndarray, observed: np.ndarray) -> None:
        """Take in the noisy risks of the combinations at these places."""

    @abstractmethod
    def flagged(self) -> np.ndarray:
        """Which combinations it calls dangerous, bool of shape (n,)."""


class Random(Learner):
    """Pulls at random; calls dangerous what it saw above the threshold."""

    def __init__(self, combinations: np.ndarray, threshold: float, seed: int) -> None:
        super().__init__(combinations, threshold, seed)
        self._flagged = np.zeros(len(combinations), dtype=bool)

    def score(self, places: np.ndarray) -> np.ndarray:
        return self.rng.random((len(places), 1))

    def learn(self, chosen: np.ndarray, observed: np.ndarray) -> None:
        self._flagged[chosen] = observed > self.threshold

    def flagged(self) -> np.ndarray:
        return self._flagged.copy()


class LinearThompson(Learner):
    """Bayesian linear regression on the drugs, with Thompson sampling.

    It calls dangerous what its mean, less the residual standard deviation, puts above the threshold.
    """

    SAMPLES = 5
    RIDGE, SPREAD = 1.0, 0.3

    def __init__(self, combinations: np.ndarray, threshold: float, seed: int) -> None:
        super().__init__(combinations, threshold, seed)
        drugs = combinations.shape[1]
        self._precision = np.eye(drugs + 1) * self.RIDGE
        self._moment = np.zeros(drugs + 1)
        self._squares, self._pulls = 0.0, 0

    def _predict(self, places: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Predictions under each column of weights, shape (places, columns)."""
        found = np.empty((len(places), weights.shape[1]), dtype=np.float32)
        columns, base = weights[:-1].astype(np.float32), weights[-1].astype(np.float32)
        for start in range(0, len(found), BLOCK):
            rows = self.combinations[places[start : start + BLOCK]].astype(np.float32)
            found[start : start + BLOCK] = rows @ columns + base
        return found

    def score(self, places: np.ndarray) -> np.ndarray:
        factor = np.linalg.cholesky(self._precision)
        mean = np.linalg.solve(self._precision, self._moment)
        noise = np.linalg.solve(factor.T, self.rng.standard_normal((len(mean), self.SAMPLES)))
        return self._predict(places, mean[:, None] + self.SPREAD * noise)

    def learn(self, chosen: np.ndarray, observed: np.ndarray) -> None:
        rows = np.concatenate([self.combinations[chosen], np.ones((len(chosen), 1))], axis=1)
        self._precision += rows.T @ rows
        self._moment += rows.T @ observed
        self._squares += float(observed @ observed)
        self._pulls += len(chosen)

    def flagged(self) -> np.ndarray:
        mean = np.linalg.solve(self._precision, self._moment)
        # Residual sum of squares from the sufficient statistics of ridge regression.
        left = max(0.0, self._squares - float(mean @ self._moment)) / max(1, self._pulls)
        found = self._predict(np.arange(len(self.combinations)), mean[:, None])[:, 0]
        return np.asarray(found - left**0.5 > self.threshold)


class NeuralEnsemble(Learner):
    """Small networks on bootstrapped pulls; each picks a share of the batch greedily among candidates (Thompson).

    It calls dangerous what the mean of the networks, less twice their spread, puts above the threshold.
    """

    NETWORKS, HIDDEN = 5, 32
    STEPS, MINIBATCH, RATE, DECAY = 30, 128, 3e-3, 1e-5
    SHARE = 0.8

    def __init__(self, combinations: np.ndarray, threshold: float, seed: int) -> None:
        super().__init__(combinations, threshold, seed)
        drugs = combinations.shape[1]
        self._layers = [
            [
                self.rng.normal(0.0, (2.0 / 9.0) ** 0.5, (drugs, self.HIDDEN)).astype(np.float32),
                np.zeros(self.HIDDEN, dtype=np.float32),
                self.rng.normal(0.0, (1.0 / self.HIDDEN) ** 0.5, self.HIDDEN).astype(np.float32),
                np.ones(1, dtype=np.float32),
            ]
            for _ in range(self.NETWORKS)
        ]
        self._moments = [[(np.zeros_like(w), np.zeros_like(w)) for w in layers] for layers in self._layers]
        self._steps = 0
        self._rows = np.zeros((0, drugs), dtype=np.float32)
        self._risks = np.zeros(0, dtype=np.float32)
        self._kept: list[np.ndarray] = [np.zeros(0, dtype=bool) for _ in range(self.NETWORKS)]

    def _predict(self, places: np.ndarray) -> np.ndarray:
        """Predictions of every network, shape (places, networks)."""
        found = np.empty((len(places), self.NETWORKS), dtype=np.float32)
        for start in range(0, len(places), BLOCK):
            rows = self.combinations[places[start : start + BLOCK]].astype(np.float32)
            for number, (w1, b1, w2, b2) in enumerate(self._layers):
                found[start : start + BLOCK, number] = np.maximum(rows @ w1 + b1, 0.0) @ w2 + b2
        return found

    def score(self, places: np.ndarray) -> np.ndarray:
        return self._predict(places)

    def learn(self, chosen: np.ndarray, observed: np.ndarray) -> None:
        self._rows = np.concatenate([self._rows, self.combinations[chosen].astype(np.float32)])
        self._risks = np.concatenate([self._risks, observed.astype(np.float32)])
        for number in range(self.NETWORKS):
            kept = self.rng.random(len(chosen)) < self.SHARE
            self._kept[number] = np.concatenate([self._kept[number], kept])
        first = self._steps
        for number in range(self.NETWORKS):
            own = np.flatnonzero(self._kept[number])
            self._steps = first
            for _ in range(self.STEPS if len(own) else 0):
                self._steps += 1
                self._descend(number, own[self.rng.integers(len(own), size=self.MINIBATCH)])

    def _descend(self, number: int, places: np.ndarray) -> None:
        """One step of Adam on the squared error."""
        w1, b1, w2, b2 = self._layers[number]
        rows = self._rows[places]
        hidden = np.maximum(rows @ w1 + b1, 0.0)
        error = (hidden @ w2 + b2 - self._risks[places]) * (2.0 / len(places))
        back = np.outer(error, w2) * (hidden > 0.0)
        slopes = (rows.T @ back + self.DECAY * w1, back.sum(axis=0), hidden.T @ error, error.sum(keepdims=True))
        for weights, slope, (first, second) in zip(self._layers[number], slopes, self._moments[number], strict=True):
            first += 0.1 * (slope - first)
            second += 0.001 * (slope * slope - second)
            step = first / (1.0 - 0.9**self._steps)
            weights -= self.RATE * step / (np.sqrt(second / (1.0 - 0.999**self._steps)) + 1e-8)

    def flagged(self) -> np.ndarray:
        scores = self._predict(np.arange(len(self.combinations)))
        return np.asarray(scores.mean(axis=1) - 2.0 * scores.std(axis=1) > self.threshold)


def _best_of(scores: np.ndarray, count: int) -> np.ndarray:
    """The best places of each column in turn, none twice; scores has shape (n, samples)."""
    taken, picked = np.zeros(len(scores), dtype=bool), []
    samples = scores.shape[1]
    for sample in range(samples):
        share = count // samples + (sample < count % samples)
        if share:
            column = np.where(taken, -np.inf, scores[:, sample])
            best = np.argpartition(-column, share - 1)[:share]
            best = best[np.lexsort((best, -column[best]))]
            taken[best] = True
            picked.append(best)
    return np.concatenate(picked)


LEARNERS: dict[str, type[Learner]] = {
    "random": Random,
    "linear_thompson": LinearThompson,
    "neural_ensemble": NeuralEnsemble,
}
