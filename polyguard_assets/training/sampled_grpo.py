"""Stock sampled GRPO: the model answers freely, the environment server prices what it said."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PrinterCallback
from trl.trainer.grpo_trainer import GRPOTrainer

from polyguard_assets.training.adapters import load_adapter, load_model, load_tokenizer
from polyguard_assets.training.candidate_grpo import trl_arguments
from polyguard_assets.training.config import GrpoConfig
from polyguard_assets.training.corpus import GRPO_COLUMNS, read_corpus
from polyguard_assets.training.dtype import DtypeChoice, compute_dtype, resolve_device
from polyguard_assets.training.encoding import messages
from polyguard_assets.training.likelihood import target_log_probability
from polyguard_assets.training.prices import PriceClient, PriceItem
from polyguard_assets.training.process import Reporter
from polyguard_assets.training.progress import ProgressCallback


class NetworkReward:
    """TRL reward function: what the environment server pays for each sampled answer.

    An answer that copies no option is priced by the server as a malformed one.
    """

    __name__ = "environment_reward"

    def __init__(self, client: PriceClient, rows: Sequence[dict[str, Any]]) -> None:
        self.client = client
        self.rows = rows
        self.waited_seconds = 0.0

    def __call__(
        self, prompts: Sequence[Any], completions: Sequence[Any], row: Sequence[int], **extra: Any
    ) -> list[float | None]:
        """Rewards of the completions, one request for all prompts."""
        answers = [completion[0]["content"].strip() for completion in completions]
        places: dict[int, list[int]] = {}
        for place, number in enumerate(row):
            places.setdefault(number, []).append(place)
        items = [PriceItem.from_row(self.rows[n], [answers[p] for p in group]) for n, group in places.items()]
        began = time.monotonic()
        priced = self.client.price(items)
        self.waited_seconds += time.monotonic() - began
        rewards: list[float | None] = [0.0] * len(answers)
        for group, answer in zip(places.values(), priced, strict=True):
            for place, reward in zip(group, answer.rewards, strict=True):
                rewards[place] = reward
        log_metric = extra.get("log_metric")
        if log_metric is not None:
            copied = [answers[p] in set(self.rows[n]["candidates"]) for n, group in places.items() for p in group]
            log_metric("copied_option", sum(copied) / len(copied))
        return rewards

    def close(self) -> None:
        """Nothing runs ahead."""


class SampledGRPOTrainer(GRPOTrainer):
    """TRL's trainer, able to run where Triton is missing."""

    prices: NetworkReward
    model: Any
    processing_class: Any

    def _get_per_token_logps_and_entropies(
        self,
        model: torch.nn.Module,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        compute_aux_loss: bool = False,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        """As TRL's, whose fused head is a Triton kernel; on a CPU plain products take its place."""
        if input_ids.device.type != "cpu":
            scored: tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]
            scored = super()._get_per_token_logps_and_entropies(
                model,
                input_ids,
                attention_mask,
                logits_to_keep,
                batch_size,
                compute_entropy,
                compute_aux_loss,
                **kwargs,
            )
            return scored
        causal: Any = self.accelerator.unwrap_model(model).get_base_model()
        backbone = getattr(causal, causal.base_model_prefix)
        hidden = backbone(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).last_hidden_state
        kept = hidden[:, -logits_to_keep - 1 : -1].flatten(0, 1) / self.temperature
        targets = input_ids[:, -logits_to_keep:].flatten()
        head = causal.get_output_embeddings().weight
        token, _ = target_log_probability(kept, head, torch.arange(len(targets)), targets)
        entropies = None
        if compute_entropy:
            with torch.no_grad():
                logs = torch.log_softmax(torch.nn.functional.linear(kept, head).float(), -1)
                entropies = -(logs.exp() * logs).sum(-1).view(len(input_ids), logits_to_keep)
        return token.view(len(input_ids), logits_to_keep), entropies, None

    def save_adapter(self, directory: Path) -> None:
        """Save the adapter and the tokenizer it was trained with."""
        self.model.save_pretrained(str(directory), selected_adapters=["default"])
        self.processing_class.save_pretrained(str(directory))

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """None: reports describe a run, and TRL's card would name a hub."""


def build_trainer(
    config: GrpoConfig, client: PriceClient, reporter: Reporter
) -> tuple[SampledGRPOTrainer, DtypeChoice, int]:
    """The trainer over the corpus, the number format chosen, and how many rows it has."""
    torch.set_num_threads(config.threads)
    device = resolve_device(config.device)
    choice = compute_dtype(config.dtype, device)
    rows: list[Any] = read_corpus(config.corpus_path, GRPO_COLUMNS, config.split).to_dict("records")
    tokenizer = load_tokenizer(config.model_dir)
    torch.manual_seed(config.seed)
    if config.use_unsloth:
        from polyguard_assets.training.unsloth_backend import load_unsloth_adapter

        model = load_unsloth_adapter(config)
    else:
        model = load_adapter(
            load_model(config.model_dir, choice.torch_dtype, device), config.adapter_dir, trainable=True
        )
    reward = NetworkReward(client, rows)
    trainer = SampledGRPOTrainer(
        model=model,
        reward_funcs=[reward],
        args=trl_arguments(
            config,
            device,
            per_device_train_batch_size=config.prompts_per_pass * config.samples_per_prompt,
            steps_per_generation=None,
            num_generations=config.samples_per_prompt,
            max_completion_length=config.max_completion_tokens,
            temperature=config.temperature,
            scale_rewards=config.scale_rewards,
            entropy_coef=config.entropy_coefficient,
        ),
        train_dataset=Dataset.from_dict(
            {"prompt": [messages(row["system"], row["user"]) for row in rows], "row": list(range(len(rows)))}
        ),
        processing_class=tokenizer,
        callbacks=[ProgressCallback("grpo", config.history_path, reporter)],
    )
    trainer.prices = reward
    trainer.remove_callback(PrinterCallback)
    return trainer, choice, len(rows)
