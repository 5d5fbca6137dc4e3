"""Polite downloads: cached by URL, paced, retried with bounded backoff, Retry-After honoured."""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from pathlib import Path

import httpx

from polyguard_env.errors import PolyGuardError

USER_AGENT = "polyguard/0.3 (research data loader)"
RETRIED = frozenset({408, 429, 500, 502, 503, 504})


@dataclass
class Fetcher:
    """Gets URLs and keeps what came.

    Args:
        cache: folder of kept answers; one file per URL, named by its SHA-256.
        attempts: tries in all for one URL.
        first_wait: seconds before the second try; doubles each time, with jitter of up to half of it.
        longest_wait: no single wait is longer; a server that asks for more gets an error, not a sleeper.
        interval: least seconds between two requests.
        timeout: seconds for one request.
        sleep, clock, jitter: replaced in tests.
    """

    cache: Path
    attempts: int = 5
    first_wait: float = 1.0
    longest_wait: float = 60.0
    interval: float = 0.25
    timeout: float = 60.0
    user_agent: str = USER_AGENT
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random
    requests: int = field(default=0, init=False)
    cache_hits: int = field(default=0, init=False)
    _last: float = field(default=float("-inf"), init=False)

    def get(
        self, url: str, params: Mapping[str, str | int] | None = None, absent: tuple[int, ...] = ()
    ) -> bytes | None:
        """The body of a URL, from the cache when it was got before; None for a status in `absent`.

        Raises:
            PolyGuardError: the server refused, kept failing, or asked to wait longer than `longest_wait`.
        """
        full = str(httpx.URL(url, params=dict(params)) if params else httpx.URL(url))
        kept = self.path_of(full)
        if kept.is_file():
            self.cache_hits += 1
            return kept.read_bytes()
        body = self._download(full, absent)
        if body is not None:
            self._keep(kept, body)
        return body

    def path_of(self, url: str) -> Path:
        """Where the answer of a URL is kept."""
        return self.cache / f"{sha256(url.encode()).hexdigest()}.body"

    def _download(self, url: str, absent: tuple[int, ...]) -> bytes | None:
        reason = ""
        headers = {"User-Agent": self.user_agent}
        with httpx.Client(timeout=self.timeout, headers=headers, follow_redirects=True) as client:
            for attempt in range(1, self.attempts + 1):
                self._pace()
                asked: float | None = None
                try:
                    answer = client.get(url)
                except httpx.TransportError as error:
                    reason = f"{type(error).__name__}: {error}"
                else:
                    if answer.status_code in absent:
                        return None
                    if answer.is_success:
                        return answer.content
                    reason = f"status {answer.status_code}"
                    if answer.status_code not in RETRIED:
                        raise PolyGuardError("download", url, f"the server answered {reason}; check the URL")
                    asked = retry_after(answer.headers.get("retry-after", ""))
                if attempt < self.attempts:
                    self.sleep(self._wait(attempt, asked, url))
        raise PolyGuardError("download", url, f"{self.attempts} tries failed ({reason}); try again later")

    def _pace(self) -> None:
        rest = self._last + self.interval - self.clock()
        if rest > 0:
            self.sleep(rest)
        self._last = self.clock()
        self.requests += 1

    def _wait(self, attempt: int, asked: float | None, url: str) -> float:
        if asked is not None:
            if asked > self.longest_wait:
                fix = f"the server asks to wait {asked:.0f} s; come back after that"
                raise PolyGuardError("download", url, fix)
            return asked
        base = self.first_wait * 2.0 ** (attempt - 1)
        return float(min(self.longest_wait, base * (1 + 0.5 * self.jitter())))

    def _keep(self, path: Path, body: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as handle:
            handle.write(body)
        os.replace(handle.name, path)


def retry_after(text: str) -> float | None:
    """Seconds of a Retry-After header (a number, or a date); None when it has none."""
    if text.strip().isdecimal():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def fetch_files(urls: Mapping[str, str], folder: Path, fetcher: Fetcher) -> list[Path]:
    """Download files under their own names into `folder`; those already there stay.

    Args:
        urls: file name to URL.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, url in urls.items():
        path = folder / Path(name).name
        if not path.is_file():
            body = fetcher.get(url)
            with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as handle:
                handle.write(body or b"")
            os.replace(handle.name, path)
        paths.append(path)
    return paths
