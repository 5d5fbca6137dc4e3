"""Whether the shape of an observation tells the answer: classifiers on everything but the clinical content.

Two questions: which candidate is best, and whether a scenario is a control. Chance is stated for each:

- place, ids and metadata alone have to pick the best candidate no more often than a uniform draw;
- the kind of an action is clinical content ("finish" is seldom best where something is wrong), and a text's length
  gives the kind away, so lengths and counts are judged on top of it: kind with lengths, counts, order and metadata has
  to do no better than kind alone. The observation says which sub-environment it is, and kinds are best more or less
  often by sub-environment, so over several of them kind means kind by sub-environment, on both sides;
- the letters of the drugs' names in a text tell which drugs they are, which is clinical content; their number is kept
  out of the lengths and what it adds is reported beside them;
- a control has to be told from a problem with an area under the curve of 0.5.

Every figure is out of fold, folds by scenario, with a 95% bootstrap interval over scenarios; the better of a linear
and a boosted model counts. A leak is an excess that lies further above 0 than `Z` standard errors, which allows for
the choice between the models (and, part by part, for the number of parts looked at).
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import pandas as pd

from polyguard_env.rollouts import bootstrap_interval
from polyguard_env.trust.shape import COUNT, KIND, LENGTH, META, NAME, ORDER, columns

FOLDS = 5
LEAST_CONTROLS = 10
Z, Z_PARTS = 2.24, 3.2


def models(seed: int) -> list[Any]:
    """A linear and a boosted classifier, both deterministic."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return [
        make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500)),
        HistGradientBoostingClassifier(max_iter=60, max_depth=3, learning_rate=0.1, random_state=seed),
    ]


def out_of_fold(features: np.ndarray, label: np.ndarray, groups: np.ndarray, model: Any) -> np.ndarray:
    """Predicted probabilities of each row by a model that never saw its group; shape (rows,)."""
    from sklearn.base import clone
    from sklearn.model_selection import StratifiedGroupKFold
    from threadpoolctl import threadpool_limits

    predicted = np.zeros(len(label))
    # One thread: the tables are small, and sums in a fixed order give the same figures on every machine.
    with threadpool_limits(1):
        for train, test in StratifiedGroupKFold(FOLDS).split(features, label, groups):
            predicted[test] = clone(model).fit(features[train], label[train]).predict_proba(features[test])[:, 1]
    return predicted


def hits(candidates: pd.DataFrame, score: np.ndarray, seed: int) -> pd.Series:
    """By scenario: 1 when the candidate with the highest score is a best one. Ties are broken at random."""
    rng = np.random.Generator(np.random.PCG64(seed))
    frame = pd.DataFrame(
        {"scenario": candidates["scenario"], "best": candidates["best"], "score": score, "tie": rng.random(len(score))}
    )
    frame = frame.sort_values(["scenario", "score", "tie"])
    return frame.groupby("scenario")["best"].last().astype(float)


def accuracy(candidates: pd.DataFrame, features: list[str], seed: int) -> pd.Series:
    """Hits by scenario of the better of the two models."""
    matrix = candidates[features].to_numpy(dtype=float)
    label, groups = candidates["best"].to_numpy(dtype=bool), candidates["scenario"].to_numpy()
    found = [hits(candidates, out_of_fold(matrix, label, groups, model), seed) for model in models(seed)]
    return max(found, key=lambda series: float(series.mean()))


def estimate(values: np.ndarray, seed: int) -> dict[str, Any]:
    low, high = bootstrap_interval(values, seed)
    return {"value": float(values.mean()), "ci": [low, high]}


def above_zero(values: np.ndarray, z: float) -> bool:
    """True when a mean lies more than `z` standard errors above 0."""
    return float(values.mean()) > z * float(values.std()) / sqrt(len(values))


def kinds_by_task(candidates: pd.DataFrame) -> pd.DataFrame:
    """The kind of each candidate in each sub-environment that offers it, a column each; none for one alone."""
    tasks = candidates["sub_environment"] if "sub_environment" in candidates else pd.Series(dtype=str)
    found = {
        f"{name}_{task}": candidates[name] * (tasks == task)
        for task in (tasks.unique() if tasks.nunique() > 1 else ())
        for name in columns(candidates, KIND)
    }
    return pd.DataFrame({name: kind for name, kind in found.items() if kind.any()}, index=candidates.index)


