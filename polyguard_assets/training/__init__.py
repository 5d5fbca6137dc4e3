"""Training entry points, run in their own processes: model source, SFT, GRPO, merge, post-save inference.

The only place that imports torch, transformers, trl, peft and unsloth. `config` and `model_runs`
import none of them, so asset definitions may read those two.
"""
