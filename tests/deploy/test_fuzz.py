"""The fuzz command: it tries the paths it is asked to, and one failure is enough to fail."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from polyguard_assets import fuzz

REPORT: dict[str, Any] = {
    "test_cases": {"generated": 123}, "operations": {"tested": 5, "selected": 5}, "failures": [], "errors": [],
    "phases": {"fuzzing": {"status": "success"}}, "running_time": 8.04, "seed": 1, "schemathesis_version": "4",
}  # fmt: skip


def test_a_clean_report_passes_and_anything_else_fails() -> None:
    assert fuzz.summary(REPORT)["passed"] is True and fuzz.summary(REPORT)["requests"] == 123
    failure = {"code": "ST101", "title": "Server error", "count": 1, "operations": ["POST /reset"], "type": "x"}
    for change in ({"failures": [failure]}, {"errors": [{"title": "Network Error", "count": 1}]},
                   {"operations": {"tested": 4, "selected": 5}}):  # fmt: skip
        assert fuzz.summary(deepcopy(REPORT) | change)["passed"] is False


def test_it_fuzzes_a_server_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYGUARD_DATA_LAKE", str(tmp_path))
    target = tmp_path / "fuzz.json"
    code = fuzz.main(["--examples", "5", "--path", "^/(health|schema|state)$", "--report", str(target)])
    found = json.loads(target.read_text())
    assert code == 0 and found["passed"] and found["operations"] == 3
    assert found["requests"] > 20 and set(found["phases"]) == {"examples", "coverage", "fuzzing", "stateful"}
