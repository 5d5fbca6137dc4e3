"""The scoreboard: complete, traceable, and honest about what it broke."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from polyguard_assets.defs.evaluation import trust
from polyguard_assets.settings import Settings
from polyguard_assets.trust_page import render
from polyguard_env.__main__ import main
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.scenarios import SUB_ENVIRONMENTS
from polyguard_env.trust import leakage
from polyguard_env.trust.acceptance import LINES, violations
from polyguard_env.trust.attacks import NAMES
from polyguard_env.trust.harm import rank_correlation
from polyguard_env.trust.measure import LADDER
from polyguard_env.trust.scoreboard import Sizes, scoreboard
from polyguard_env.trust.second import risk

TINY = Sizes(scenarios=1, searched=1, again=4, leakage=12, harm=1, harm_seeds=1, regimens=60, walks=1)


@pytest.fixture(scope="module")
def board(env: PolyGuardEnv) -> dict[str, Any]:
    return scoreboard(env, TINY, seed=3, difficulties=("hard",))


def test_it_measures_every_cell_policy_and_line(board: dict[str, Any]) -> None:
    assert [(c["sub_environment"], c["difficulty"]) for c in board["cells"]] == [
        (name, "hard") for name in SUB_ENVIRONMENTS
    ]
    for cell in board["cells"]:
        assert set(cell["policies"]) == {*LADDER, *NAMES}
        assert all(found["episodes"] == 1 for found in cell["policies"].values())
    assert set(board["lines"]) == set(trust.CHECK_LINES)
    assert json.loads(json.dumps(board)) == board


def test_it_says_what_it_was_made_with(board: dict[str, Any], env: PolyGuardEnv) -> None:
    assert board["knowledge_fingerprint"] == env.knowledge.fingerprint
    assert len(board["code_version"]) == 12
    assert (board["seed"], board["split"]) == (3, "holdout")
    assert board["attacks"]["all"] == len(NAMES) >= 45


def test_the_page_shows_every_figure_of_the_lines(board: dict[str, Any]) -> None:
    page = render(board)
    assert all(about in page for about in trust.CHECK_LINES.values())
    assert all(f"`{name}`" in page for name in NAMES)
    assert "not a medical device" in page
    found = board["leakage"]["best_candidate"]["names_excess"]
    assert "names over shape" in page and f"{found['value']:.3f} [{found['ci'][0]:.3f}" in page
    assert f"{board['second_episodes']['candidates']:,} candidates priced" in page


def test_whole_episodes_are_worked_out_twice(board: dict[str, Any]) -> None:
    walked = board["second_episodes"]
    assert walked["scenarios"] == 2 * len(SUB_ENVIRONMENTS)
    assert walked["steps"] > walked["scenarios"] and walked["candidates"] > 5 * walked["steps"]
    line = board["lines"]["second_episodes"]
    assert line == {"holds": walked["disagreements"] == 0, "disagreements": 0, "steps": walked["steps"]}


def test_a_disagreement_on_an_episode_breaks_its_line(env: PolyGuardEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(risk.HAZARD, "major", 0.5)
    board = scoreboard(env, TINY, seed=3, parts=("second_episodes",), difficulties=("hard",))
    assert board["lines"]["second_episodes"]["holds"] is False
    assert any("hazard" in example for example in board["second_episodes"]["examples"])


def rewards_frame(**means: float) -> pd.DataFrame:
    """Thirty scenarios in which each policy is paid its mean, give or take a little."""
    noise = np.random.Generator(np.random.PCG64(0)).normal(0, 0.01, 30)
    return pd.DataFrame(
        {"sub_environment": "DDI", "difficulty": "easy", "scenario_id": f"s{i}", "policy": name, "reward": mean + e}
        for name, mean in means.items()
        for i, e in enumerate(noise)
    )


GOOD = {
    "oracle": 0.98, "rule_based": 0.8, "random_legal": 0.6, "no_change": 0.4, "always_keep": 0.4,
    "stop_everything": 0.65,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, ""),
        ({"oracle": 0.9}, "oracle_max"),
        ({"no_change": 0.7, "random_legal": 0.75}, "floor_gap"),
        ({"rule_based": 0.99}, "ladder"),
        ({"random_legal": 0.39, "always_keep": 0.4}, "ladder"),
        ({"always_keep": 0.45}, "canary_floor"),
        ({"stop_everything": 0.75}, "blind_good"),
    ],
)
def test_each_line_can_be_broken(changes: dict[str, float], line: str) -> None:
    found = violations(rewards_frame(**(GOOD | changes)), {f"s{i}": 0.98 for i in range(30)})
    assert {v.line for v in found if v.certain} == ({line} if line else set())


def test_chance_alone_breaks_nothing() -> None:
    frame = rewards_frame(**GOOD)
    rng = np.random.Generator(np.random.PCG64(1))
    noisy = frame["policy"] == "always_keep"
    frame.loc[noisy, "reward"] = 0.425 + rng.normal(0, 0.3, noisy.sum())
    assert [v for v in violations(frame, {}) if v.certain] == []
    assert set(LINES) >= {v.line for v in violations(frame, {})}


def test_a_leak_is_found_and_none_is_invented() -> None:
    rng = np.random.Generator(np.random.PCG64(2))
    rows = [
        {"scenario": f"s{s}", "best": place == s % 5, "offered": 5, "order_place": float(place), "kind_A": 1.0,
         "meta_drugs": float(s % 7), "length_text": float(rng.integers(8, 30)), "count_A": 5.0,
         "order_id": float(rng.integers(10_000, 99_999))}
        for s in range(200)
        for place in rng.permutation(5)
    ]  # fmt: skip
    fair = pd.DataFrame(rows)
    fair["best"] = fair.groupby("scenario")["order_id"].transform(lambda ids: rng.permutation(len(ids)) == 0)
    assert leakage.best_candidate(fair)["leaks"] == []
    told = fair.assign(length_text=fair["length_text"] + 8 * fair["best"])
    assert leakage.best_candidate(told)["leaks"] == ["shape_excess"]
    first = fair.assign(order_place=np.where(fair["best"], 0.0, 1.0 + fair["order_place"]))
    assert "order_excess" in leakage.best_candidate(first)["leaks"]


def test_kinds_are_told_by_sub_environment_where_there_are_several() -> None:
    frame = pd.DataFrame(
        {"sub_environment": ["DDI", "DDI", "WEB"], "kind_A": [1.0, 0.0, 1.0], "kind_B": [0.0, 1.0, 0.0]}
    )
    told = leakage.kinds_by_task(frame)
    assert {name: list(told[name]) for name in told} == {
        "kind_A_DDI": [1.0, 0.0, 0.0], "kind_B_DDI": [0.0, 1.0, 0.0], "kind_A_WEB": [0.0, 0.0, 1.0],
    }  # fmt: skip
    assert leakage.kinds_by_task(frame[frame["sub_environment"] == "DDI"]).empty
    assert leakage.kinds_by_task(frame.drop(columns="sub_environment")).empty


def test_a_control_that_can_be_told_is_a_leak() -> None:
    rng = np.random.Generator(np.random.PCG64(3))
    control = rng.random(300) < 0.3
    frame = pd.DataFrame(
        {"scenario": [f"s{i}" for i in range(300)], "control": control, "reset_seconds": rng.random(300),
         "meta_drugs": rng.integers(3, 8, 300).astype(float)}
    )  # fmt: skip
    assert leakage.control(frame)["leaks"] == []
    assert leakage.control(frame.assign(meta_drugs=frame["meta_drugs"] + 3 * control))["leaks"] == ["shape"]


def test_rank_correlation() -> None:
    assert rank_correlation([1, 2, 3, 4], [10, 20, 30, 1000]) == pytest.approx(1.0)
    assert rank_correlation([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1.0)
    assert rank_correlation([1, 1, 1], [1, 2, 3]) == 0.0


def test_the_command_measures_a_part(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "board.json"
    status = main(["trust", "--parts", "second_checker", "--regimens", "20", "--json", "--out", str(out)])
    printed = json.loads(capsys.readouterr().out)
    assert status == 0
    assert printed["second_checker"]["regimens"] == 20
    assert json.loads(out.read_text(encoding="utf-8")) == printed


@pytest.mark.parametrize("arguments", [["--parts", "luck"], ["--scenarios", "0"]])
def test_the_command_refuses_bad_input(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trust", *arguments]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_the_episode_command_tells_an_episode(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["episode", "--sub-environment", "DDI", "--policy", "always_keep"]) == 0
    told = capsys.readouterr().out
    assert "Step 1" in told and "Episode reward" in told and "not a medical device" in told
    assert main(["episode", "--policy", "nobody"]) == 2


def test_the_asset_checks_say_what_the_scoreboard_says(
    board: dict[str, Any], env: PolyGuardEnv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line is a check of the asset; one that does not hold fails, the others pass."""
    monkeypatch.setenv("POLYGUARD_DATA_LAKE", str(tmp_path))
    env.knowledge.save(tmp_path / "curated" / "knowledge")
    lines = {name: {**line, "holds": True} for name, line in board["lines"].items()}
    lines["canary_floor"] = {"holds": False, "broken": 1, "beyond_chance": 1}
    monkeypatch.setattr(trust, "scoreboard", lambda *_, **__: board | {"lines": lines})
    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize(
            [trust.trust_scoreboard], instance=instance, resources={"settings": Settings()}, raise_on_error=False,
            run_config=dg.RunConfig({"trust_scoreboard": trust.TrustSizes(scenarios=1)}),
        )  # fmt: skip
        passed = {found.check_name: found.passed for found in run.get_asset_check_evaluations()}
    assert passed == {line: line != "canary_floor" for line in trust.CHECK_LINES}
    assert not run.success
    written = json.loads((tmp_path / "reports" / "trust_scoreboard.json").read_text(encoding="utf-8"))
    assert written["lines"]["canary_floor"]["beyond_chance"] == 1
