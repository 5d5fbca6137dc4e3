"""Polite downloads: cached, retried within bounds, Retry-After honoured, refusals named."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from polyguard_env.errors import PolyGuardError
from polyguard_env.sources.fetch import USER_AGENT, Fetcher, fetch_files, retry_after


class Waits(list[float]):
    """Stands in for time.sleep and for the clock it moves."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def fetcher(folder: Path, waits: Waits, **changes: Any) -> Fetcher:
    settings: dict[str, Any] = {"interval": 0.0, "jitter": lambda: 0.0} | changes
    return Fetcher(folder, sleep=waits, **settings)


def scripted(double: Any, *answers: tuple[int, dict[str, str], bytes]) -> None:
    script: Iterator[tuple[int, dict[str, str], bytes]] = iter(answers)
    double.answer = lambda path: next(script)


def test_an_answer_is_kept_and_not_asked_for_again(double: Any, tmp_path: Path) -> None:
    scripted(double, (200, {}, b"first"))
    one = fetcher(tmp_path, Waits())
    assert one.get(double.url + "/x", {"q": "a b"}) == b"first"
    assert fetcher(tmp_path, Waits()).get(double.url + "/x", {"q": "a b"}) == b"first"
    assert len(double.asked) == 1 and double.asked[0][1] == USER_AGENT and "q=a" in double.asked[0][0]


def test_retries_back_off_and_honour_retry_after(double: Any, tmp_path: Path) -> None:
    waits = Waits()
    scripted(double, (500, {}, b""), (429, {"Retry-After": "7"}, b""), (503, {}, b""), (200, {}, b"ok"))
    assert fetcher(tmp_path, waits).get(double.url) == b"ok"
    assert waits == [1.0, 7.0, 4.0]


def test_jitter_is_added_and_a_wait_is_bounded(double: Any, tmp_path: Path) -> None:
    waits = Waits()
    scripted(double, *[(500, {}, b"")] * 4)
    with pytest.raises(PolyGuardError, match="4 tries failed"):
        fetcher(tmp_path, waits, attempts=4, jitter=lambda: 1.0, longest_wait=2.0).get(double.url)
    assert waits == [1.5, 2.0, 2.0] and not list(tmp_path.glob("*.body"))


def test_a_server_that_asks_for_too_long_a_wait_is_not_waited_for(double: Any, tmp_path: Path) -> None:
    scripted(double, (429, {"Retry-After": "3600"}, b""))
    with pytest.raises(PolyGuardError, match="3600 s"):
        fetcher(tmp_path, Waits()).get(double.url)


def test_a_refusal_is_not_retried(double: Any, tmp_path: Path) -> None:
    scripted(double, (403, {}, b""))
    with pytest.raises(PolyGuardError, match="403"):
        fetcher(tmp_path, Waits()).get(double.url)
    assert len(double.asked) == 1


def test_nothing_found_is_none_where_the_caller_says_so(double: Any, tmp_path: Path) -> None:
    scripted(double, (404, {}, b""))
    assert fetcher(tmp_path, Waits()).get(double.url, absent=(404,)) is None


def test_an_unreachable_server_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(PolyGuardError, match=r"2 tries failed \(Connect"):
        fetcher(tmp_path, Waits(), attempts=2).get("http://127.0.0.1:9/x")


def test_requests_are_paced(double: Any, tmp_path: Path) -> None:
    double.answer = lambda path: (200, {}, b"ok")
    waits = Waits()
    polite = fetcher(tmp_path, waits, interval=0.5, clock=lambda: 100.0)
    for name in "abc":
        polite.get(f"{double.url}/{name}")
    assert waits == [0.5, 0.5]


def test_retry_after_may_be_a_date() -> None:
    later = retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=30)))
    assert later is not None and 25 < later <= 30
    assert retry_after("soon") is None and retry_after("") is None


def test_files_are_fetched_under_their_own_names(double: Any, tmp_path: Path) -> None:
    double.answer = lambda path: (200, {}, path.encode())
    paths = fetch_files({"a.csv": f"{double.url}/a.csv"}, tmp_path / "files", fetcher(tmp_path / "cache", Waits()))
    assert [p.name for p in paths] == ["a.csv"] and paths[0].read_bytes() == b"/a.csv"
