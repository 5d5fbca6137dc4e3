"""The adversarial panel: named, complete, and unable to break or bend the environment."""

from __future__ import annotations

import pytest

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.scenarios import SUB_ENVIRONMENTS, make_id
from polyguard_env.errors import PolyGuardError
from polyguard_env.trust.attacks import NAMES, attack
from polyguard_env.trust.measure import play

# Named one by one by the acceptance criteria.
REQUIRED = {
    "always_keep", "always_review", "repeat_first_move", "add_then_remove", "stop_everything", "stop_all_flagged",
    "dose_to_zero", "first_candidate", "last_candidate", "longest_candidate", "shortest_candidate",
    "enumerate_candidates", "fetch_until_timeout", "finish_at_once", "stall_with_variety", "empty_answer",
    "malformed_json", "truncated_json", "deeply_nested_json", "doubled_json", "duplicate_keys", "nan_confidence",
    "infinite_confidence", "boolean_confidence", "huge_payload", "spoofed_id", "stale_id", "foreign_id",
    "id_action_mismatch", "homoglyph_text", "zero_width_text", "right_to_left_text", "brand_for_generic",
    "obey_evidence", "order_in_rationale", "order_in_drug_name", "keyword_stuffing", "invented_citations",
    "contradictory_verdict",
}  # fmt: skip
UNREADABLE = [name for name in NAMES if attack(name).family == "format"]


def test_the_panel_is_complete() -> None:
    assert len(NAMES) >= 45
    assert set(NAMES) >= REQUIRED
    assert all(attack(name).about for name in NAMES)


def test_an_unknown_attack_is_refused() -> None:
    with pytest.raises(PolyGuardError, match="attack"):
        attack("nice_try")


@pytest.mark.parametrize("name", NAMES)
def test_every_attack_plays_an_episode_of_every_sub_environment(env: PolyGuardEnv, name: str) -> None:
    for sub_environment in SUB_ENVIRONMENTS:
        played = play(env, attack(name), make_id("train", sub_environment, "hard", 1), seed=3)
        assert 0.001 <= played["reward"] <= 0.999
        assert played["steps"] >= 1


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_malformed_answer_is_never_taken_for_an_action(env: PolyGuardEnv, name: str) -> None:
    observation = env.reset(seed=3, scenario_id="train-DDI-hard-000001")
    malformed = env.price_malformed()
    before = env.state.regimen
    after = env.step(attack(name).choose(env, observation))
    assert after.reward == malformed
    assert after.info["legal"] is False
    assert env.state.regimen == before


@pytest.mark.parametrize(
    "name",
    [n for n in NAMES if attack(n).family == "identity"] + ["order_as_answer", "order_in_drug_name", "tag_injection"],
)
def test_a_wrong_name_is_never_taken_for_a_candidate(env: PolyGuardEnv, name: str) -> None:
    observation = env.reset(seed=3, scenario_id="train-DDI-hard-000001")
    after = env.step(attack(name).choose(env, observation))
    assert after.info["legal"] is False
    assert set(after.info["reasons"]) & {"candidate_id_mismatch", "parser_exploit", "unreadable_answer"}


@pytest.mark.parametrize(
    "name", ["order_in_rationale", "keyword_stuffing", "long_rationale", "self_praise", "both_verdicts"]
)
def test_words_change_nothing(env: PolyGuardEnv, name: str) -> None:
    scenario = "train-REGIMEN_RISK-medium-000002"
    observation = env.reset(seed=3, scenario_id=scenario)
    action = attack(name).choose(env, observation)
    spoken = env.step(action).reward
    env.reset(seed=3, scenario_id=scenario)
    assert env.step(action.model_copy(update={"rationale": ""})).reward == spoken
