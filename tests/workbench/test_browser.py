"""The Workbench in a real Chromium: a whole case, no other host, no accessibility fault, by mouse and by keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from polyguard_env.environment.messages import DISCLAIMER
from tests.e2e.browser import chromium_page
from tests.workbench.walk import Walk, bench

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="Debian's chromium is not installed")


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    folder = tmp_path_factory.mktemp("bench")
    with bench(folder) as url, chromium_page(folder / "profile") as page:
        yield Walk(page, url, folder)


def test_a_whole_case(walk: Walk) -> None:
    exported = walk.whole_case()
    assert [step["by"] for step in exported["steps"]][:2] == ["the rule-based policy", "you"]
    assert exported["done"] and exported["steps"][0]["columns"] and exported["disclaimer"] == DISCLAIMER
    assert exported["active_model"]["label"] == "stand-in model"
    assert walk.page.get_by_role("note").inner_text().startswith("Research only.")


def test_every_way_in(walk: Walk) -> None:
    walk.other_ways_in()


def test_the_keyboard_is_enough(walk: Walk) -> None:
    walk.by_keyboard()


def test_nothing_is_wider_than_a_telephone(walk: Walk) -> None:
    assert walk.narrow() <= 0


def test_no_other_host_and_no_complaint(walk: Walk) -> None:
    """Of everything walked before: requests to other hosts, faults in the page, WCAG A and AA rules broken."""
    assert walk.strangers == []
    assert walk.complaints == []
