"""Changes the compiled rules themselves: every comparison, condition, sum and column of a module, one at a time.

The module's source is rewritten before it is compiled, each place into `changed if mutant() == number else original`,
and compiled once, in a process and a cache of its own; which mutant is alive is a number in memory. So a mutant is a
change of the rule that runs, and all of them together cost one compilation.

Run as `python -m tests.trust.rule_mutants polyguard_env.engine.verdict out.json` it holds each against the second
checker: random walks until the two differ.
"""

from __future__ import annotations

import ast
import copy
import ctypes
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

SEED = 7
SPLITS = ("train", "holdout")
SCENARIOS = 10
# Seconds after which a mutant counts as one that does not end.
PATIENCE = 120.0
OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
}  # fmt: skip
# A whole number of such an operation is a place or a set of bits, not an amount.
INSTEAD: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult,
}  # fmt: skip
NEUTRAL = {ast.BitOr: 0, ast.Add: 0, ast.Sub: 0, ast.Mult: 1.0}
# Changes that a named specification has to catch as well, by module.
SPECIFIED: dict[str, dict[str, str]] = {
    "polyguard_env.engine.verdict": {
        "columns[:] = 1.0": "an_unreadable_answer_earns_nothing",
        "columns[LEGALITY] = 0.0": "leaving_a_severe_problem_is_named_and_gated",
        "columns[ALIGNMENT] = 0.0": "leaving_a_severe_problem_is_named_and_gated",
        "columns[SAFETY] = 1.0": "the_best_fix_is_safe_and_finishing_is_not",
        "columns[BURDEN] = 1.0": "burden_counts_where_burden_is_the_problem",
        "columns[DISEASE] = 1.0": "stopping_a_needed_drug_lets_its_disease_drift",
        "columns[DOSING] = 1.0": "an_excess_dose_has_to_come_down",
        "columns[ABSTENTION] = 1.0": "asking_where_one_can_act_is_abuse",
        "columns[EFFICIENCY] = 1.0": "a_better_move_is_the_more_efficient",
        "columns[PROCESS] = 1.0": "stopping_at_once_what_needs_a_taper_is_worse",
        "columns[GROUNDING] = 1.0": "facts_have_to_exist_and_support",
        "columns[ANTI_CHEAT] = 1.0": "leaving_a_severe_problem_is_named_and_gated",
        "columns[CALIBRATION] = 1.0": "stated_confidence_is_scored_by_being_right",
        "bits |= 1 << at.REVIEW_ABUSE left out": "asking_where_one_can_act_is_abuse",
        "bits |= 1 << at.UNSAFE_NO_OP left out": "leaving_a_severe_problem_is_named_and_gated",
        "bits |= 1 << at.KEEP_ABUSE left out": "keeping_twice_is_abuse_and_repeating_is_named",
        "bits |= 1 << at.NEEDLESS_CHANGE left out": "a_needless_change_is_named_and_gated",
        "bits |= 1 << at.UNDONE_CHANGE left out": "harm_and_its_repair_pay_no_more_than_leaving",
    },
    "polyguard_env.engine.dynamics": {"st.day += sc.step_days left out": "days_pass_with_each_step"},
}


@dataclass(frozen=True, slots=True)
class RuleMutant:
    """One changed place of a rule.

    Attributes:
        number: from 1. line: of the source. what: the place and what stands there instead.
    """

    number: int
    function: str
    line: int
    what: str


class Rewriter(ast.NodeTransformer):
    """Puts every mutant of a module into its source."""

    def __init__(self) -> None:
        self.mutants: list[RuleMutant] = []
        self._function = ""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if not any(isinstance(mark, ast.Name) and mark.id == "compiled" for mark in node.decorator_list):
            return node
        self._function = node.name
        node.body = [self.visit(statement) for statement in node.body]
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        if len(node.ops) != 1 or type(node.ops[0]) not in OPPOSITE:
            return node
        changed = copy.deepcopy(node)
        changed.ops = [OPPOSITE[type(node.ops[0])]()]
        return self._either(node, changed)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        changed = copy.deepcopy(node)
        changed.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return self._either(node, changed)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        if not isinstance(node.op, ast.Not):
            return self.generic_visit(node)
        # As a truth value, for what is denied may be a number.
        return self._either(node, ast.UnaryOp(ast.Not(), ast.UnaryOp(ast.Not(), copy.deepcopy(node.operand))))

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if type(node.op) not in INSTEAD:
            return self.generic_visit(node)
        changed = copy.deepcopy(node)
        changed.op = INSTEAD[type(node.op)]()
        return self._either(node, changed)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """What is added, or noted, is left out."""
        if type(node.op) in NEUTRAL:
            node.value = self._either(node.value, ast.Constant(NEUTRAL[type(node.op)]), f"{ast.unparse(node)} left out")
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        """A column is full whatever was done."""
        target = node.targets[-1]
        if isinstance(target, ast.Subscript) and ast.unparse(target.value) == "columns":
            full = f"{ast.unparse(target)} = {'0.0' if ast.unparse(node.value) == '1.0' else '1.0'}"
            node.value = self._either(node.value, ast.Constant(float(full[-3:])), full)
            return node
        return self.generic_visit(node)

    def _either(self, node: ast.expr, changed: ast.expr, what: str = "") -> ast.IfExp:
        said = what or f"{ast.unparse(node)} -> {ast.unparse(changed)}"
        number = len(self.mutants) + 1
        self.mutants.append(RuleMutant(number, self._function, getattr(node, "lineno", 0), said))
        if isinstance(node, (ast.Compare, ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Call, ast.IfExp)):
            self.generic_visit(node)
        alive = ast.Compare(ast.Call(ast.Name("mutant", ast.Load()), [], []), [ast.Eq()], [ast.Constant(number)])
        return ast.copy_location(ast.IfExp(alive, changed, node), node)


