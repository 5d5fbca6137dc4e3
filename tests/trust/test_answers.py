"""One strict reading of a model's raw answer: JSON of an action, or a candidate's text, or nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyguard_env.environment.answers import NAMELESS, parse_answer
from polyguard_env.environment.messages import ActionType


def test_strict_json_becomes_the_action() -> None:
    raw = '{"candidate_id": "c12345", "action_type": "STOP_DRUG", "targets": ["warfarin"], "confidence": 1}'
    answer = parse_answer(raw)
    assert answer.readable
    assert answer.action.candidate_id == "c12345"
    assert answer.action.action_type is ActionType.STOP_DRUG
    assert answer.action.confidence == 1.0
    assert parse_answer(raw.encode()) == answer


def test_plain_text_is_kept_word_for_word() -> None:
    assert parse_answer("  stop warfarin\n").action.text == "stop warfarin"


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ('{"candidate_id": "c1"', "malformed_json"),
        ('{"candidate_id": "c1"}{"candidate_id": "c2"}', "malformed_json"),
        ('{"candidate_id": "c1", "candidate_id": "c2"}', "duplicate_key"),
        ('{"candidate_id": "c1", "confidence": NaN}', "number_not_finite"),
        ('{"candidate_id": "c1", "confidence": -Infinity}', "number_not_finite"),
        ('{"candidate_id": "c1", "confidence": 1e999}', "number_not_finite"),
        ('{"candidate_id": "c1", "confidence": true}', "bad_field:confidence"),
        ('{"candidate_id": "c1", "confidence": "0.5"}', "bad_field:confidence"),
        ('{"candidate_id": "c1", "confidence": 1.5}', "bad_field:confidence"),
        ('{"candidate_id": 1}', "bad_field:candidate_id"),
        ('{"candidate_id": "c1", "reward": 1.0}', "bad_field:reward"),
        ('{"action_type": "CURE"}', "bad_field:action_type"),
        ('{"targets": {"a": []}}', "nested_too_deep"),
        ("[" * 100_000, "too_long"),
        ("[" * 10_000, "nested_too_deep"),
        ('[{"candidate_id": "c1"}]', "not_an_object"),
        (b"\xff\xfe", "not_utf8"),
        ("\ud800", "not_utf8"),
        ("a" * 600, "too_long"),
        ('{"rationale": "' + "x" * 2_000_000 + '"}', "too_long"),
        ('{"confidence": ' + "9" * 5000 + "}", "malformed_json"),
    ],
)
def test_what_cannot_be_read_names_its_problem(raw: str | bytes, problem: str) -> None:
    answer = parse_answer(raw)
    assert answer.problem == problem
    assert answer.action == NAMELESS


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=200), st.binary(max_size=200), st.text('{}[]":,\\ c1truefalsNI', max_size=60)))
def test_no_answer_raises(raw: str | bytes) -> None:
    answer = parse_answer(raw)
    assert answer.readable or answer.action == NAMELESS


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=64), st.floats(0, 1), st.lists(st.text(max_size=20), max_size=8))
def test_what_json_writes_is_read_back(candidate_id: str, confidence: float, evidence: list[str]) -> None:
    raw = json.dumps({"candidate_id": candidate_id, "confidence": confidence, "evidence_ids": evidence})
    answer = parse_answer(raw)
    assert answer.readable
    assert (answer.action.candidate_id, answer.action.confidence) == (candidate_id, confidence)
    assert answer.action.evidence_ids == evidence
