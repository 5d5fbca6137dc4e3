"""GRPO where the group is every candidate of a prompt, weighted by the policy."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from peft import PeftModel
from torch.utils.data import Sampler
from transformers import PrinterCallback
from trl.trainer.grpo_config import GRPOConfig as TrlGrpoConfig
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.utils import use_adapter

from polyguard_assets.training.adapters import load_adapter, load_model, load_tokenizer
from polyguard_assets.training.calibration import Calibration, fit_calibration
from polyguard_assets.training.config import GrpoConfig
from polyguard_assets.training.corpus import GRPO_COLUMNS, read_corpus
from polyguard_assets.training.dtype import DtypeChoice, compute_dtype, resolve_device
from polyguard_assets.training.encoding import encode_group, messages
from polyguard_assets.training.likelihood import packed_likelihood
from polyguard_assets.training.packing import PackedBatch, PromptGroup, pack
from polyguard_assets.training.policy_gradient import candidate_loss, split_scores
from polyguard_assets.training.prices import PriceClient, PricedActions, PriceItem, PricePrefetcher
from polyguard_assets.training.process import Reporter
from polyguard_assets.training.progress import ProgressCallback
from polyguard_env.errors import PolyGuardError

CALIBRATION_GROUPS = 256
REFERENCE_ADAPTER = "ref"


class FixedOrder(Sampler[int]):
    """Rows in an order decided before training, so that prices can be asked for ahead of it."""

    def __init__(self, order: Sequence[int]) -> None:
        self.order = list(order)

    def __iter__(self) -> Iterator[int]:
        return iter(self.order)

    def __len__(self) -> int:
        return len(self.order)


class CandidateGRPOTrainer(GRPOTrainer):
    """TRL's GRPO trainer without generation: one forward and backward pass scores every candidate.

    The environment can price each candidate of a prompt, so nothing is sampled: the group is all
    candidates, each weighted by its probability under the policy.

    Args:
        config: settings.
        groups: encoded prompts, in the dataset's order.
        order: dataset rows in training order, `prompts_per_step` for each step.
        prices: rewards in the same order, one batch per pass through the model.
        kwargs: as for GRPOTrainer.
    """

    model: Any
    processing_class: Any

    def __init__(
        self,
        config: GrpoConfig,
        groups: Sequence[PromptGroup],
        order: Sequence[int],
        prices: PricePrefetcher,
        **kwargs: Any,
    ) -> None:
        self.config = config
        self.groups = groups
        self.order = order
        self.prices = prices
        self.next_pass: int | None = None
        self.recent: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=CALIBRATION_GROUPS)
        super().__init__(reward_funcs=[environment_reward], **kwargs)
        if self.args.world_size > 1:
            raise PolyGuardError("world_size", self.args.world_size, "run candidate GRPO in one process")

    def _get_train_sampler(self, dataset: Dataset | None = None) -> Sampler[int]:
        return FixedOrder(self.order)

    def _prepare_inputs(self, generation_batch: Any) -> dict[str, Any]:
        """The packed batch and the prices of its candidates."""
        if self.next_pass is None:
            # A resumed run begins in the middle of the order.
            self.next_pass = self.state.global_step * self.args.gradient_accumulation_steps
        priced = self.prices.take(self.next_pass)
        self.next_pass += 1
        batch = pack([self.groups[row["row"]] for row in generation_batch]).to(self.accelerator.device)
        return {"batch": batch, "priced": priced}

    def _compute_loss(self, model: torch.nn.Module, inputs: dict[str, Any]) -> torch.Tensor:
        batch: PackedBatch = inputs["batch"]
        priced: list[PricedActions] = inputs["priced"]
        policy = self.accelerator.unwrap_model(model)
        scores = self._scores(policy, batch)
        reference = None
        if self.config.kl_coefficient:
            with torch.no_grad(), use_adapter(policy, REFERENCE_ADAPTER):
                reference = self._scores(policy, batch)
        rewards = [torch.tensor(answer.rewards, device=batch.input_ids.device) for answer in priced]
        outcome = candidate_loss(
            scores,
            rewards,
            temperature=self.config.temperature,
            scale_rewards=self.config.scale_rewards == "group",
            target_temperature=self.config.target_temperature,
            entropy_coefficient=self.config.entropy_coefficient,
            reference=reference,
            kl_coefficient=self.config.kl_coefficient,
        )
        metrics = outcome.metrics | {"tokens": float(batch.input_ids.numel())}
        metrics |= expected_columns(priced, outcome.probabilities)
        for name, value in metrics.items():
            self._metrics["train" if self.model.training else "eval"][name].append(value)
        for score, reward in zip(scores, rewards, strict=True):
            self.recent.append((score.detach().float().cpu().numpy(), reward.cpu().numpy()))
        return outcome.loss

    def _scores(self, model: PeftModel, batch: PackedBatch) -> tuple[torch.Tensor, ...]:
        likelihood = packed_likelihood(model, batch)
        return split_scores(
            likelihood.candidate,
            batch.lengths,
            batch.group_sizes,
            length_normalise=self.config.length_normalise,
        )

    def calibration(self) -> Calibration:
        """Fitted on the last prompts, which were scored before the policy learned from them."""
        scores, rewards = zip(*self.recent, strict=True) if self.recent else ((), ())
        return fit_calibration(scores, rewards, self.config.length_normalise)

    def save_adapter(self, directory: Path) -> None:
        """Save the adapter, the tokenizer and the calibration."""
        self.model.save_pretrained(str(directory), selected_adapters=["default"])
        self.processing_class.save_pretrained(str(directory))
        self.calibration().save(directory)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """None: reports describe a run, and TRL's card would name a hub."""


