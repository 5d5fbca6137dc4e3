"""The simulated polypharmacy benchmark of OptimNeuralTS: find dangerous combinations of drugs with few pulls.

Larouche, Durand, Khoury and Sirois, "Neural Bandits for Data Mining: Searching for Dangerous Polypharmacy",
arXiv:2212.05190 (2022). Drugs of a combination and of a pattern are Bernoulli draws; a combination's relative risk
comes from its nearest pattern by Hamming distance D:

- it shares no drug with that pattern: N(1.0, 0.05) (neutral) or N(0.15, 0.1) (protective);
- it shares one or more: N(RR_p - 0.1 D / (|c| + |p|), 0.1); it is the pattern: RR_p.

Relative risks are not negative. A combination is dangerous above 1.1; a pull shows its risk with noise N(0, 0.1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from polyguard_env.benchmarks.learners import LEARNERS, Learner
from polyguard_env.errors import PolyGuardError

DISJOINT = {"neutral": (1.0, 0.05), "protective": (0.15, 0.1)}
BLOCK = 8192


@dataclass(frozen=True, slots=True)
class Settings:
    """Sizes and parameters; the defaults are the published ones.

    Attributes:
        drugs, patterns, combinations: how many of each; combinations and patterns are distinct and not empty.
        mean_drugs: expected drugs in a combination and in a pattern.
        least_risk, most_risk: bounds of a pattern's relative risk, drawn uniformly.
        slope: how much of a pattern's risk the distance takes away.
        spread: standard deviation of the risk of a combination that meets its pattern.
        threshold: relative risk above which a combination is dangerous.
        noise: standard deviation of a pull.
        disjoint: "neutral" or "protective".
    """

    drugs: int = 500
    patterns: int = 10
    combinations: int = 100_000
    mean_drugs: float = 8.7
    least_risk: float = 2.0
    most_risk: float = 3.0
    slope: float = 0.1
    spread: float = 0.1
    threshold: float = 1.1
    noise: float = 0.1
    disjoint: str = "neutral"

    def checked(self) -> Settings:
        """These settings.

        Raises:
            PolyGuardError: a size below 1, more combinations than can be told apart, or an unknown kind.
        """
        for name in ("drugs", "patterns", "combinations"):
            if getattr(self, name) < 1:
                raise PolyGuardError(name, getattr(self, name), "give a whole number of 1 or more")
        if not 0.0 < self.mean_drugs < self.drugs:
            raise PolyGuardError("mean_drugs", self.mean_drugs, "give more than 0 and fewer than there are drugs")
        if self.drugs < 24 and max(self.combinations, self.patterns) > 2 ** (self.drugs - 2):
            raise PolyGuardError("combinations", self.combinations, f"{self.drugs} drugs give too few; ask for fewer")
        if self.disjoint not in DISJOINT:
            raise PolyGuardError("disjoint", self.disjoint, f"use one of {', '.join(DISJOINT)}")
        return self


@dataclass(frozen=True, slots=True)
class Problem:
    """One simulated data set.

    Attributes:
        patterns: drugs of each pattern, bool of shape (patterns, drugs). pattern_risks: shape (patterns,).
        combinations: drugs of each combination, bool of shape (combinations, drugs).
        risks: true relative risk of each combination, shape (combinations,).
        dangerous: risk above the threshold, bool of shape (combinations,).
        nearest, distance: nearest pattern (the first of several) and its Hamming distance, shape (combinations,).
    """

    settings: Settings
    seed: int
    patterns: np.ndarray
    pattern_risks: np.ndarray
    combinations: np.ndarray
    risks: np.ndarray
    dangerous: np.ndarray
    nearest: np.ndarray
    distance: np.ndarray


def simulate(settings: Settings | None = None, seed: int = 0) -> Problem:
    """A data set; the same settings and seed give the same one.

    Raises:
        PolyGuardError: settings that cannot be, or a negative seed.
    """
    chosen = (settings or Settings()).checked()
    if seed < 0:
        raise PolyGuardError("seed", seed, "give a whole number of 0 or more")
    rng = np.random.Generator(np.random.PCG64(seed))
    patterns = _distinct(chosen.patterns, chosen, rng)
    pattern_risks = rng.uniform(chosen.least_risk, chosen.most_risk, size=chosen.patterns)
    combinations = _distinct(chosen.combinations, chosen, rng)
    nearest, distance, total = nearest_pattern(combinations, patterns)
    mean, spread = DISJOINT[chosen.disjoint]
    apart, same = distance == total, distance == 0
    meeting = rng.normal(pattern_risks[nearest] - chosen.slope * distance / total, chosen.spread)
    risks = np.where(apart, rng.normal(mean, spread, size=chosen.combinations), meeting)
    risks = np.maximum(np.where(same, pattern_risks[nearest], risks), 0.0)
    dangerous = risks > chosen.threshold
    return Problem(chosen, seed, patterns, pattern_risks, combinations, risks, dangerous, nearest, distance)


def _distinct(count: int, settings: Settings, rng: np.random.Generator) -> np.ndarray:
    """Distinct non-empty sets of drugs, bool of shape (count, drugs)."""
    share = settings.mean_drugs / settings.drugs
    kept = np.zeros((0, settings.drugs), dtype=bool)
    while len(kept) < count:
        fresh = np.empty((count - len(kept), settings.drugs), dtype=bool)
        for start in range(0, len(fresh), BLOCK):
            block = fresh[start : start + BLOCK]
            block[:] = rng.random(block.shape) < share
        kept = np.concatenate([kept, fresh[fresh.any(axis=1)]])
        packed = np.packbits(kept, axis=1)
        rows = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
        kept = kept[np.sort(np.unique(rows, return_index=True)[1])]
    return kept


def nearest_pattern(combinations: np.ndarray, patterns: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nearest pattern of each combination by Hamming distance, that distance, and the drugs of both counted together.

    Args:
        combinations: bool of shape (n, drugs). patterns: bool of shape (m, drugs).
    """
    sizes = patterns.sum(axis=1)
    nearest = np.empty(len(combinations), dtype=np.int64)
    distance = np.empty(len(combinations), dtype=np.int64)
    columns = patterns.T.astype(np.float32)
    for start in range(0, len(combinations), BLOCK):
        block = combinations[start : start + BLOCK]
        shared = (block.astype(np.float32) @ columns).astype(np.int64)
        apart = block.sum(axis=1)[:, None] + sizes[None, :] - 2 * shared
        nearest[start : start + BLOCK] = apart.argmin(axis=1)
        distance[start : start + BLOCK] = apart.min(axis=1)
    return nearest, distance, combinations.sum(axis=1) + sizes[nearest]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a learner stands after some pulls.

    Attributes:
        found: share of all dangerous combinations pulled so far.
        hits: share of the pulls that were dangerous.
        precision, recall: of the set of combinations the learner calls dangerous; precision is 1 for an empty set.
    """

    pulls: int
    found: float
    hits: float
    precision: float
    recall: float


def play(
    problem: Problem,
    learner: Learner,
    pulls: int,
    batch: int = 100,
    every: int = 1000,
    progress: Callable[[int, int], None] | None = None,
) -> list[Standing]:
    """Let a learner pull combinations, each at most once, in batches.

    Args:
        pulls: in all, 1 to the number of combinations.
        every: pulls between two standings; the last one is always there.

    Raises:
        PolyGuardError: more pulls than combinations, or none.
    """
    total = len(problem.combinations)
    if not 1 <= pulls <= total or batch < 1 or every < 1:
        raise PolyGuardError("pulls, batch, every", (pulls, batch, every), f"give 1 to {total} pulls, 1 or more each")
    rng = np.random.Generator(np.random.PCG64([problem.seed, 1]))
    pulled = np.zeros(total, dtype=bool)
    standings: list[Standing] = []
    done = 0
    while done < pulls:
        chosen = learner.choose(pulled, min(batch, pulls - done))
        observed = problem.risks[chosen] + rng.normal(0.0, problem.settings.noise, size=len(chosen))
        pulled[chosen] = True
        learner.learn(chosen, observed)
        before, done = done, done + len(chosen)
        if done // every > before // every or done >= pulls:
            standings.append(_standing(problem, learner, pulled, done))
        if progress:
            progress(done, pulls)
    return standings


def _standing(problem: Problem, learner: Learner, pulled: np.ndarray, pulls: int) -> Standing:
    dangerous, flagged = problem.dangerous, learner.flagged()
    right = int((flagged & dangerous).sum())
    there = max(1, int(dangerous.sum()))
    caught = int((pulled & dangerous).sum())
    return Standing(
        pulls, caught / there, caught / pulls, right / int(flagged.sum()) if flagged.any() else 1.0, right / there
    )


def benchmark(
    settings: Settings | None = None,
    pulls: int = 10_000,
    seeds: Sequence[int] = (0,),
    learners: Sequence[str] = tuple(LEARNERS),
    batch: int = 100,
    every: int = 1000,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Every learner on every seed's data set.

    Returns:
        JSON-ready: the settings, and per seed the number of dangerous combinations and each learner's standings.
    """
    for name in learners:
        if name not in LEARNERS:
            raise PolyGuardError("learners", name, f"use {', '.join(LEARNERS)}")
    runs = []
    for seed in seeds:
        problem = simulate(settings, seed)
        standings: dict[str, list[dict[str, float]]] = {}
        for name in learners:
            learner = LEARNERS[name](problem.combinations, problem.settings.threshold, seed)
            played = play(problem, learner, pulls, batch, every)
            standings[name] = [asdict(standing) for standing in played]
            if progress:
                last = played[-1]
                progress(f"seed {seed} {name}: found {last.found:.3f}, precision {last.precision:.3f}")
        runs.append({"seed": seed, "dangerous": int(problem.dangerous.sum()), "standings": standings})
    return {
        "benchmark": "simulated polypharmacy (OptimNeuralTS, arXiv:2212.05190)",
        "settings": asdict((settings or Settings()).checked()),
        "pulls": pulls,
        "batch": batch,
        "runs": runs,
    }
