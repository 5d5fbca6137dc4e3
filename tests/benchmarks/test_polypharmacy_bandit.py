"""The simulated polypharmacy benchmark: its definition, its seeds, and that learners beat chance."""

from __future__ import annotations

import json

import numpy as np
import pytest

from polyguard_env.__main__ import main
from polyguard_env.benchmarks.polypharmacy_bandit import Settings, benchmark, nearest_pattern, simulate
from polyguard_env.errors import PolyGuardError

SMALL = Settings(drugs=60, patterns=4, combinations=3000, mean_drugs=6.0)


def test_sets_are_distinct_and_as_large_as_asked() -> None:
    problem = simulate(SMALL, seed=3)
    assert problem.combinations.shape == (3000, 60)
    assert len(np.unique(problem.combinations, axis=0)) == 3000
    assert problem.combinations.any(axis=1).all()
    assert problem.combinations.sum(axis=1).mean() == pytest.approx(6.0, abs=0.2)
    assert ((problem.pattern_risks >= 2.0) & (problem.pattern_risks <= 3.0)).all()


def test_the_nearest_pattern_is_what_brute_force_finds() -> None:
    problem = simulate(SMALL, seed=4)
    some = problem.combinations[:200]
    nearest, distance, total = nearest_pattern(some, problem.patterns)
    for place, combination in enumerate(some):
        apart = [int((combination != pattern).sum()) for pattern in problem.patterns]
        assert distance[place] == min(apart) and nearest[place] == apart.index(min(apart))
        assert total[place] == combination.sum() + problem.patterns[nearest[place]].sum()


@pytest.mark.parametrize(("kind", "mean", "spread"), [("neutral", 1.0, 0.05), ("protective", 0.15, 0.1)])
def test_risks_follow_the_published_distributions(kind: str, mean: float, spread: float) -> None:
    problem = simulate(Settings(drugs=60, patterns=4, combinations=3000, mean_drugs=6.0, disjoint=kind), seed=5)
    shared = (problem.combinations & problem.patterns[problem.nearest]).any(axis=1)
    apart = problem.risks[~shared]
    floor = 0.02 if kind == "protective" else 0.01
    assert apart.mean() == pytest.approx(mean, abs=floor) and apart.std() == pytest.approx(spread, abs=floor)
    total = problem.combinations.sum(axis=1) + problem.patterns[problem.nearest].sum(axis=1)
    expected = problem.pattern_risks[problem.nearest] - 0.1 * problem.distance / total
    left = (problem.risks - expected)[shared & (problem.distance > 0)]
    assert left.mean() == pytest.approx(0.0, abs=0.02) and left.std() == pytest.approx(0.1, abs=0.02)
    assert (problem.dangerous == (problem.risks > 1.1)).all()


def test_a_combination_that_is_a_pattern_has_its_risk() -> None:
    # Few drugs: combinations that equal a pattern occur.
    problem = simulate(Settings(drugs=12, patterns=6, combinations=900, mean_drugs=4.0), seed=1)
    same = problem.distance == 0
    assert same.any()
    assert (problem.risks[same] == problem.pattern_risks[problem.nearest[same]]).all()


def test_learners_beat_chance_and_seeds_are_honoured() -> None:
    sparse = Settings(drugs=100, patterns=4, combinations=3000, mean_drugs=5.0)
    report = benchmark(sparse, pulls=600, seeds=(7,), batch=50, every=300)
    again = benchmark(sparse, pulls=600, seeds=(7,), batch=50, every=300)
    assert report == again
    last = {name: standings[-1] for name, standings in report["runs"][0]["standings"].items()}
    assert [standing["pulls"] for standing in report["runs"][0]["standings"]["random"]] == [300, 600]
    for name in ("linear_thompson", "neural_ensemble"):
        assert last[name]["found"] > 2.0 * last["random"]["found"]
        assert last[name]["recall"] > last["random"]["recall"]
        assert last[name]["precision"] > 0.8


def test_the_command_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--drugs", "40", "--combinations", "500", "--mean-drugs", "5", "--pulls", "100", "--learners", "random"]
    assert main(["bandit-benchmark", "--json", *small]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["settings"]["combinations"] == 500 and report["runs"][0]["standings"]["random"][-1]["pulls"] == 100


@pytest.mark.parametrize("wrong", [{"drugs": 0}, {"mean_drugs": 90.0, "drugs": 60}, {"disjoint": "odd"}])
def test_impossible_settings_name_the_field(wrong: dict[str, object]) -> None:
    with pytest.raises(PolyGuardError) as raised:
        simulate(Settings(**wrong))  # type: ignore[arg-type]
    assert raised.value.field in {"drugs", "mean_drugs", "disjoint"}


def test_an_unknown_learner_is_named() -> None:
    with pytest.raises(PolyGuardError, match="learners"):
        benchmark(SMALL, pulls=10, learners=("genius",))
