"""Columns, channels and the map to a reward: bounded without clipping, and strictly ordered."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyguard_env.reward.columns import CHANNELS, COLUMNS, UNGATED, WEIGHTS, channels, combine, delta_score, gate

shares = st.floats(0.0, 1.0)


def test_weights_are_the_designs_and_sum_to_one() -> None:
    assert len(COLUMNS) == 13
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)
    assert WEIGHTS["safety_delta_score"] == 0.15
    assert WEIGHTS["uncertainty_calibration_score"] == 0.04


def test_every_column_belongs_to_one_channel() -> None:
    assert sorted(name for names in CHANNELS.values() for name in names) == sorted(COLUMNS)
    assert len(CHANNELS) == 4


def test_the_bounds_are_reached_only_by_all_or_nothing() -> None:
    assert combine(dict.fromkeys(COLUMNS, 0.0)) == pytest.approx(0.001)
    assert combine(dict.fromkeys(COLUMNS, 1.0)) == pytest.approx(0.999)


@given(st.lists(shares, min_size=13, max_size=13), st.integers(0, 12), st.floats(0.001, 0.2))
def test_a_worse_column_always_scores_lower(values: list[float], place: int, drop: float) -> None:
    better = dict(zip(COLUMNS, [min(1.0, v + drop) if i == place else v for i, v in enumerate(values)], strict=True))
    worse = dict(
        zip(
            COLUMNS,
            [better[n] - drop if i == place else v for i, (n, v) in enumerate(zip(COLUMNS, values, strict=True))],
            strict=True,
        )
    )
    assert combine(worse) < combine(better)


def test_more_harm_scores_lower_however_much_there_is_already() -> None:
    scores = [delta_score(-harm, 0.0) for harm in (0.0, 0.2, 1.0, 3.0, 6.0, 20.0, 60.0, 200.0)]
    assert all(a > b for a, b in pairwise(scores))
    assert scores[0] > 0.98


@given(st.floats(0.0, 1.0))
def test_the_gate_leaves_format_and_legality_alone(factor: float) -> None:
    gated = gate(dict.fromkeys(COLUMNS, 0.8), factor)
    assert all(gated[name] == 0.8 for name in UNGATED)
    assert all(gated[name] <= 0.8 for name in COLUMNS)


def test_channels_are_means_of_their_columns() -> None:
    assert channels(dict.fromkeys(COLUMNS, 0.4)) == pytest.approx(dict.fromkeys(CHANNELS, 0.4))
