"""Attacks near the floor are measured again, on other scenarios, and judged by that."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.policies import POLICIES
from polyguard_env.trust.acceptance import ABOVE_FLOOR, Violation
from polyguard_env.trust.attacks import panel
from polyguard_env.trust.floor import AboveFloor, compared, measured_again, near, settled, spread
from polyguard_env.trust.measure import Plan, play_panel


def cell(**rewards: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {"sub_environment": "DDI", "difficulty": "easy", "policy": name, "scenario_id": f"s{place}", "reward": reward}
        for name, values in rewards.items()
        for place, reward in enumerate(values)
    )


def test_differences_are_paired() -> None:
    floor = [0.3, 0.9, 0.3, 0.9]
    one = compared(cell(no_change=floor, always_keep=[r + 0.01 for r in floor]), ["always_keep"])[0]
    assert one.difference == pytest.approx(0.01)
    assert one.ci == pytest.approx((0.01, 0.01)) and one.scenarios == 4


def test_an_interval_covers_the_mean_it_is_of() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    covered = 0
    for _ in range(400):
        noise = rng.normal(0.01, 0.1, 20)
        frame = cell(no_change=[0.3] * 20, always_keep=[0.3 + float(e) for e in noise])
        low, high = compared(frame, ["always_keep"])[0].ci
        covered += low <= 0.01 <= high
    assert 0.92 <= covered / 400 <= 0.98
    assert spread(400) == pytest.approx(1.966, abs=1e-3)


def test_near_is_what_reaches_over_the_line() -> None:
    far, close = [0.3, 0.29, 0.3, 0.29], [0.3, 0.4, 0.3, 0.2]
    frame = cell(no_change=[0.3] * 4, always_keep=far, finish_at_once=close, stop_everything=[0.5] * 4)
    assert near(frame) == ["finish_at_once"]  # stop_everything does blind good and is held to another line


@pytest.mark.parametrize(
    ("difference", "half", "broken", "certain"),
    [(0.01, 0.02, False, False), (0.03, 0.02, True, False), (0.05, 0.005, True, True)],
)
def test_a_line_is_broken_by_the_second_measurement(
    difference: float, half: float, broken: bool, certain: bool
) -> None:
    again = AboveFloor("DDI", "easy", "always_keep", 400, difference, (difference - half, difference + half))
    other = Violation("ladder", "DDI", "easy", "always_keep", 0.1, True)
    first = Violation("canary_floor", "DDI", "easy", "always_keep", 0.5, True)
    left = settled([other, first], [again])
    assert left[0] == other and len(left) == 1 + broken
    if broken:
        assert left[1].excess == pytest.approx(difference - ABOVE_FLOOR) and left[1].certain is certain


def test_attacks_are_measured_again_on_other_scenarios(env: PolyGuardEnv) -> None:
    plan = Plan(2, seed=3, sub_environments=("WEB_SEARCH_MISSING_DATA",), difficulties=("easy",))
    makers = {"no_change": POLICIES["no_change"], **{name: panel()[name] for name in ("add_drugs", "empty_answer")}}
    episodes = play_panel(env, plan, makers)
    again = measured_again(env, plan, episodes, 9)
    assert [one.policy for one in again] == near(episodes) == ["add_drugs"]
    assert again[0].scenarios == 9
    fresh = Plan(9, 3, sub_environments=plan.sub_environments, difficulties=plan.difficulties, first=2)
    assert again == compared(play_panel(env, fresh, makers), ["add_drugs"])
    assert not set(fresh.ids(*plan.cells()[0])) & set(plan.ids(*plan.cells()[0]))
    assert measured_again(env, plan, episodes, 0) == []