def rewritten(source: str) -> tuple[ast.Module, list[RuleMutant]]:
    """A module with all its mutants in it."""
    rewriter = Rewriter()
    tree = rewriter.visit(ast.parse(source))
    tree.body.insert(1, ast.parse("from tests.trust.rule_mutants import mutant").body[0])
    future = next(
        k for k, line in enumerate(tree.body) if isinstance(line, ast.ImportFrom) and line.module == "__future__"
    )
    tree.body.insert(0, tree.body.pop(future))
    return ast.fix_missing_locations(tree), rewriter.mutants


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module and loads it rewritten."""

    def __init__(self, module: str) -> None:
        self._module, self.mutants = module, [RuleMutant(0, "", 0, "")]

    def find_spec(
        self, name: str, path: Any, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self._module:
            return None
        found = importlib.machinery.PathFinder.find_spec(name, path)
        assert found is not None and found.origin is not None
        return importlib.util.spec_from_file_location(name, found.origin, loader=self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        file = module.__file__
        assert file is not None
        tree, self.mutants = rewritten(Path(file).read_text(encoding="utf-8"))
        exec(compile(tree, file, "exec"), module.__dict__)


ALIVE = ctypes.c_int64(0)


def _reader() -> Any:
    """What compiled code calls to learn which mutant is alive."""
    from numba import types
    from numba.extending import intrinsic

    address = ctypes.addressof(ALIVE)

    @intrinsic
    def mutant(typing: Any) -> Any:
        def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = context.get_constant(types.int64, address)
            number = builder.load(builder.inttoptr(place, context.get_value_type(types.int64).as_pointer()))
            return number

        return types.int64(), write

    return mutant


def survivors(module: str) -> dict[str, Any]:
    """Every mutant of a module against the second checker: how many there are, and those it does not tell apart."""
    finder = Changed(module)
    sys.meta_path.insert(0, finder)
    from polyguard_env.environment.env import PolyGuardEnv
    from polyguard_env.environment.scenarios import DIFFICULTIES, SUB_ENVIRONMENTS, make_id
    from polyguard_env.trust.second.agreement import packaged_facts
    from polyguard_env.trust.second.episodes import Walked, walk

    env, facts = PolyGuardEnv(), packaged_facts()
    ids = [
        make_id(split, name, difficulty, number)
        for number in range(SCENARIOS)
        for split in SPLITS
        for difficulty in DIFFICULTIES
        for name in SUB_ENVIRONMENTS
    ]

    def differs() -> str:
        for scenario_id in ids:
            found = Walked()
            try:
                walk(env, scenario_id, SEED, facts, found)
            except Exception as error:  # a rule that cannot be run is caught as well
                return repr(error)
            if found.differing:
                return found.differing[0]
        return ""

    def breaks(name: str) -> str:
        try:
            checks[name](env)
        except AssertionError:
            return name
        return ""

    whole = differs()
    alive = [asdict(one) for one in finder.mutants if not caught(one, differs)]
    unspecified = []
    if module in SPECIFIED:
        from tests.trust.specifications import SPECIFICATIONS, prepare

        prepare()
        checks: dict[str, Callable[[PolyGuardEnv], None]] = {check.__name__: check for check in SPECIFICATIONS}
        for what, name in SPECIFIED[module].items():
            places = [one for one in finder.mutants if one.what == what]
            if breaks(name) or not any(caught(one, partial(breaks, name)) for one in places):
                unspecified.append(f"{what}: {name}")
    return {
        "whole": whole, "mutants": len(finder.mutants), "functions": sorted({one.function for one in finder.mutants}),
        "places": sorted({one.what for one in finder.mutants}), "survivors": alive, "unspecified": unspecified,
    }  # fmt: skip


def caught(one: RuleMutant, differs: Callable[[], str]) -> bool:
    """True when a mutant is told apart, cannot be run or does not end; in a process of its own, which it may spoil."""
    child = os.fork()
    if not child:
        ALIVE.value = one.number
        # Whatever happens, the copy ends here.
        try:
            os._exit(1 if differs() else 0)
        finally:
            os._exit(1)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status != 0
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NUMBA_CACHE_DIR"] = folder
        # By its own name, so that the rewritten rules read the number that is written here.
        from tests.trust import rule_mutants

        rule_mutants.mutant = rule_mutants._reader()
        Path(sys.argv[2]).write_text(json.dumps(rule_mutants.survivors(sys.argv[1]), indent=1), encoding="utf-8")