def best_candidate(candidates: pd.DataFrame, seed: int = 0, z: float = Z) -> dict[str, Any]:
    """How well shape alone finds the best candidate.

    Returns:
        `uniform` (chance of a uniform draw), `order`, `order_excess`, `kind`, `kind_and_shape`, `shape_excess` and
        `names_excess` (what the letters of names add), each a mean with its interval, and `leaks`: the excesses that
        lie above 0, names aside.
    """
    share = candidates.groupby("scenario")["best"].mean()
    candidates = candidates.join(kinds_by_task(candidates))
    order = accuracy(candidates, columns(candidates, ORDER, META), seed)
    kind = accuracy(candidates, columns(candidates, KIND), seed)
    both = accuracy(candidates, columns(candidates, KIND, LENGTH, COUNT, ORDER, META), seed)
    named = accuracy(candidates, columns(candidates, KIND, LENGTH, COUNT, ORDER, META, NAME), seed)
    found: dict[str, Any] = {
        "scenarios": len(share),
        "uniform": estimate(share.to_numpy(), seed),
        "order": estimate(order.to_numpy(), seed),
        "order_excess": estimate((order - share).to_numpy(), seed),
        "kind": estimate(kind.to_numpy(), seed),
        "kind_and_shape": estimate(both.to_numpy(), seed),
        "shape_excess": estimate((both - kind).to_numpy(), seed),
        "names_excess": estimate((named - both).to_numpy(), seed),
    }
    excesses = {"order_excess": order - share, "shape_excess": both - kind}
    found["leaks"] = [name for name, values in excesses.items() if above_zero(values.to_numpy(), z)]
    return found


def control(scenarios: pd.DataFrame, seed: int = 0, z: float = Z) -> dict[str, Any]:
    """How well shape, and the time of a reset, tell a control from a problem: areas under the curve.

    Returns:
        `shape` and `timing` with intervals, the share of controls, and `leaks`; only the share where there are fewer
        than `LEAST_CONTROLS` of either.
    """
    label = scenarios["control"].to_numpy(dtype=bool)
    found: dict[str, Any] = {"scenarios": len(label), "controls": int(label.sum()), "leaks": []}
    if min(label.sum(), (~label).sum()) < LEAST_CONTROLS:
        return found
    groups = scenarios["scenario"].to_numpy()
    for name, features in (("shape", columns(scenarios, ORDER, LENGTH, COUNT, META)), ("timing", ["reset_seconds"])):
        matrix = scenarios[features].to_numpy(dtype=float)
        scores = [out_of_fold(matrix, label, groups, model) for model in models(seed)]
        areas = [area(label, score) for score in scores]
        score = scores[int(np.argmax(areas))]
        found[name] = {"value": max(areas), "ci": list(area_interval(label, score, seed))}
    # Timing depends on the machine; it is reported, and only shape counts as a leak.
    spread = (found["shape"]["ci"][1] - found["shape"]["ci"][0]) / (2 * 1.96)
    found["leaks"] = ["shape"] if found["shape"]["value"] > 0.5 + z * spread else []
    return found


def area(label: np.ndarray, score: np.ndarray) -> float:
    """Area under the receiver operating characteristic: chance that a positive outranks a negative."""
    ranks = pd.Series(score).rank().to_numpy()
    positives = int(label.sum())
    negatives = len(label) - positives
    return float((ranks[label].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def area_interval(label: np.ndarray, score: np.ndarray, seed: int, samples: int = 1000) -> tuple[float, float]:
    """95% bootstrap interval of the area, resampled within each class."""
    rng = np.random.Generator(np.random.PCG64(seed))
    yes, no = np.flatnonzero(label), np.flatnonzero(~label)
    areas = []
    for _ in range(samples):
        drawn = np.concatenate([rng.choice(yes, len(yes)), rng.choice(no, len(no))])
        areas.append(area(label[drawn], score[drawn]))
    low, high = np.quantile(areas, [0.025, 0.975])
    return float(low), float(high)
