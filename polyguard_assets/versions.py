"""Code versions: a hash of the source that an asset's content follows from."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@cache
def source_version(*parts: str) -> str:
    """Hash of the named source files and folders (relative to the checkout): 12 hex digits.

    Only Python and CSV files count, so caches and documents never make an asset stale.
    """
    digest = sha256()
    for part in parts:
        path = ROOT / part
        files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.suffix in (".py", ".csv"))
        for file in files:
            digest.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


KNOWLEDGE = ("polyguard_env/knowledge",)
ENVIRONMENT = (*KNOWLEDGE, "polyguard_env/environment", "polyguard_env/patients", "polyguard_env/reward",
               "polyguard_env/risk")  # fmt: skip
TRAINING = ("polyguard_assets/training",)
