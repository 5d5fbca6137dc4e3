"""The training stages end to end on a tiny model: what they learn, and what a kill or an error leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file
from toy_task import FINGERPRINT, SYSTEM, ToyCase, grpo_corpus, marked_cases, price_server, sft_corpus

from polyguard_assets.training import grpo, merge, postsave, prices, sft
from polyguard_assets.training.config import (
    GrpoConfig,
    LoraSettings,
    MergeConfig,
    PostsaveConfig,
    SftConfig,
)
from polyguard_assets.training.inference import CandidateScorer, Decision
from polyguard_assets.training.process import Reporter
from polyguard_assets.training.publish import weights_sha256
from polyguard_env.errors import PolyGuardError

DEMONSTRATIONS = marked_cases(640, 1)
PROMPTS = marked_cases(320, 2)
HELD_OUT = marked_cases(120, 3, "holdout")


class Silent(Reporter):
    """Keeps lines instead of printing them; can stop a run the way a kill would."""

    def __init__(self, stop_at: str = "") -> None:
        super().__init__()
        self.lines: list[str] = []
        self.stop_at = stop_at

    def line(self, text: str) -> None:
        self.lines.append(text)
        if self.stop_at and text.startswith(self.stop_at):
            raise KeyboardInterrupt

    milestone = line


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("training")
    sft_corpus(DEMONSTRATIONS).to_parquet(path / "sft.parquet")
    grpo_corpus(PROMPTS).to_parquet(path / "grpo.parquet")
    return path


def sft_config(model: Path, folder: Path, name: str = "sft", **changes: object) -> SftConfig:
    values = {
        "result_path": f"{name}.json",
        "output_dir": name,
        "work_dir": f"{name}_work",
        "history_path": f"{name}.jsonl",
    }
    config = SftConfig(
        **{field: str(folder / value) for field, value in values.items()},
        model_dir=str(model),
        corpus_path=str(folder / "sft.parquet"),
        learning_rate=1e-2,
        batch_size=16,
        threads=1,
        dtype="float32",
        lora=LoraSettings(rank=16, alpha=32),
        checkpoint_every=10,
    )
    return replace(config, **changes)  # type: ignore[arg-type]


def grpo_config(model: Path, folder: Path, url: str, name: str = "grpo", **changes: object) -> GrpoConfig:
    values = {
        "result_path": f"{name}.json",
        "output_dir": name,
        "work_dir": f"{name}_work",
        "history_path": f"{name}.jsonl",
    }
    config = GrpoConfig(
        **{field: str(folder / value) for field, value in values.items()},
        model_dir=str(model),
        corpus_path=str(folder / "grpo.parquet"),
        adapter_dir=str(folder / "sft"),
        environment_url=url,
        knowledge_fingerprint=FINGERPRINT,
        learning_rate=5e-3,
        steps=20,
        prompts_per_step=16,
        prompts_per_pass=8,
        threads=1,
        dtype="float32",
        checkpoint_every=5,
    )
    return replace(config, **changes)  # type: ignore[arg-type]


def held_out_reward(model: Path, adapter: Path | None) -> tuple[float, float]:
    """Mean reward and share of best choices on cases never trained on."""
    scorer = CandidateScorer(model, adapter, dtype="float32", threads=1)
    decisions = [Decision(SYSTEM, case.user, tuple(case.candidates)) for case in HELD_OUT]
    chosen = [int(np.argmax(score)) for score in scorer.scores_many(decisions)]
    rewards = [case.rewards[place] for case, place in zip(HELD_OUT, chosen, strict=True)]
    return float(np.mean(rewards)), float(np.mean([c.best == p for c, p in zip(HELD_OUT, chosen, strict=True)]))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    cases: list[ToyCase] = PROMPTS
    with price_server(cases) as (url, _):
        yield url


@pytest.fixture(scope="module")
def trained(tiny_model_dir: Path, folder: Path, server: str) -> dict[str, dict[str, object]]:
    """SFT, then GRPO on top of it, then the merge."""
    reports = {"sft": sft.train(sft_config(tiny_model_dir, folder), Silent())}
    reports["grpo"] = grpo.train(grpo_config(tiny_model_dir, folder, server), Silent())
    reports["merge"] = merge.merge(
        MergeConfig(
            result_path=str(folder / "merge.json"),
            threads=1,
            model_dir=str(tiny_model_dir),
            adapter_dir=str(folder / "grpo"),
            corpus_path=str(folder / "grpo.parquet"),
            output_dir=str(folder / "merged"),
        ),
        Silent(),
    )
    return reports


def test_sft_beats_base_and_grpo_beats_sft(
    trained: dict[str, dict[str, object]], tiny_model_dir: Path, folder: Path
) -> None:
    base, sft_reward, grpo_reward = (
        held_out_reward(tiny_model_dir, adapter) for adapter in (None, folder / "sft", folder / "grpo")
    )
    assert sft_reward[0] > base[0] + 0.1
    assert grpo_reward[0] > sft_reward[0] + 0.02


def test_reports_say_what_ran(trained: dict[str, dict[str, object]], folder: Path) -> None:
    assert trained["sft"]["rows"] == 640 and trained["sft"]["steps"] == 40
    assert trained["sft"]["last_loss"] < trained["sft"]["first_loss"]  # type: ignore[operator]
    report = trained["grpo"]
    assert report["knowledge_fingerprint"] == FINGERPRINT
    assert report["priced_actions"] == 20 * 16 * 4
    history = [json.loads(line) for line in (folder / "grpo.jsonl").read_text().splitlines()]
    assert [row["step"] for row in history] == list(range(1, 21))
    for name in ("reward", "greedy_reward", "best_rate", "entropy", "frac_reward_zero_std"):
        assert name in history[0]
    assert history[0]["columns/safety_delta_score"] == pytest.approx(history[0]["reward"], abs=1e-6)
    assert not (folder / "sft_work").exists() and not (folder / "grpo_work").exists()


def test_grpo_leaves_the_sft_adapter_as_it_was(trained: dict[str, dict[str, object]], folder: Path) -> None:
    assert weights_sha256(folder / "sft") == trained["sft"]["adapter_sha256"]
    assert trained["grpo"]["adapter_sha256"] != trained["sft"]["adapter_sha256"]


def test_the_merged_model_answers_like_base_and_adapter(
    trained: dict[str, dict[str, object]], tiny_model_dir: Path, folder: Path
) -> None:
    assert trained["merge"]["adapter_vs_merged_max_abs_logit"] < 1e-3  # type: ignore[operator]
    assert trained["merge"]["merged_vs_reloaded_max_abs_logit"] == 0.0
    case = HELD_OUT[0]
    scores = [
        CandidateScorer(model, adapter, dtype="float32", threads=1).scores(SYSTEM, case.user, case.candidates)
        for model, adapter in ((tiny_model_dir, folder / "grpo"), (folder / "merged", None))
    ]
    assert np.allclose(scores[0], scores[1], atol=1e-3)


def postsave_config(folder: Path, **changes: object) -> PostsaveConfig:
    config = PostsaveConfig(
        result_path=str(folder / "postsave.json"),
        threads=1,
        artifact_dir=str(folder / "merged"),
        artifact_name="tiny/merged",
        corpus_path=str(folder / "grpo.parquet"),
        prompts=4,
        dtype="float32",
    )
    return replace(config, **changes)  # type: ignore[arg-type]


def test_the_exported_artifact_alone_answers(trained: dict[str, dict[str, object]], folder: Path) -> None:
    sha256 = str(trained["merge"]["merged_sha256"])
    report = postsave.answer(postsave_config(folder, expected_sha256=sha256), Silent())
    assert report["artifact_sha256"] == sha256
    assert report["artifact_name"] == "tiny/merged" and report["fallback_used"] is False
    assert len(report["answers"]) == 4 and 0.0 <= report["valid_rate"] <= 1.0


def test_nothing_else_answers_for_the_artifact(trained: dict[str, dict[str, object]], folder: Path) -> None:
    with pytest.raises(PolyGuardError, match="merge again"):
        postsave.answer(postsave_config(folder, expected_sha256="0" * 64), Silent())
    with pytest.raises(PolyGuardError, match="merged model"):
        postsave.answer(postsave_config(folder, artifact_dir=str(folder / "grpo")), Silent())
    with pytest.raises(PolyGuardError, match="model_dir"):
        postsave.answer(postsave_config(folder, artifact_dir=str(folder / "missing")), Silent())


def test_a_model_that_answers_in_the_artifacts_place_is_named_a_fallback(
    trained: dict[str, dict[str, object]], tiny_model_dir: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def another(_artifact: Path, **options: object) -> CandidateScorer:
        return CandidateScorer(tiny_model_dir, threads=1)

    monkeypatch.setattr("polyguard_assets.training.inference.CandidateScorer", another)
    assert postsave.answer(postsave_config(folder), Silent())["fallback_used"] is True


@pytest.mark.parametrize("stage", ["sft", "grpo"])
def test_a_killed_run_goes_on_and_ends_the_same(
    trained: dict[str, dict[str, object]], tiny_model_dir: Path, folder: Path, server: str, stage: str
) -> None:
    name = f"{stage}_killed"
    if stage == "sft":
        config, run = sft_config(tiny_model_dir, folder, name), sft.train
    else:
        config, run = grpo_config(tiny_model_dir, folder, server, name), grpo.train  # type: ignore[assignment]
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch, pytest.raises(KeyboardInterrupt):
        # Every step is shown, and the 13th stops the process.
        patch.setattr("polyguard_assets.training.progress.LINE_SECONDS", 0.0)
        run(config, Silent(stop_at=f"{stage} 13/"))  # type: ignore[arg-type]
    assert not Path(config.output_dir).exists()
    cut_short = Path(config.work_dir) / "checkpoint-13"
    cut_short.mkdir()
    report = run(config, Silent())  # type: ignore[arg-type]
    assert str(report["resumed_from"]).endswith("checkpoint-10")
    history = [json.loads(line)["step"] for line in Path(config.history_path).read_text().splitlines()]
    assert history == list(range(1, report["steps"] + 1))
    whole = load_file(folder / stage / "adapter_model.safetensors")
    resumed = load_file(Path(config.output_dir) / "adapter_model.safetensors")
    assert all(np.allclose(whole[name], resumed[name], atol=1e-6) for name in whole)


def test_an_unreachable_server_is_one_error_and_leaves_nothing(
    trained: dict[str, dict[str, object]], tiny_model_dir: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prices, "FIRST_WAIT_SECONDS", 0.01)
    config = grpo_config(tiny_model_dir, folder, "http://127.0.0.1:9", "grpo_alone", retries=2)
    with pytest.raises(PolyGuardError, match="start the environment server"):
        grpo.train(config, Silent())
    assert not Path(config.output_dir).exists()


def test_sampled_grpo_prices_what_the_model_said(
    trained: dict[str, dict[str, object]], tiny_model_dir: Path, folder: Path, server: str
) -> None:
    config = grpo_config(
        tiny_model_dir,
        folder,
        server,
        "grpo_sampled",
        mode="sampled",
        steps=2,
        prompts_per_step=4,
        prompts_per_pass=4,
        samples_per_prompt=4,
        max_completion_tokens=12,
    )
    report = grpo.train(config, Silent())
    assert report["mode"] == "sampled" and report["priced_actions"] == 2 * 4 * 4
    history = [json.loads(line) for line in (folder / "grpo_sampled.jsonl").read_text().splitlines()]
    assert "copied_option" in history[0] and 0.0 < history[0]["reward"] < 1.0
    assert (folder / "grpo_sampled" / "adapter_model.safetensors").is_file()


def test_a_long_prompt_is_refused_not_cut(tiny_model_dir: Path, folder: Path) -> None:
    with pytest.raises(PolyGuardError, match="max_tokens"):
        sft.train(sft_config(tiny_model_dir, folder, "sft_long", max_tokens=16), Silent())
