"""Code versions: a hash of the source that an asset's content follows from."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

from polyguard_assets.settings import Settings
from polyguard_env.errors import PolyGuardError

ROOT = Path(__file__).resolve().parents[1]


@cache
def source_version(*parts: str) -> str:
    """Hash of the named source files and folders (relative to the checkout): 12 hex digits.

    Only Python and CSV files count, so caches and documents never make an asset stale.

    Raises:
        PolyGuardError: a part that does not exist, or holds no source: it would never make an asset stale.
    """
    digest = sha256()
    for part in parts:
        path = ROOT / part
        files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.suffix in (".py", ".csv"))
        if not files:
            raise PolyGuardError("code version", part, "name a source file or folder of the checkout")
        for file in files:
            digest.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def made_with(code: str, *names: str) -> str:
    """A code version that also follows the defaults of the named settings.

    Raises:
        AttributeError: no such setting.
    """
    values = ",".join(f"{name}={getattr(Settings(), name)!r}" for name in names)
    return f"{code}-{sha256(values.encode()).hexdigest()[:8]}"


KNOWLEDGE = ("polyguard_env/knowledge",)
# All that polyguard_env.environment.env imports, which a test holds to.
ENVIRONMENT = (
    *KNOWLEDGE, "polyguard_env/engine", "polyguard_env/environment", "polyguard_env/errors.py",
    "polyguard_env/evidence", "polyguard_env/patients", "polyguard_env/reward", "polyguard_env/risk",
    "polyguard_env/sources",
)  # fmt: skip
TRAINING = ("polyguard_assets/training",)
