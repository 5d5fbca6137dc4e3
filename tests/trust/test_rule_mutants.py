"""Each place of the compiled verdict, changed in the rule itself, is told apart by the second checker."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from polyguard_env.engine import layout as at
from polyguard_env.reward.columns import COLUMNS
from tests.trust.rule_mutants import SPECIFIED, rewritten

ROOT = Path(__file__).resolve().parents[2]
VERDICT = "polyguard_env.engine.verdict"
# Changes that change nothing, with the reason.
EQUIVALENT = {
    "logistic: x >= 0 -> x < 0": "both forms are the same function; they differ where one overflows",
    "conduct: bits |= 1 << at.ACTION_LOOP left out": "a measurement that was ordered is not offered again",
    "judge: 1 + _count(reasons) -> 1 - _count(reasons)": "an answer that names a candidate was read without a reason",
}
# Reasons that reading the answer finds, or that make a move illegal: not the verdict's to give.
CONDUCT = ("UNSAFE_NO_OP", "TIMEOUT", "NO_OP_RETRY", "KEEP_ABUSE", "REVIEW_ABUSE", "ACTION_LOOP", "UNDONE_CHANGE",
           "NEEDLESS_CHANGE")  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("mutants") / "verdict.json"
    run = subprocess.run(
        [sys.executable, "-m", "tests.trust.rule_mutants", VERDICT, str(out)], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    told: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return told


def test_the_rewritten_rules_are_the_rules_while_no_mutant_lives(found: dict[str, Any]) -> None:
    assert found["whole"] == ""


def test_every_changed_place_of_the_verdict_is_caught(found: dict[str, Any]) -> None:
    survivors = {f"{one['function']}: {one['what']}" for one in found["survivors"]}
    assert survivors == set(EQUIVALENT)
    assert found["mutants"] >= 190


def test_every_function_column_and_reason_is_changed(found: dict[str, Any]) -> None:
    places = found["places"]
    for column in range(2, len(COLUMNS)):
        assert any(place.startswith(f"columns[{COLUMN_NAMES[column]}] =") for place in places)
    for reason in CONDUCT:
        assert hasattr(at, reason) and any(f"at.{reason}" in place and "left out" in place for place in places)
    assert {"conduct", "slips", "gate_of", "judge", "harm_added", "takes_dose_back"} <= set(found["functions"])


def test_the_specifications_catch_what_they_are_about(found: dict[str, Any]) -> None:
    assert found["unspecified"] == []
    assert set(SPECIFIED[VERDICT]) <= set(found["places"])


def test_a_rewritten_rule_is_itself_or_its_change() -> None:
    tree, mutants = rewritten(
        "from __future__ import annotations\n@compiled\n"
        "def f(a, b):\n    return a + b if a > 1 and not b > 4 else a * b\n"
    )
    alive = 0
    scope: dict[str, Any] = {"compiled": lambda function: function}
    tree.body = [line for line in tree.body if "rule_mutants" not in str(getattr(line, "module", ""))]
    scope["mutant"] = lambda: alive
    exec(compile(tree, "f", "exec"), scope)
    assert [one.what for one in mutants]
    whole = [scope["f"](a, b) for a in (0, 2, 3) for b in (0, 2, 5)]
    assert whole == [a + b if a > 1 and not b > 4 else a * b for a in (0, 2, 3) for b in (0, 2, 5)]
    for one in mutants:
        alive = one.number
        assert [scope["f"](a, b) for a in (0, 2, 3) for b in (0, 2, 5)] != whole, one


COLUMN_NAMES = ("FORMAT", "ALIGNMENT", "LEGALITY", "SAFETY", "BURDEN", "DISEASE", "DOSING", "ABSTENTION", "EFFICIENCY",
                "PROCESS", "GROUNDING", "ANTI_CHEAT", "CALIBRATION")  # fmt: skip
