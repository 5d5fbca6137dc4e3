"""Checks that must be able to fail: leakage, bounds, plausibility, the exported artifact."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from polyguard_assets.defs.corpora.assets import leaked_pairs
from polyguard_assets.defs.knowledge.checks import edges_are_sound, profiles_are_sound, rules_verdict
from polyguard_assets.defs.models.assets import artifact_verdict
from polyguard_assets.defs.patients.assets import cohort_is_plausible
from polyguard_assets.defs.scenarios.checks import rewards_are_bounded, shared_between_splits
from polyguard_assets.training.publish import write_json
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.generate import PatientGenerator
from polyguard_env.risk.review import rule_index

ROWS = pd.DataFrame(
    {
        "split": ["train", "holdout"],
        "scenario_id": ["a", "b"],
        "patient_id": ["p1", "p2"],
        "pairs": [["x+y"], ["u+v"]],
    }
)


def test_disjoint_splits_share_nothing() -> None:
    assert not any(shared_between_splits(ROWS).values())


def test_a_shared_pair_or_patient_is_found() -> None:
    assert shared_between_splits(ROWS.assign(pairs=[["x+y"], ["x+y", "u+v"]]))["pairs"] == ["x+y"]
    assert shared_between_splits(ROWS.assign(patient_id=["p1", "p1"]))["patients"] == ["p1"]


def test_a_holdout_pair_in_a_corpus_is_found() -> None:
    corpus = pd.DataFrame({"drugs": [["a", "b", "c"], ["a", "c"]]})
    assert leaked_pairs(corpus, {"a+b"}) == 1
    assert leaked_pairs(corpus, {"b+d"}) == 0


def test_a_reward_outside_its_bounds_fails() -> None:
    good = pd.DataFrame({"candidate_rewards": [[0.2, 0.9], [0.4]]})
    bad = pd.DataFrame({"candidate_rewards": [[0.2, 1.2], [0.4]]})
    assert rewards_are_bounded(good).passed
    assert not rewards_are_bounded(bad).passed


def test_an_edge_without_source_fails() -> None:
    edges = KnowledgeBase.default().interactions()
    assert edges_are_sound(edges).passed
    assert not edges_are_sound(edges.assign(sources="")).passed
    assert not edges_are_sound(edges.head(100)).passed


def test_a_rule_without_source_year_or_strength_fails() -> None:
    rules = KnowledgeBase.default().tables["rules"].head(50)
    assert rules_verdict(rules).passed
    for column, value in (("source", "hearsay"), ("year", 0), ("strength", "")):
        bad = rules.copy()
        bad.loc[7, column] = value
        assert not rules_verdict(bad).passed
    assert not rules_verdict(rules.head(0)).passed


def test_an_unsound_profile_fails() -> None:
    profiles = KnowledgeBase.default().tables["profiles"]
    assert profiles_are_sound(profiles).passed
    for column in ("sources", "class_id"):
        bad = profiles.copy()
        bad.loc[3, column] = ""
        assert not profiles_are_sound(bad).passed


def test_an_implausible_cohort_fails(lake: Path) -> None:
    KnowledgeBase.default().save(lake / "curated" / "knowledge")
    people = PatientGenerator(rule_index(KnowledgeBase.default()), 3).frame(0, 8_000)
    assert cohort_is_plausible(people).passed
    nothing = [[] for _ in range(len(people))]
    sober = people.assign(drugs=nothing, doses=nothing, indications=nothing)
    result = cohort_is_plausible(sober)
    assert not result.passed
    assert "drugs_at_least_1" in str(result.metadata["outside"])
    assert not cohort_is_plausible(people.assign(sex="F")).passed


def test_a_fallback_or_other_weights_fail_the_artifact_check(lake: Path) -> None:
    folder = lake / "models" / "smollm2-135m-instruct"
    write_json(folder / "merge.json", {"merged_sha256": "aa", "merged_vs_reloaded_max_abs_logit": 0.0})
    report = {"artifact_sha256": "aa", "artifact_name": "m", "fallback_used": False, "valid_rate": 0.5}
    outcomes = []
    for change in ({}, {"fallback_used": True}, {"artifact_sha256": "bb"}, {"valid_rate": 0.0}):
        write_json(folder / "postsave.json", report | change)
        outcomes.append(bool(artifact_verdict(folder).passed))
    assert outcomes == [True, False, False, False]
