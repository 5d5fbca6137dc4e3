"""A process as a container runs it: not root, no capabilities, every file system read-only but one small tmpfs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

USER = "1000"
# Python may be installed below a home that only root may enter: its folder is mounted over an open one.
SCRIPT = r"""
set -eu
scratch=$1; prefix=$2; shift 2
mount --make-rprivate /
mount -t tmpfs -o mode=1777,size=256m writable "$scratch/tmp"
mount --bind "$prefix" "$scratch/python"
case "$prefix" in /root/*)
  mount -t tmpfs -o mode=755 open /root
  mkdir -p "$prefix"
  mount --bind "$scratch/python" "$prefix"
esac
awk '{print $2}' /proc/self/mounts | while read -r place; do
  case "$place" in "$scratch/tmp"|/proc*|/sys*|/dev*) ;; *) mount -o remount,bind,ro "$place";; esac
done
exec setpriv --reuid="$USER_ID" --regid="$USER_ID" --clear-groups --no-new-privs \
  --bounding-set=-all --inh-caps=-all "$@"
"""


def refused() -> str:
    """Why a process cannot be contained here; empty when it can."""
    if os.geteuid() != 0:
        return "only root may make a mount namespace"
    if not all(shutil.which(tool) for tool in ("unshare", "setpriv", "mount")):
        return "unshare, setpriv and mount are not installed"
    tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True)
    return tried.stderr.strip() if tried.returncode else ""


@contextmanager
def contained(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The running process; its output goes to `log`, and TMPDIR is the one place it can write to."""
    scratch = Path(tempfile.mkdtemp(prefix="contained-", dir="/var/tmp"))
    scratch.chmod(0o755)
    for name in ("tmp", "python"):
        (scratch / name).mkdir()
    wanted = {"PATH": os.environ["PATH"], "USER_ID": USER, "HOME": "/nonexistent", "TMPDIR": str(scratch / "tmp")}
    with log.open("wb") as sink:
        process = subprocess.Popen(
            ["unshare", "--mount", "bash", "-c", SCRIPT, "contained", str(scratch), os.path.realpath(sys.base_prefix),
             *command],
            env=wanted | dict(environment), stdout=sink, stderr=subprocess.STDOUT, cwd="/",
        )  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            shutil.rmtree(scratch)
