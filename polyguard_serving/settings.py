"""Settings of the services: defaults, then the environment, then the command line."""

from __future__ import annotations

import ipaddress
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from polyguard_env.errors import PolyGuardError

MOST_SESSIONS = 64
MOST_EPISODES = 4096
SESSION_TIMEOUT_SECONDS = 900.0
BODY_BYTES = 8 * 2**20
JSON_DEPTH = 32
# Requests and websocket messages a client may send per second beyond loopback.
OPEN_RATE = 500.0
SHORTEST_TOKEN = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """What a server is started with.

    Attributes:
        host: address to bind.
        port: 0 for a free one.
        sessions: websocket sessions at once, over all workers.
        episodes: HTTP episodes at once, over all workers.
        session_timeout: seconds after which an idle session or episode is freed.
        workers: processes that serve; more than one needs a system with fork.
        token: bearer token every caller must send; empty for none.
        allow_open: serve beyond loopback without a token (a public Space).
        rate: requests and messages per second and client; 0 for no limit.
        body_bytes: largest body of a request or message.
        json_depth: deepest nesting of JSON in a request or message.
        origins: web origins that may call from a browser; none by default.
        frame_ancestors: CSP sources that may embed the pages; "'none'" by default.
        state_folder: where HTTP episodes are kept over a restart; empty for memory only.
        log_format: "json" or "off".
    """

    host: str = "127.0.0.1"
    port: int = 8000
    sessions: int = MOST_SESSIONS
    episodes: int = MOST_EPISODES
    session_timeout: float = SESSION_TIMEOUT_SECONDS
    workers: int = 1
    token: str = field(default="", repr=False)
    allow_open: bool = False
    rate: float = 0.0
    body_bytes: int = BODY_BYTES
    json_depth: int = JSON_DEPTH
    origins: tuple[str, ...] = ()
    frame_ancestors: tuple[str, ...] = ("'none'",)
    state_folder: str = ""
    log_format: str = "json"

    @property
    def loopback(self) -> bool:
        """True when only this machine can reach the server."""
        return loopback(self.host)

    def checked(self) -> Settings:
        """These settings.

        Raises:
            PolyGuardError: a server beyond loopback without a token, unless it is openly meant so, or a weak token.
        """
        if self.token and (len(self.token) < SHORTEST_TOKEN or not self.token.isascii() or " " in self.token):
            raise PolyGuardError(
                "POLYGUARD_TOKEN", "(hidden)", f"use at least {SHORTEST_TOKEN} ASCII characters without spaces"
            )
        if not self.loopback and not self.token and not self.allow_open:
            raise PolyGuardError(
                "host",
                self.host,
                "it is reachable from other machines: set POLYGUARD_TOKEN to a bearer token, or "
                "POLYGUARD_ALLOW_OPEN=1 for a server that is meant to be public",
            )
        return self

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] | None = None) -> Settings:
        """The settings that environment variables name (see docs/service.md).

        Raises:
            PolyGuardError: a value out of range.
        """
        given = os.environ if variables is None else variables
        host = given.get("HOST", "127.0.0.1")
        settings = cls(
            host=host,
            port=whole("port", given.get("PORT", "8000"), 0, 65535),
            sessions=whole("sessions", given.get("POLYGUARD_SESSIONS", str(MOST_SESSIONS)), 1, 100_000),
            episodes=whole("episodes", given.get("POLYGUARD_EPISODES", str(MOST_EPISODES)), 1, 1_000_000),
            session_timeout=seconds(
                "session-timeout", given.get("POLYGUARD_SESSION_TIMEOUT", str(SESSION_TIMEOUT_SECONDS))
            ),
            workers=whole("workers", given.get("POLYGUARD_WORKERS", "1"), 1, 64),
            token=given.get("POLYGUARD_TOKEN", ""),
            allow_open=given.get("POLYGUARD_ALLOW_OPEN", "") == "1",
            body_bytes=whole("POLYGUARD_BODY_BYTES", given.get("POLYGUARD_BODY_BYTES", str(BODY_BYTES)), 1024, 2**30),
            json_depth=whole("POLYGUARD_JSON_DEPTH", given.get("POLYGUARD_JSON_DEPTH", str(JSON_DEPTH)), 8, 200),
            origins=words(given.get("POLYGUARD_ORIGINS", "")),
            frame_ancestors=words(given.get("POLYGUARD_FRAME_ANCESTORS", "'none'")),
            state_folder=given.get("POLYGUARD_STATE", ""),
            log_format=given.get("POLYGUARD_LOG", "json"),
        )
        rate = given.get("POLYGUARD_RATE", "0" if settings.loopback else str(OPEN_RATE))
        return settings.with_(rate=number("POLYGUARD_RATE", rate, 0.0, 1e9))

    def with_(self, **changed: object) -> Settings:
        """These settings with some changed."""
        from dataclasses import replace

        return replace(self, **changed)  # type: ignore[arg-type]


def loopback(host: str) -> bool:
    """True for a name or address of this machine that no other machine can reach."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def whole(name: str, text: str, least: int, most: int) -> int:
    """A whole number in a range."""
    if not text.isdecimal() or len(text) > 12 or not least <= int(text) <= most:
        raise PolyGuardError(name, text, f"use a number from {least} to {most}")
    return int(text)


def number(name: str, text: str, least: float, most: float) -> float:
    """A number in a range."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise PolyGuardError(name, text, f"use a number from {least:g} to {most:g}")
    return value


def seconds(name: str, text: str) -> float:
    """A time above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise PolyGuardError(name, text, "use a number of seconds above 0")
    return value


def words(text: str) -> tuple[str, ...]:
    """The words of a list separated by spaces or commas."""
    return tuple(text.replace(",", " ").split())
