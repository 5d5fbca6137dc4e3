"""The environment server as a resource: a given URL, or a private local server started for the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import httpx

from polyguard_assets.paths import data_lake, knowledge_folder, project_root
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KNOWLEDGE_VARIABLE

URL_VARIABLE = "POLYGUARD_ENVIRONMENT_URL"
# A first start compiles the rules: a quarter of a minute alone, minutes on a machine at work.
START_SECONDS = 180.0
STOP_SECONDS = 10.0
BANNER = "PolyGuard environment server on "


class EnvironmentServer(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where rewards come from.

    Attributes:
        url: a running server; empty starts a private one on a free loopback port for the time it is used.
    """

    url: str = ""

    @contextmanager
    def running(self, knowledge: Path | None = None) -> Iterator[str]:
        """The URL of a healthy server.

        Args:
            knowledge: snapshot folder a private server serves; the materialized one when None.

        Raises:
            PolyGuardError: the given URL does not answer, or the private server did not start.
        """
        if self.url:
            check_health(self.url)
            yield self.url.rstrip("/")
            return
        log = data_lake() / "reports" / "environment_server.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", "polyguard_serving.server", "--host", "127.0.0.1", "--port", "0"],
                cwd=project_root(),
                env=os.environ | {KNOWLEDGE_VARIABLE: str(knowledge or knowledge_folder()), "PYTHONUNBUFFERED": "1"},
                stdout=sink,
                stderr=subprocess.STDOUT,
            )
            try:
                yield _wait_for(process, log)
            finally:
                stop(process)


def _wait_for(process: subprocess.Popen[bytes], log: Path) -> str:
    """The private server's URL once it is healthy."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        text = log.read_text(encoding="utf-8")
        line = next((part for part in text.splitlines() if part.startswith(BANNER)), "")
        if line:
            url = line.removeprefix(BANNER).strip()
            if ready(url):
                return url
        if process.poll() is not None:
            last = next((part for part in reversed(text.splitlines()) if part.strip()), "it said nothing")
            raise PolyGuardError("environment_server", last, f"see {log.name}; run 'make serve' to try it")
        time.sleep(0.1)
    raise PolyGuardError("environment_server", log.name, f"it did not answer within {START_SECONDS:.0f} s; see the log")


def ready(url: str) -> bool:
    """Whether a server has loaded its knowledge; it is healthy before that, but answers nothing else yet."""
    try:
        return httpx.get(f"{url}/ready", timeout=5.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def check_health(url: str) -> None:
    """Ask a server for its health.

    Raises:
        PolyGuardError: it cannot be reached or is not a healthy environment server.
    """
    fix = "start it with 'make serve', correct the URL, or leave the URL empty for a private server"
    try:
        answer = httpx.get(f"{url.rstrip('/')}/health", timeout=5.0, trust_env=False)
        healthy = answer.status_code == 200 and answer.json().get("status") == "healthy"
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise PolyGuardError("environment_server.url", url, f"{fix} ({type(error).__name__})") from error
    if not healthy:
        raise PolyGuardError("environment_server.url", url, fix)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process by its own id: ask first, then insist."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
