"""Where compiled rules are kept: a folder named after all that the code follows from.

Codes and places of parameters are constants to the compiler, and its own cache looks at one source file at a time: a
change of any file compiles everything anew, in a folder of its own. The compiler is not loaded here.
"""

from __future__ import annotations

import os
import platform
import stat
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import gettempdir

HERE = Path(__file__).resolve().parent
SOURCES = (
    *sorted(HERE.glob("*.py")),
    *sorted((HERE.parent / "environment" / "drafting").glob("*.py")),
    *sorted((HERE.parent / "environment" / "subenvironments").glob("*.py")),
    HERE.parent / "reward" / "columns.py",
    HERE.parent / "environment" / "messages.py",
)
ENTRY = HERE / "kernel.py"
CPU_LINES = ("vendor_id", "cpu family", "model", "stepping", "flags", "CPU implementer", "CPU part", "Features")


def source_hash() -> str:
    """Hash of all that the compiled rules follow from: 16 hex digits. The cache asks for an entry point's time, too."""
    processor = os.environ.get("NUMBA_CPU_NAME") or processor_words()
    compiler = f"{version('numba')} {version('llvmlite')} {platform.python_version()}"
    digest = sha256(f"{compiler} {processor} {ENTRY.stat().st_mtime_ns}".encode())
    for file in SOURCES:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


@cache
def processor_words() -> str:
    """The processor and what it can do: code compiled for one may not run on another."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    lines = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return "\n".join(f"{name.strip()}{words}" for name, _, words in lines if name.strip() in CPU_LINES)


def cache_folder() -> Path:
    """Where compiled code is kept: NUMBA_CACHE_DIR, else beside the sources, else with the user's caches.

    The last resort is a folder of this user's own among temporary files. What lies there is run, so a folder that
    others may write to is passed over.
    """
    own = os.environ.get("NUMBA_CACHE_DIR")
    temporary = Path(gettempdir()) / f"polyguard-{os.getuid()}"
    roots = [Path(own)] if own else [HERE / "__pycache__", Path.home() / ".cache" / "polyguard", temporary]
    for root in roots:
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(root, os.W_OK) and (root != temporary or private(root)):
            return root / f"numba-{source_hash()}"
    return roots[0] / f"numba-{source_hash()}"


def private(folder: Path) -> bool:
    """True when a folder is this user's and nobody else may write to it."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and found.st_mode & 0o022 == 0


FOLDER = cache_folder()


def kept() -> bool:
    """True when this machine's compiled code is on disk: the compiler's copy, and the machine code by itself."""
    return (FOLDER / "rules.o").exists() and any(FOLDER.rglob("*.nbi"))
