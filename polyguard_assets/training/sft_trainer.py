"""TRL's SFT trainer over packed rows: no padding, the head on completion places only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PrinterCallback
from trl.trainer.sft_config import SFTConfig as TrlSftConfig
from trl.trainer.sft_trainer import SFTTrainer

from polyguard_assets.training.adapters import load_model, load_tokenizer, new_adapter
from polyguard_assets.training.config import SftConfig
from polyguard_assets.training.corpus import SFT_COLUMNS, read_corpus
from polyguard_assets.training.dtype import DtypeChoice, compute_dtype, resolve_device
from polyguard_assets.training.encoding import messages
from polyguard_assets.training.likelihood import packed_likelihood
from polyguard_assets.training.packing import PackedBatch, PromptGroup, pack
from polyguard_assets.training.process import Reporter
from polyguard_assets.training.progress import ProgressCallback
from polyguard_env.errors import PolyGuardError

IGNORED = -100


class PackedCollator:
    """Turns TRL's tokenised rows into one packed batch.

    Args:
        eos_token_id: an answer is trained up to this token; what a template adds after it is not.
    """

    def __init__(self, eos_token_id: int) -> None:
        self.eos_token_id = eos_token_id

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """{"batch": PackedBatch, "labels": the answer tokens, which the Trainer counts}."""
        batch = pack([self.group(row["input_ids"], row["labels"]) for row in rows])
        return {"batch": batch, "labels": batch.targets[None]}

    def group(self, input_ids: Sequence[int], labels: Sequence[int]) -> PromptGroup:
        """Prompt and answer of a row, split where the labels begin."""
        start = next(place for place, label in enumerate(labels) if label != IGNORED)
        answer = list(input_ids[start:])
        if self.eos_token_id in answer:
            answer = answer[: answer.index(self.eos_token_id) + 1]
        return PromptGroup(list(input_ids[:start]), [answer])


class PackedSFTTrainer(SFTTrainer):
    """SFT on completions with packed rows.

    TRL's own loss needs Triton, which CPU builds of torch do not have, and pads every row.
    """

    model: Any
    processing_class: Any
    train_dataset: Any

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Mean negative log-likelihood of the completion tokens."""
        if return_outputs:
            raise PolyGuardError("return_outputs", True, "packed rows give no logits; ask for the loss alone")
        batch: PackedBatch = inputs["batch"].to(self.args.device)
        scores = packed_likelihood(self.accelerator.unwrap_model(model), batch)
        count = len(batch.targets) if num_items_in_batch is None else num_items_in_batch
        mode = "train" if self.model.training else "eval"
        self._metrics[mode]["mean_token_accuracy"].append(scores.correct.float().mean().item())
        self._metrics[mode]["tokens"].append(float(batch.input_ids.numel()))
        return -scores.token.sum() / count

    def save_adapter(self, directory: Path) -> None:
        """Save the adapter and the tokenizer it was trained with."""
        self.model.save_pretrained(str(directory))
        self.processing_class.save_pretrained(str(directory))

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """None: reports describe a run, and TRL's card would name a hub."""


def build_trainer(config: SftConfig, reporter: Reporter) -> tuple[PackedSFTTrainer, DtypeChoice, int]:
    """The trainer over the corpus, the number format chosen, and how many rows it has.

    Raises:
        PolyGuardError: missing model or corpus, or a row longer than `max_tokens`.
    """
    torch.set_num_threads(config.threads)
    device = resolve_device(config.device)
    choice = compute_dtype(config.dtype, device)
    rows = read_corpus(config.corpus_path, SFT_COLUMNS, config.split)
    tokenizer = load_tokenizer(config.model_dir)
    torch.manual_seed(config.seed)
    model = new_adapter(load_model(config.model_dir, choice.torch_dtype, device), config.lora)
    dataset = Dataset.from_list(
        [
            {"prompt": messages(system, user), "completion": [{"role": "assistant", "content": completion}]}
            for system, user, completion in rows[list(SFT_COLUMNS)].itertuples(index=False)
        ]
    )
    arguments = TrlSftConfig(
        output_dir=config.work_dir,
        per_device_train_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        warmup_steps=config.warmup_ratio,
        lr_scheduler_type="cosine",
        max_grad_norm=config.max_grad_norm,
        optim="adamw_torch_fused",
        num_train_epochs=config.epochs,
        max_steps=config.max_steps or -1,
        max_length=None,
        completion_only_loss=True,
        seed=config.seed,
        data_seed=config.seed,
        use_cpu=device == "cpu",
        # The base already has the chosen format; autocast or checkpointing would only add work.
        bf16=False,
        gradient_checkpointing=False,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        logging_steps=1,
        save_steps=config.checkpoint_every,
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
    )
    trainer = PackedSFTTrainer(
        model=model,
        args=arguments,
        train_dataset=dataset,
        processing_class=tokenizer,
        data_collator=PackedCollator(tokenizer.eos_token_id),
        callbacks=[ProgressCallback("sft", config.history_path, reporter)],
    )
    trainer.remove_callback(PrinterCallback)
    longest = max(len(ids) for ids in trainer.train_dataset["input_ids"])
    if longest > config.max_tokens:
        raise PolyGuardError(
            "corpus_path", f"{longest} tokens", f"shorten the rows or raise max_tokens {config.max_tokens}"
        )
    return trainer, choice, len(rows)
