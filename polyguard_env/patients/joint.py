"""Figures that tie a cohort's columns together, each beside the published one of `cohort_figures.csv`.

Shares and counts alone cannot tell a cohort from its shuffled columns. These can: drugs and what they are for, kidneys
with age, size with sex, measurements with diseases and disease with disease.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from polyguard_env.errors import PolyGuardError
from polyguard_env.patients.selection import People
from polyguard_env.risk.index import RuleIndex

LEAST_GROUP = 20
Figure = Callable[[People, str, str, np.ndarray], float]


def joint_figure(people: People, row: dict[str, str], index: RuleIndex) -> float:
    """What the cohort shows for one row of `cohort_figures.csv`; NaN where fewer than `LEAST_GROUP` people count.

    Raises:
        PolyGuardError: the row's kind is none of those known.
    """
    if row["kind"] == "dose_in_range":
        return dose_in_range(people, index)
    if row["kind"] not in KINDS:
        raise PolyGuardError(f"cohort_figures.csv {row['figure']} kind", row["kind"], f"give one of {sorted(KINDS)}")
    group = people.select(row["within"])
    if int(group.sum()) < LEAST_GROUP:
        return float("nan")
    return KINDS[row["kind"]](people, row["subject"], row["other"], group)


def share(people: People, subject: str, _other: str, group: np.ndarray) -> float:
    """Share of the group that meets the subject's terms, 0-1."""
    return float(people.select(subject)[group].mean())


def odds_ratio(people: People, subject: str, other: str, group: np.ndarray) -> float:
    """Odds of the subject in those who meet the other terms over the odds in those who do not."""
    left, right = people.select(subject)[group], people.select(other)[group]
    cells = [float((a & b).sum()) + 0.5 for a in (left, ~left) for b in (right, ~right)]
    return cells[0] * cells[3] / (cells[1] * cells[2])


def quantile(people: People, subject: str, other: str, group: np.ndarray) -> float:
    """The column's quantile (0-1, in `other`) among the group, in the column's unit."""
    return float(np.quantile(people.column(subject)[group].astype(float), float(other)))


def correlation(people: People, subject: str, other: str, group: np.ndarray) -> float:
    """Pearson correlation of two columns; NaN where one is constant."""
    left, right = people.column(subject)[group].astype(float), people.column(other)[group].astype(float)
    if left.std() == 0.0 or right.std() == 0.0:
        return float("nan")
    return float(np.corrcoef(left, right)[0, 1])


def difference(people: People, subject: str, other: str, group: np.ndarray) -> float:
    """Mean of a column in those of the group who meet the other terms, less that in those who do not."""
    values, chosen = people.column(subject)[group].astype(float), people.select(other)[group]
    if min(int(chosen.sum()), int((~chosen).sum())) < LEAST_GROUP:
        return float("nan")
    return float(values[chosen].mean() - values[~chosen].mean())


def distinct(people: People, subject: str, _other: str, _group: np.ndarray) -> float:
    """Share of people whose values in these `;`-separated columns nobody before them has."""
    return float(1.0 - people.frame.duplicated(subset=subject.split(";")).mean())


def indication_held(people: People, _subject: str, _other: str, _group: np.ndarray) -> float:
    """Share of the drugs with a stated indication whose taker has it; 0 when lists differ, NaN without drugs."""
    rows, codes, names = people.flat("indications")
    if not np.array_equal(rows, people.flat("drugs")[0]):
        return 0.0
    held_rows, held_codes, held_names = people.flat("conditions")
    same = np.full(max(names.values(), default=0) + 1, -1)
    for name, code in names.items():
        same[code] = held_names.get(name, -1)
    stated = np.flatnonzero(codes != names.get("", -1))
    if not len(stated):
        return float("nan")
    most = len(held_names) + 1
    return float(np.isin(rows[stated] * most + same[codes[stated]], held_rows * most + held_codes).mean())


def dose_in_range(people: People, index: RuleIndex) -> float:
    """Share of doses from the least to the greatest of the drug's profile; 0 when lists differ, NaN without drugs."""
    _, codes, names = people.flat("drugs")
    if not np.array_equal(people.frame["drugs"].map(len), people.frame["doses"].map(len)):
        return 0.0
    if not len(codes):
        return float("nan")
    doses = np.concatenate(list(people.frame["doses"])).astype(float)
    low, high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    for name, code in names.items():
        if profile := index.profile(name):
            low[code], high[code] = profile.dose_min, profile.dose_max
    return float(((doses >= low[codes]) & (doses <= high[codes])).mean())


KINDS: dict[str, Figure] = {
    "share": share,
    "odds_ratio": odds_ratio,
    "quantile": quantile,
    "correlation": correlation,
    "difference": difference,
    "distinct": distinct,
    "indication_held": indication_held,
}
