"""Depth and rate limits."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from polyguard_serving.limits import Allowances, Bucket, deeper_than


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max((depth(part) for part in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((depth(part) for part in value), default=0)
    return 0


def tree(rng: random.Random, most: int) -> Any:
    if most == 0 or rng.random() < 0.2:
        return rng.choice((1, None, "a", '"[{', "\\", '\\"', "]}", "[[[[[[[["))
    parts = [tree(rng, most - 1) for _ in range(rng.randint(0, 3))]
    return parts if rng.random() < 0.5 else {f'k{number}"\\[': part for number, part in enumerate(parts)}


@pytest.mark.parametrize("seed", range(200))
def test_depth_is_measured_as_a_parser_would(seed: int) -> None:
    value = tree(random.Random(seed), 9)
    text = json.dumps(value).encode()
    for limit in range(1, 11):
        assert deeper_than(text, limit) == (depth(value) > limit)


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"a":' * 50_000, b"[{" * 50 + b"}]" * 10])
def test_unclosed_nesting_counts(text: bytes) -> None:
    assert deeper_than(text, 32)


def test_a_bucket_fills_with_time() -> None:
    now = 0.0
    bucket = Bucket(10.0, clock=lambda: now)
    assert [bucket.take() for _ in range(21)] == [True] * 20 + [False]
    now = 0.5
    assert [bucket.take() for _ in range(6)] == [True] * 5 + [False]
    now = 1000.0
    assert not bucket.take(21.0) and bucket.take(20.0)


def test_clients_have_buckets_of_their_own() -> None:
    allowances = Allowances(1.0, clock=lambda: 0.0)
    one, other = allowances.bucket("a"), allowances.bucket("b")
    assert one is not None and other is not None and one is allowances.bucket("a")
    assert [one.take(), one.take(), one.take(), other.take()] == [True, True, False, True]
    assert Allowances(0.0).bucket("a") is None
