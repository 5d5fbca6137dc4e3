"""The soak finds what a server keeps of the clients that left it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from polyguard_assets.soak import __main__ as soak
from polyguard_assets.soak.measures import Sample, slope

START = Sample(seconds=0.0, rss_mib=100.0, fds=20, threads=5, sessions=0, episodes=0)
FULL = {"slots": 64, "opened": 64, "refusal": "CAPACITY_REACHED"}


def test_a_short_soak_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "SETTLE_SECONDS", 1.0)
    path = tmp_path / "soak.json"
    soak.main(["--sessions", "40", "--minutes", "0.15", "--idle", "2", "--every", "0.5", "--report", str(path)])
    found = json.loads(path.read_text())
    assert found["surprises"] == [] and found["faults"] == []
    assert set(found["leaked"].values()) == {0} and found["capacity"] == FULL
    assert found["steps"] > 0 and sum(found["sessions_by_behaviour"].values()) == 40
    assert found["most_sessions_at_once"] > 1 and found["server_exit_code"] == 0


def judged(samples: list[Sample], after: Sample, **slots: object) -> dict[str, object]:
    return soak.report(START, samples, after, Counter(), [], 1, FULL | slots)


def test_whatever_is_left_behind_fails() -> None:
    flat = [replace(START, seconds=float(n)) for n in range(0, 1800, 10)]
    assert judged(flat, START)["passed"] is True
    for left in (
        replace(START, sessions=1),
        replace(START, episodes=2),
        replace(START, fds=21),
        replace(START, threads=6),
    ):
        assert judged(flat, left)["passed"] is False
    assert judged(flat, START, opened=63)["passed"] is False
    assert judged(flat, START, refusal="SESSION_ERROR")["passed"] is False
    assert soak.report(START, flat, START, Counter(), ["surprise"], 1, FULL)["passed"] is False


def test_memory_that_grows_fails_and_memory_that_only_warms_up_does_not() -> None:
    grows = [replace(START, seconds=float(n), rss_mib=100 + n / 60) for n in range(0, 1800, 10)]
    assert judged(grows, START)["passed"] is False
    warms = [replace(START, seconds=float(n), rss_mib=min(140.0, 100 + n / 10)) for n in range(0, 1800, 10)]
    assert judged(warms, START)["passed"] is True


def test_a_slope_has_an_error() -> None:
    gradient, error = slope([0, 1, 2, 3], [1, 3, 5, 7])
    assert (gradient, error) == (2.0, 0.0)
    assert slope([0, 1, 2, 3], [1, 4, 4, 7])[1] > 0
