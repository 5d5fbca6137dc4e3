"""What the benchmark steps is what it says it steps; its section of the page follows from its report alone."""

from __future__ import annotations

import json
from random import Random

from polyguard_assets.bench import page
from polyguard_assets.bench.environment import batched, facade, fresh_ids, singly, with_drugs
from polyguard_assets.bench.fresh import summary, timed_resets
from polyguard_assets.bench.timing import side_by_side
from polyguard_assets.paths import project_root
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.scenarios import make_id

IDS = [make_id("train", name, "medium", 0) for name in ("DDI", "REGIMEN_RISK")]


def test_every_step_counted_was_taken() -> None:
    env = PolyGuardEnv()
    scenarios = [env.factory.find(scenario_id) for scenario_id in IDS]
    most = sum(scenario.budget for scenario in scenarios)
    assert len(IDS) <= facade(env, IDS) <= most
    assert len(IDS) <= singly(env.engine, scenarios) <= most
    batch = env.engine.batch(env.engine.pack_all(scenarios), 6)
    assert 6 <= batched(batch) <= 3 * most
    assert batch.done.all()


def test_drugs_are_added_until_there_are_enough_and_none_clashes() -> None:
    env = PolyGuardEnv()
    scenario = env.factory.find(IDS[1])
    more = with_drugs(env, scenario, 24, Random(0)).patient.drug_ids
    assert len(set(more)) == 24
    places = [env.factory.pool.place[name] for name in more]
    added = places[len(scenario.patient.regimen) :]
    assert not env.factory.pool.clash[added][:, places].any()


def test_fresh_ids_never_come_again() -> None:
    batches = fresh_ids()
    assert not set(next(batches)) & set(next(batches))


def test_single_resets_are_timed_one_by_one_and_never_meet_a_scenario_twice() -> None:
    env = PolyGuardEnv()
    spent, unread = timed_resets(env, range(7_000_000, 7_000_048))
    assert len(unread) == 48 and (unread > 0).all() and (unread < spent).all()
    told = summary(spent)
    assert told["seeds"] == 48 == len(spent) and (spent > 0).all()
    assert told["median"] <= told["p99"] <= told["highest"] == spent.max()
    words = page.fresh({"cold": told | {"first": 1e6}, "warm": told, "warm, unread": summary(unread)})
    assert "96 scenarios" in words[0] and "1,000 ms" in words[0] and "warm, unread" in "\n".join(words)


def test_works_are_timed_in_the_same_rounds() -> None:
    calls: list[str] = []
    works = {name: lambda name=name: calls.append(name) or float(sum(range(20_000))) for name in ("one", "other")}
    found = side_by_side(works, rounds=2)
    assert calls == ["one", "other"] * 3
    assert all(row["median"] > 0 and row["by_clock"]["repeats"] == 2 for row in found.values())


def test_the_page_shows_the_tracked_report() -> None:
    docs = project_root() / "docs"
    report = json.loads((docs / "results" / "bench.json").read_text(encoding="utf-8"))["environment"]
    assert page.section(report) in (docs / "environment.md").read_text(encoding="utf-8")
