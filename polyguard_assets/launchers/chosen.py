"""Which accelerator training uses: POLYGUARD_ACCELERATOR is "local" (the default) or "huggingface"."""

from __future__ import annotations

import os

from polyguard_assets.hub import Hub
from polyguard_assets.launchers.accelerator import Accelerator
from polyguard_assets.launchers.huggingface import HuggingFaceAccelerator
from polyguard_assets.launchers.local import LocalAccelerator
from polyguard_env.errors import PolyGuardError

VARIABLE = "POLYGUARD_ACCELERATOR"
KINDS = ("local", "huggingface")


def chosen_accelerator() -> Accelerator:
    """The accelerator the environment names.

    Raises:
        PolyGuardError: an unknown name.
    """
    kind = os.environ.get(VARIABLE, "").strip() or KINDS[0]
    if kind not in KINDS:
        raise PolyGuardError(VARIABLE, kind, f"use one of {', '.join(KINDS)}")
    return LocalAccelerator() if kind == "local" else HuggingFaceAccelerator(hub=Hub())
