"""The rules are compiled once, as one unit, for every process of this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import types

from polyguard_env.engine import call, compiled, compiling, engine_of, folder, kernel, machine_code
from polyguard_env.engine import layout as at
from polyguard_env.engine.call import Call, compile_rules, rooms
from polyguard_env.engine.facts import fact_table
from polyguard_env.engine.folder import FOLDER, kept
from polyguard_env.engine.linking import widened
from polyguard_env.engine.machine_code import CodeError
from polyguard_env.environment.scenarios import scenario_factory
from polyguard_env.knowledge.base import KnowledgeBase


def test_a_second_process_loads_what_the_first_compiled() -> None:
    compile_rules()
    assert kept()
    ran = subprocess.run([sys.executable, "-m", "polyguard_env", "compile"], check=True, capture_output=True, text=True)
    assert ran.stdout.startswith("rules loaded in")
    assert str(FOLDER) in ran.stdout
    assert "compiling" not in ran.stderr


def test_there_is_one_entry_point_and_it_is_compiled_for_one_signature() -> None:
    compiling.compile_whole()
    assert kernel.run.signatures == [(types.int64, types.int64)]
    assert len(list(FOLDER.rglob("*.nbi"))) == 1


def test_parts_are_compiled_once_whatever_the_width_of_whole_numbers_and_the_length_of_arrays() -> None:
    assert widened(types.int8) == widened(types.literal(3)) == types.int64
    assert widened(types.NestedArray(types.float64, (4,))) == types.Array(types.float64, 1, "C")
    assert widened(types.uint64) == types.uint64
    compiling.compile_whole()
    assert len(kernel.judge.signatures) <= 1


def played() -> list[bytes]:
    """States and rewards of a batch, step by step."""
    knowledge = KnowledgeBase.default()
    factory, engine = scenario_factory(knowledge), engine_of(knowledge)
    scenarios = [factory.find(None, seed=seed, difficulty="hard") for seed in range(24)]
    batch = engine.batch(engine.pack_all(scenarios), len(scenarios))
    batch.reset(np.arange(24), np.arange(24))
    found = []
    for step in range(6):
        found.append(batch.step(np.arange(24) % (2 + step)).tobytes() + batch.states.tobytes())
    return found


def test_the_machine_code_by_itself_does_what_the_compiler_s_copy_does(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_rules()
    monkeypatch.setattr(call, "_RULES", [machine_code.load()])
    placed = played()
    monkeypatch.setattr(call, "_RULES", [compiling.compile_whole()])
    assert played() == placed


def test_a_process_that_plays_loads_no_compiler() -> None:
    compile_rules()
    program = (
        "import sys\n"
        "from polyguard_env.environment.env import PolyGuardEnv\n"
        "PolyGuardEnv().reset(seed=1)\n"
        "print(sorted({'numba', 'llvmlite'} & sys.modules.keys()))"
    )
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


def test_where_machine_code_cannot_be_placed_the_compiler_is_loaded_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    compile_rules()
    monkeypatch.setattr(machine_code.platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(call, "_RULES", [])
    compile_rules()
    assert "no way to place it on linux aarch64; loading the compiler" in capsys.readouterr().err
    assert len(played()) == 6


def test_machine_code_that_is_damaged_missing_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rules.o"
    with pytest.raises(CodeError, match="cannot be read"):
        machine_code.load(file)
    symbol, code = machine_code.kept_code()
    machine_code.keep(symbol, code, file)
    assert machine_code.kept_code(file) == (symbol, code)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CodeError, match="damaged"):
        machine_code.load(file)
    machine_code.keep(symbol, b"\x7fELF\x01" + code[5:], file)
    with pytest.raises(CodeError, match="processor family"):
        machine_code.load(file)
    machine_code.keep("no_such_function", code, file)
    with pytest.raises(CodeError, match="no_such_function"):
        machine_code.load(file)


def test_a_block_refuses_an_array_of_another_kind() -> None:
    table = at.CALL.table()
    at.CALL.put(table, "rewards", np.zeros(3))
    for wrong in (np.zeros(3, dtype=np.int64), np.zeros((3, 1)), np.zeros(6)[::2]):
        with pytest.raises(TypeError, match="rewards"):
            at.CALL.put(table, "rewards", wrong)


def test_a_call_names_the_arrays_it_lacks() -> None:
    table = fact_table(KnowledgeBase.default())
    states = np.zeros(1, dtype=at.STATE)
    arrays = rooms(1, 13) | {"states": states}
    with pytest.raises(TypeError, match="scenarios"):
        Call(table, arrays)


def test_a_folder_that_others_may_write_to_is_not_taken_for_code(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir(mode=0o700)
    assert folder.private(own)
    own.chmod(0o777)
    assert not folder.private(own)
    (tmp_path / "link").symlink_to(tmp_path)
    assert not folder.private(tmp_path / "link")


def test_a_process_that_waited_while_another_compiled_keeps_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_rules()
    seen = iter([False, True])
    monkeypatch.setattr(compiled, "kept", lambda: next(seen))
    after: list[object] = []
    compiled.ready(kernel.run, (types.int64, types.int64), after.append)
    assert after == []
