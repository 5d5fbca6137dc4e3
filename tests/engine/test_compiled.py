"""The rules are compiled once, as one unit, for every process of this machine."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from numba import types

from polyguard_env.engine import kernel
from polyguard_env.engine import layout as at
from polyguard_env.engine.call import Call, compile_rules, rooms, words_of
from polyguard_env.engine.compiled import FOLDER, kept
from polyguard_env.engine.facts import fact_table
from polyguard_env.engine.linking import widened
from polyguard_env.knowledge.base import KnowledgeBase


def test_a_second_process_loads_what_the_first_compiled() -> None:
    compile_rules()
    assert kept()
    ran = subprocess.run([sys.executable, "-m", "polyguard_env", "compile"], check=True, capture_output=True, text=True)
    assert ran.stdout.startswith("rules loaded in")
    assert str(FOLDER) in ran.stdout
    assert "compiling" not in ran.stderr


def test_there_is_one_entry_point_and_it_is_compiled_for_one_signature() -> None:
    compile_rules()
    assert kernel.run.signatures == [(types.int64, types.int64)]
    assert len(list(FOLDER.rglob("*.nbi"))) == 1


def test_parts_are_compiled_once_whatever_the_width_of_whole_numbers_and_the_length_of_arrays() -> None:
    assert widened(types.int8) == widened(types.literal(3)) == types.int64
    assert widened(types.NestedArray(types.float64, (4,))) == types.Array(types.float64, 1, "C")
    assert widened(types.uint64) == types.uint64
    compile_rules()
    assert len(kernel.judge.signatures) <= 1


def test_a_block_refuses_an_array_of_another_kind() -> None:
    table = at.CALL.table()
    at.CALL.put(table, "rewards", np.zeros(3))
    for wrong in (np.zeros(3, dtype=np.int64), np.zeros((3, 1)), np.zeros(6)[::2]):
        with pytest.raises(TypeError, match="rewards"):
            at.CALL.put(table, "rewards", wrong)


def test_a_call_names_the_arrays_it_lacks() -> None:
    table = fact_table(KnowledgeBase.default())
    states = np.zeros(1, dtype=at.STATE)
    arrays = rooms(1, 13) | {"states": states, "raw": words_of(states)}
    with pytest.raises(TypeError, match="scenarios"):
        Call(table, arrays)
