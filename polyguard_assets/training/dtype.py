"""Which number format this machine multiplies faster."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import torch

WORTHWHILE_SPEED_UP = 1.5
# Rows, inner size and columns of a typical product: a packed batch through an MLP projection of the embedded model.
SHAPE = (1024, 576, 1536)


@dataclass(frozen=True)
class DtypeChoice:
    """The format training computes in, and the measurement behind it.

    Attributes:
        dtype: "float32" or "bfloat16"; adapters stay in float32 either way.
        speed_up: float32 time over bfloat16 time of one product; None when it was not measured.
        float32_gflops, bfloat16_gflops: measured rates.
    """

    dtype: str
    reason: str
    speed_up: float | None = None
    float32_gflops: float | None = None
    bfloat16_gflops: float | None = None

    @property
    def torch_dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.dtype == "bfloat16" else torch.float32

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def resolve_device(device: str) -> str:
    """ "cpu" or "cuda" for a configuration's device."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def compute_dtype(requested: str = "auto", device: str = "cpu") -> DtypeChoice:
    """The format to compute in: the one asked for, or on "auto" the one worth its rounding.

    bfloat16 is 4 times faster on a CPU with AVX512-BF16 or AMX and several times slower on one without.
    """
    if requested != "auto":
        return DtypeChoice(requested, "requested")
    if device == "cuda":
        supported = torch.cuda.is_bf16_supported()
        return DtypeChoice("bfloat16" if supported else "float32", "CUDA device")
    return _measured()


@cache
def _measured() -> DtypeChoice:
    slow, fast = _seconds(torch.float32), _seconds(torch.bfloat16)
    speed_up = slow / fast
    rows, inner, columns = SHAPE
    operations = 2 * rows * inner * columns / 1e9
    return DtypeChoice(
        dtype="bfloat16" if speed_up > WORTHWHILE_SPEED_UP else "float32",
        reason=f"measured on this CPU, {torch.get_num_threads()} threads",
        speed_up=round(speed_up, 2),
        float32_gflops=round(operations / slow, 1),
        bfloat16_gflops=round(operations / fast, 1),
    )


def _seconds(dtype: torch.dtype, repeats: int = 7) -> float:
    """Fastest of a few products; the fastest is the one other processes disturbed least."""
    rows, inner, columns = SHAPE
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(rows, inner, generator=generator).to(dtype)
    right = torch.randn(columns, inner, generator=generator).to(dtype)
    times = []
    with torch.no_grad():
        for _ in range(repeats):
            begin = time.perf_counter()
            torch.nn.functional.linear(left, right)
            times.append(time.perf_counter() - begin)
    return min(times)
