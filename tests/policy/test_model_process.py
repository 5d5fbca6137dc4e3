"""The model's process: which source speaks, and what a slow, dead or missing one costs."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyguard_env.environment.messages import PolyGuardObservation
from polyguard_env.environment.render import SYSTEM_PROMPT
from polyguard_serving.policy.model_process import ModelProcess, Scored
from polyguard_serving.refusals import Refusal
from tests.policy.conftest import RUN

FAKE = Path(__file__).with_name("fake_model.py")


def fake(lake: Path, mode: str, **limits: Any) -> ModelProcess:
    return ModelProcess(lake, (sys.executable, str(FAKE), mode), **limits)


def run(process: ModelProcess, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    async def whole() -> Any:
        try:
            return await work()
        finally:
            await process.close()

    return asyncio.run(whole())


def ask(process: ModelProcess, seen: PolyGuardObservation) -> Coroutine[Any, Any, Scored]:
    return process.score(SYSTEM_PROMPT, seen.text, [c.text for c in seen.candidates])


def test_the_adapter_speaks_and_scores_as_training_does(tiny_lake: Path, observation: PolyGuardObservation) -> None:
    from polyguard_assets.training.inference import CandidateScorer

    process = ModelProcess(tiny_lake)
    scored = run(process, lambda: ask(process, observation))
    assert scored.source == "grpo_adapter" and scored.fallback_reason is None and scored.label == "tiny + GRPO"
    folder = tiny_lake / "models" / RUN
    trained = CandidateScorer(folder / "base", folder / "grpo_adapter", dtype="float32", threads=1)
    expected = trained.scores(SYSTEM_PROMPT, observation.text, [c.text for c in observation.candidates])
    assert np.allclose(scored.scores, expected, atol=1e-3)
    assert np.allclose(scored.probabilities, trained.probabilities(expected), atol=1e-4)


def test_the_merged_model_speaks_when_the_adapter_is_broken_and_says_why(
    tiny_lake: Path, tmp_path: Path, observation: PolyGuardObservation
) -> None:
    lake = Path(shutil.copytree(tiny_lake, tmp_path / "lake"))
    (lake / "models" / RUN / "grpo_adapter" / "adapter_model.safetensors").write_bytes(b"broken")
    process = ModelProcess(lake)
    scored = run(process, lambda: ask(process, observation))
    assert scored.source == "merged" and "SHA-256" in str(scored.fallback_reason)


def test_nothing_speaks_when_nothing_loads(tiny_lake: Path, tmp_path: Path, observation: PolyGuardObservation) -> None:
    lake = Path(shutil.copytree(tiny_lake, tmp_path / "lake"))
    for part in ("grpo_adapter", "merged"):
        shutil.rmtree(lake / "models" / RUN / part)
    process = ModelProcess(lake)
    with pytest.raises(Refusal, match="file is missing") as refused:
        run(process, lambda: ask(process, observation))
    assert refused.value.code == "MODEL_NOT_AVAILABLE"
    assert process.state == "failed" and "merged" in process.reason


def test_without_a_manifest_no_process_is_started(tmp_path: Path, observation: PolyGuardObservation) -> None:
    process = fake(tmp_path, "good")
    with pytest.raises(Refusal, match="make demo") as refused:
        run(process, lambda: ask(process, observation))
    assert refused.value.code == "MODEL_NOT_AVAILABLE" and process.restarts == 0 and process.state == "absent"


@pytest.mark.parametrize(
    ("mode", "code"),
    [("slow", "TIMEOUT"), ("dies", "MODEL_NOT_AVAILABLE"), ("silent", "MODEL_NOT_AVAILABLE"),
     ("babble", "MODEL_NOT_AVAILABLE")],
)  # fmt: skip
def test_a_model_that_misbehaves_is_ended_and_refused(
    tiny_lake: Path, observation: PolyGuardObservation, mode: str, code: str
) -> None:
    process = fake(tiny_lake, mode, load_s=3.0, answer_s=0.5)

    async def twice() -> list[str]:
        codes = []
        for _ in range(2):
            try:
                await ask(process, observation)
            except Refusal as refusal:
                codes.append(refusal.code)
            assert process._process is None or process._process.returncode is not None
        return codes

    assert run(process, twice) == [code, code]


def test_callers_past_the_queue_are_refused_at_once(tiny_lake: Path, observation: PolyGuardObservation) -> None:
    process = fake(tiny_lake, "slow", most_waiting=2, answer_s=0.5)

    async def three() -> list[Any]:
        return await asyncio.gather(*(ask(process, observation) for _ in range(3)), return_exceptions=True)

    codes = sorted(refusal.code for refusal in run(process, three))
    assert codes == ["BUSY", "TIMEOUT", "TIMEOUT"] and process.waiting == 0


def test_a_new_manifest_is_served_without_a_restart_of_the_server(
    tiny_lake: Path, tmp_path: Path, observation: PolyGuardObservation
) -> None:
    lake = Path(shutil.copytree(tiny_lake, tmp_path / "lake"))
    process = fake(lake, "good")

    async def before_and_after() -> tuple[int, int]:
        await ask(process, observation)
        await ask(process, observation)
        first = process.restarts
        manifest = lake / "models/active/active_model_manifest.json"
        os.utime(manifest, ns=(1, 1))
        await ask(process, observation)
        return first, process.restarts

    assert run(process, before_and_after) == (1, 2)


def test_secrets_stay_out_of_the_models_process(
    tiny_lake: Path, observation: PolyGuardObservation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_TOKEN", "not-for-the-model")
    seen = tmp_path / "seen"
    spy = tmp_path / "spy.py"
    spy.write_text(f"import os\nopen({str(seen)!r}, 'w').write(' '.join(os.environ))\n")
    process = ModelProcess(tiny_lake, (sys.executable, str(spy)))
    with pytest.raises(Refusal):
        run(process, lambda: ask(process, observation))
    assert "PATH" in seen.read_text().split() and "HF_TOKEN" not in seen.read_text().split()


def test_the_service_imports_no_torch() -> None:
    code = (
        "import sys, polyguard_serving.policy.__main__ as m; m.create();"
        "print([n for n in ('torch', 'transformers', 'peft', 'matplotlib') if n in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert ran.stdout.strip() == "[]", ran.stderr
