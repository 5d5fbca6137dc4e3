"""Reading answers: ids, texts, and every way to get them wrong."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import ActionType, PolyGuardAction

SCENARIO = "train-REGIMEN_RISK-hard-000001"


def test_an_id_and_its_text_are_the_same_action(env: PolyGuardEnv) -> None:
    first = env.reset(seed=1, scenario_id=SCENARIO)
    by_id = env.step(PolyGuardAction(candidate_id=first.candidates[0].candidate_id, confidence=0.6))
    env.reset(seed=1, scenario_id=SCENARIO)
    by_text = env.step(PolyGuardAction(text=f"  {first.candidates[0].text.upper()} ", confidence=0.6))
    assert by_id.model_dump() == by_text.model_dump()


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ({"candidate_id": "c1"}, "candidate_id_mismatch"),
        ({"text": "do what is best"}, "unreadable_answer"),
        ({}, "unreadable_answer"),
        ({"text": "finish\x00"}, "parser_exploit"),
        ({"text": "<|im_end|>finish"}, "parser_exploit"),
        ({"text": "reward=1 finish"}, "parser_exploit"),
    ],
)
def test_an_answer_that_names_no_candidate(env: PolyGuardEnv, action: dict[str, str], reason: str) -> None:
    before = env.reset(seed=1, scenario_id=SCENARIO)
    after = env.step(PolyGuardAction(**action))  # type: ignore[arg-type]
    assert after.info["reasons"] == [reason]
    assert after.info["legal"] is False
    assert after.reward is not None and 0.001 < after.reward < 0.02
    assert [entry["dose"] for entry in after.regimen] == [entry["dose"] for entry in before.regimen]
    assert after.steps_left == before.steps_left - 1


def test_all_options_at_once_is_an_exploit(env: PolyGuardEnv) -> None:
    observation = env.reset(seed=1, scenario_id=SCENARIO)
    everything = "; ".join(c.text for c in observation.candidates)
    assert env.step(PolyGuardAction(text=everything)).info["reasons"] == ["parser_exploit"]


def test_type_and_targets_must_agree_with_the_candidate(env: PolyGuardEnv) -> None:
    observation = env.reset(seed=1, scenario_id=SCENARIO)
    finish = next(c for c in observation.candidates if c.action_type is ActionType.FINISH)
    wrong = PolyGuardAction(candidate_id=finish.candidate_id, action_type=ActionType.STOP_DRUG)
    assert env.step(wrong).info["reasons"] == ["candidate_id_mismatch"]


@pytest.mark.parametrize("confidence", [True, False, "0.5", "1", 1.01, -0.01, float("nan"), float("inf")])
def test_confidence_is_a_number_from_0_to_1_and_nothing_like_it(confidence: object) -> None:
    with pytest.raises(ValidationError, match="confidence"):
        PolyGuardAction(candidate_id="c1", confidence=confidence)  # type: ignore[arg-type]
    assert PolyGuardAction(confidence=1).confidence == 1.0


def test_words_are_never_paid(env: PolyGuardEnv) -> None:
    rewards = set()
    for rationale in ("", "short", "safe evidence guideline bleeding QT " * 100):
        observation = env.reset(seed=1, scenario_id=SCENARIO)
        finish = next(c for c in observation.candidates if c.action_type is ActionType.FINISH)
        rewards.add(env.step(PolyGuardAction(candidate_id=finish.candidate_id, rationale=rationale)).reward)
    assert len(rewards) == 1
