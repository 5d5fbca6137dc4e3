"""Code versions: they follow every source an asset's content follows from, and the settings it was made with."""

from __future__ import annotations

import ast
from pathlib import Path

import dagster as dg
import pytest

from polyguard_assets import versions
from polyguard_assets.settings import Settings
from polyguard_assets.versions import ENVIRONMENT, KNOWLEDGE, TRAINING, made_with, source_version
from polyguard_env.errors import PolyGuardError

ROOT = versions.ROOT


def file_of(module: str) -> Path | None:
    """The source file of a module of the domain, None when the name is no module."""
    place = ROOT.joinpath(*module.split("."))
    found = [f for f in (place / "__init__.py", place.with_suffix(".py")) if f.is_file()]
    return found[0] if found else None


def imported_by(*modules: str) -> set[str]:
    """Files of polyguard_env that the modules import, directly or not, relative to the checkout."""
    seen: set[Path] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        file = file_of(name) if name.startswith("polyguard_env") else None
        if file is None or file in seen:
            continue
        seen.add(file)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return {file.relative_to(ROOT).as_posix() for file in seen}


def outside(files: set[str], parts: tuple[str, ...]) -> list[str]:
    # The package's own __init__ holds no code.
    covered = ("polyguard_env/__init__.py", *parts)
    return sorted(f for f in files if not any(f == part or f.startswith(f"{part}/") for part in covered))


@pytest.mark.parametrize(
    ("modules", "parts"),
    [
        (("polyguard_env.environment.env", "polyguard_env.environment.scenarios"), ENVIRONMENT),
        (("polyguard_env.corpora",), (*ENVIRONMENT, "polyguard_env/corpora.py")),
        (("polyguard_env.knowledge.build", "polyguard_env.knowledge.compile"), (*KNOWLEDGE, "polyguard_env/errors.py")),
        (
            ("polyguard_env.rollouts", "polyguard_env.policies.baselines", "polyguard_env.policies.rule_based"),
            (*ENVIRONMENT, "polyguard_env/policies", "polyguard_env/rollouts.py"),
        ),
    ],
)
def test_everything_imported_is_versioned(modules: tuple[str, ...], parts: tuple[str, ...]) -> None:
    assert all(file_of(module) for module in modules)
    assert outside(imported_by(*modules), parts) == []


def test_a_rule_of_the_engine_makes_what_follows_from_it_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in (*ENVIRONMENT, *TRAINING):
        target = tmp_path / part
        target.parent.mkdir(parents=True, exist_ok=True)
        (target if target.suffix else target / "part.py").parent.mkdir(parents=True, exist_ok=True)
        (target if target.suffix else target / "part.py").write_text("rule = 1\n", encoding="utf-8")
    monkeypatch.setattr(versions, "ROOT", tmp_path)

    def current() -> tuple[str, str]:
        source_version.cache_clear()
        return source_version(*ENVIRONMENT), source_version(*TRAINING)

    environment, training = current()
    (tmp_path / "polyguard_env/engine/part.py").write_text("rule = 2\n", encoding="utf-8")
    changed, same = current()
    source_version.cache_clear()
    assert changed != environment
    assert same == training


def test_a_part_that_is_not_there_is_refused() -> None:
    with pytest.raises(PolyGuardError, match="name a source file or folder"):
        source_version("polyguard_env/nowhere")


def test_a_changed_setting_makes_only_what_uses_it_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    before = made_with("code", "grpo_steps"), made_with("code", "sft_epochs")
    changed = Settings(grpo_steps=Settings().grpo_steps + 1)
    monkeypatch.setattr(versions, "Settings", lambda: changed)
    assert made_with("code", "grpo_steps") != before[0]
    assert made_with("code", "sft_epochs") == before[1]


def test_changed_rewards_make_the_grpo_adapter_stale() -> None:
    from polyguard_assets.definitions import defs

    node = defs.resolve_asset_graph().get(dg.AssetKey("grpo_adapter"))
    assert dg.AssetKey("scenario_rollouts") in node.parent_keys