def environment_reward(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
    """Stands where TRL wants a reward function; candidates are priced before a step, never here."""
    raise PolyGuardError("reward", "sampled completions", "candidate GRPO prices candidates; use mode sampled")


def expected_columns(priced: Sequence[PricedActions], probabilities: Sequence[torch.Tensor]) -> dict[str, float]:
    """Means over the prompts of each reward column's expectation under the policy."""
    if not all(answer.columns for answer in priced):
        return {}
    totals: dict[str, float] = {}
    for answer, policy in zip(priced, probabilities, strict=True):
        for weight, columns in zip(policy.tolist(), answer.columns, strict=True):
            for name, value in columns.items():
                totals[name] = totals.get(name, 0.0) + weight * value
    return {f"columns/{name}": total / len(priced) for name, total in sorted(totals.items())}


def training_order(rows: int, steps: int, prompts_per_step: int, seed: int) -> list[int]:
    """Rows in training order: seeded permutations one after the other, so that none repeats before all were seen."""
    rng = np.random.Generator(np.random.PCG64(seed))
    order: list[int] = []
    while len(order) < steps * prompts_per_step:
        order += rng.permutation(rows).tolist()
    return order[: steps * prompts_per_step]


def build_trainer(
    config: GrpoConfig, client: PriceClient, reporter: Reporter
) -> tuple[CandidateGRPOTrainer, DtypeChoice, int]:
    """The trainer over the corpus, the number format chosen, and how many rows it has."""
    torch.set_num_threads(config.threads)
    device = resolve_device(config.device)
    choice = compute_dtype(config.dtype, device)
    rows: list[Any] = read_corpus(config.corpus_path, GRPO_COLUMNS, config.split).to_dict("records")
    tokenizer = load_tokenizer(config.model_dir)
    torch.manual_seed(config.seed)
    model = load_adapter(load_model(config.model_dir, choice.torch_dtype, device), config.adapter_dir, trainable=True)
    groups = [encode_group(tokenizer, r["system"], r["user"], list(r["candidates"]), config.max_tokens) for r in rows]
    order = training_order(len(rows), config.steps, config.prompts_per_step, config.seed)
    items = [PriceItem.from_row(rows[place], rows[place]["candidates"]) for place in order]
    size = config.prompts_per_pass
    batches = [items[start : start + size] for start in range(0, len(items), size)]
    ahead = config.prefetch_steps * (config.prompts_per_step // size)
    trainer = CandidateGRPOTrainer(
        config,
        groups,
        order,
        PricePrefetcher(client, batches, ahead),
        model=model,
        args=trl_arguments(config, device),
        train_dataset=Dataset.from_dict(
            {"prompt": [messages(row["system"], row["user"]) for row in rows], "row": list(range(len(rows)))}
        ),
        processing_class=tokenizer,
        callbacks=[ProgressCallback("grpo", config.history_path, reporter)],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer, choice, len(rows)


def trl_arguments(config: GrpoConfig, device: str, **overrides: Any) -> TrlGrpoConfig:
    """TRL's arguments; TRL insists on a group size of at least 2 that divides the batch."""
    values: dict[str, Any] = {
        "output_dir": config.work_dir,
        "per_device_train_batch_size": config.prompts_per_pass,
        "gradient_accumulation_steps": config.prompts_per_step // config.prompts_per_pass,
        "steps_per_generation": 1,
        "num_generations": config.prompts_per_pass,
        "max_steps": config.steps,
        "learning_rate": config.learning_rate,
        "warmup_steps": config.warmup_ratio,
        "lr_scheduler_type": "cosine",
        "max_grad_norm": config.max_grad_norm,
        "optim": "adamw_torch_fused",
        "beta": config.kl_coefficient,
        "seed": config.seed,
        "data_seed": config.seed,
        "use_cpu": device == "cpu",
        # The base already has the chosen format; autocast or checkpointing would only add work.
        "bf16": False,
        "gradient_checkpointing": False,
        "dataloader_pin_memory": False,
        "logging_steps": 1,
        "save_steps": config.checkpoint_every,
        "save_total_limit": 2,
        "report_to": "none",
        "disable_tqdm": True,
    }
    return TrlGrpoConfig(**(values | overrides))
