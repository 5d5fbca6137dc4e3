"""Log-likelihoods of candidates under a local model, as training computes them."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from polyguard_env.active_model import ActiveModel, check_part
from polyguard_env.errors import PolyGuardError

MOST_TOKENS = 2048
CALIBRATION = "calibration.json"


class Scorer:
    """A model that weighs candidates.

    Args:
        model: the active model. source: "grpo_adapter" or "merged". lake: data lake its paths start from.
        threads: CPU threads.

    Raises:
        PolyGuardError: a file is missing, changed or unsafe.
    """

    def __init__(self, model: ActiveModel, source: str, lake: Path, threads: int) -> None:
        began = time.monotonic()
        adapter = check_part(model, "grpo_adapter", lake) if source == "grpo_adapter" else None
        folder = check_part(model, "base" if adapter else "merged", lake)
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        torch.set_num_threads(threads)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = torch.bfloat16 if self.device == "cuda" else torch.float32
        safe: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        self.tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), **safe)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            str(folder), dtype=torch.float32 if adapter else dtype, use_safetensors=True, **safe
        )
        if adapter is not None:
            from peft import PeftModel

            # Merged once: an answer then costs what the base alone costs.
            loaded = PeftModel.from_pretrained(loaded, str(adapter)).merge_and_unload()
        self.model = loaded.to(device=self.device, dtype=dtype).eval()
        self.temperature, self.length_normalise = calibration(adapter or folder)
        self.parameters = sum(parameter.numel() for parameter in self.model.parameters())
        self.load_seconds = time.monotonic() - began

    def scores(self, system: str, user: str, candidates: Sequence[str]) -> list[float]:
        """Log-likelihood of each candidate as the answer, in nats.

        The prompt is read once; every candidate goes on from its cache.

        Raises:
            PolyGuardError: prompt and longest candidate exceed `MOST_TOKENS`.
        """
        import torch

        chat = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        text = self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        prompt = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        end = self.tokenizer.eos_token_id
        answers = [[*self.tokenizer(word, add_special_tokens=False)["input_ids"], end] for word in candidates]
        longest = max(map(len, answers))
        if len(prompt) + longest > MOST_TOKENS:
            raise PolyGuardError("observation.text", f"{len(prompt)} tokens", f"at most {MOST_TOKENS} with the answer")
        with torch.inference_mode():
            first = self.model(input_ids=torch.tensor([prompt], device=self.device), use_cache=True)
            begins = first.logits[0, -1].float().log_softmax(-1)
            cache = first.past_key_values
            cache.batch_repeat_interleave(len(answers))
            # Right padding: what comes after an answer's end is read by nobody.
            rows = torch.tensor([[*a, *[end] * (longest - len(a))] for a in answers], device=self.device)
            after = self.model(input_ids=rows, past_key_values=cache, use_cache=True).logits.float().log_softmax(-1)
        found = []
        for place, tokens in enumerate(answers):
            total = float(begins[tokens[0]])
            total += sum(float(after[place, step, token]) for step, token in enumerate(tokens[1:]))
            found.append(total / len(tokens) if self.length_normalise else total)
        return found

    def probabilities(self, scores: Sequence[float]) -> list[float]:
        """Calibrated probabilities of candidates from their scores."""
        shifted = [score / self.temperature for score in scores]
        weights = [math.exp(value - max(shifted)) for value in shifted]
        return [weight / sum(weights) for weight in weights]


def calibration(folder: Path) -> tuple[float, bool]:
    """Temperature and length normalisation written beside the weights; 1 and no when there are none."""
    place = folder / CALIBRATION
    if not place.is_file():
        return 1.0, False
    found = json.loads(place.read_text(encoding="utf-8"))
    return float(found["temperature"]), bool(found["length_normalise"])
