"""What every request passes before it reaches a route, a page or the websocket.

Token, rate, origin, size and depth limits on the way in; security headers, counts and one log line on the way out;
a fault becomes an answer without a trace.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import orjson

from polyguard_env.errors import PolyGuardError
from polyguard_serving.limits import Allowances, Bucket, deeper_than
from polyguard_serving.logs import Log
from polyguard_serving.pages import Receive, Scope, Send
from polyguard_serving.refusals import STATUS, Refusal, problem
from polyguard_serving.settings import Settings, loopback
from polyguard_serving.tally import Tally

# Probes must answer whoever asks, and tell nothing but that.
OPEN_PATHS = frozenset({"/health", "/ready", "/env/health", "/env/ready"})
# What needs no knowledge is answered while it loads.
STATIC = ("/metrics", "/openapi.json", "/docs", "/metadata", "/schema")
LIVE_PATHS = OPEN_PATHS | {*STATIC, *(f"/env{path}" for path in STATIC)}
BODY_SECONDS = 30.0
BODY_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# The page's library evaluates its templates.
PAGES_CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' data: blob:; "
    "connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'"
)
# An answer that is data shows, runs and embeds nothing.
DATA_CSP = "default-src 'none'"
ALLOWED_METHODS = b"GET, POST, DELETE, OPTIONS"
ALLOWED_HEADERS = b"authorization, content-type, mcp-protocol-version, mcp-session-id"
Header = tuple[bytes, bytes]
Loaded = Callable[[], Awaitable[None]]


class Guard:
    """The application's outermost layer.

    Args:
        app: what it guards.
        loaded: waits until there is something to serve; every path but the probes waits for it.
    """

    def __init__(self, app: Any, settings: Settings, tally: Tally, log: Log, loaded: Loaded | None = None) -> None:
        self.app, self.settings, self.tally, self.log, self.loaded = app, settings, tally, log, loaded
        # Workers share the clients, so each allows its part.
        self.allowances = Allowances(settings.rate / settings.workers)
        ancestors = " ".join(settings.frame_ancestors)
        self.headers: list[Header] = [
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"permissions-policy", b"camera=(self), microphone=(), geolocation=(), payment=()"),
            (b"cross-origin-opener-policy", b"same-origin"),
        ]
        self.policies = [f"{policy}; frame-ancestors {ancestors}".encode() for policy in (DATA_CSP, PAGES_CSP)]
        if settings.frame_ancestors == ("'none'",):
            self.headers.append((b"x-frame-options", b"DENY"))
        self.origins = {origin.rstrip("/") for origin in settings.origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = scope["polyguard.received"] = time.monotonic()
        headers = dict(scope["headers"])
        status = 0
        origin = headers.get(b"origin", b"").decode("latin-1")
        request_id = uuid4().hex[:16]
        extra = [*self.headers, (b"x-request-id", request_id.encode()), *self._cors(origin)]

        async def answer(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                named = {name.lower(): value for name, value in message.get("headers", ())}
                data = named.get(b"content-type", b"application/json").startswith(b"application/json")
                more = [(b"content-security-policy", self.policies[0 if data else 1]), *extra]
                message["headers"] = [*message.get("headers", ()), *(h for h in more if h[0] not in named)]
            await send(message)

        try:
            if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
                await self._preflight(origin, answer)
                return
            self._admit(scope, headers, 1.0)
            if scope["path"] not in OPEN_PATHS:
                self._check_origin(origin, headers)
            if self.loaded is not None and scope["path"] not in LIVE_PATHS:
                await self.loaded()
            if scope["method"] in BODY_METHODS:
                receive = await self._body(headers, receive)
            await self.app(scope, receive, answer)
        except PolyGuardError as error:
            if status:
                raise
            await refuse(answer, error)
        except Exception as error:
            self.log.fault(error, path=scope["path"], request_id=request_id)
            if not status:
                fix = "report this with the request id in X-Request-Id: it is a fault of the server"
                await refuse(answer, Refusal("INTERNAL_ERROR", "server", type(error).__name__, fix))
        finally:
            self._note(scope, status, time.monotonic() - began, request_id)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        try:
            self._check_origin(headers.get(b"origin", b"").decode("latin-1"), headers)
            scope["polyguard.bucket"] = self._admit(scope, headers, 1.0)
            if self.loaded is not None:
                await self.loaded()
        except PolyGuardError as error:
            self.tally.add("polyguard_refusals", problem(error)["code"])
            await receive()
            await refuse(send, error, "websocket.http.response")
            return
        await self.app(scope, receive, send)

    def _admit(self, scope: Scope, headers: dict[bytes, bytes], cost: float) -> Bucket | None:
        """The caller's bucket.

        Raises:
            Refusal: UNAUTHORIZED or RATE_LIMITED.
        """
        client = scope.get("client")
        bucket = self.allowances.bucket(client[0] if client else "local")
        if bucket is not None and not bucket.take(cost):
            fix = f"send at most {self.settings.rate:g} requests a second"
            raise Refusal("RATE_LIMITED", "requests", client[0] if client else "", fix, retry_after=1)
        if self.settings.token and scope["path"] not in OPEN_PATHS and not self._knows(headers):
            fix = "send the header Authorization: Bearer <token>; the operator has the token"
            raise Refusal("UNAUTHORIZED", "authorization", "(hidden)", fix)
        return bucket

    def _knows(self, headers: dict[bytes, bytes]) -> bool:
        """True when the caller gave the token: as a bearer token, or as the password a browser asks for."""
        kind, _, given = headers.get(b"authorization", b"").partition(b" ")
        if kind.lower() == b"basic":
            try:
                given = base64.b64decode(given, validate=True).partition(b":")[2]
            except binascii.Error:
                return False
        elif kind.lower() != b"bearer":
            return False
        return hmac.compare_digest(given.strip(), self.settings.token.encode())

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> Receive:
        """The whole body, checked, to be received at once.

        Raises:
            Refusal: TOO_LARGE, or VALIDATION_ERROR when it nests too deep.
            TimeoutError: it came too slowly.
        """
        most = self.settings.body_bytes
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:12]) > most or len(length) > 12:
            raise Refusal("TOO_LARGE", "body", length.decode("latin-1"), f"send at most {most} bytes")
        parts: list[bytes] = []
        size, more = 0, True
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while more:
                    message = await receive()
                    if message["type"] != "http.request":
                        return _once(message, receive)
                    part = message.get("body", b"")
                    size += len(part)
                    if size > most:
                        raise Refusal("TOO_LARGE", "body", size, f"send at most {most} bytes")
                    parts.append(part)
                    more = message.get("more_body", False)
        except TimeoutError as error:
            raise Refusal("BAD_REQUEST", "body", size, f"send it within {BODY_SECONDS:g} s") from error
        body = b"".join(parts)
        if b"json" in headers.get(b"content-type", b"json") and deeper_than(body, self.settings.json_depth):
            raise Refusal("BAD_REQUEST", "body", "(nested)", f"nest JSON no deeper than {self.settings.json_depth}")
        return _once({"type": "http.request", "body": body, "more_body": False}, receive)

    def _cors(self, origin: str) -> list[Header]:
        if not origin or origin.rstrip("/") not in self.origins:
            return []
        return [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"Origin")]

    async def _preflight(self, origin: str, answer: Send) -> None:
        self._check_origin(origin, {})
        headers = [
            (b"access-control-allow-methods", ALLOWED_METHODS),
            (b"access-control-allow-headers", ALLOWED_HEADERS),
            (b"access-control-max-age", b"600"),
        ]
        await answer({"type": "http.response.start", "status": 204, "headers": headers})
        await answer({"type": "http.response.body", "body": b""})

    def _check_origin(self, origin: str, headers: dict[bytes, bytes]) -> None:
        """Refuse a browser page of another site: it could have its visitor's browser play, unseen.

        Raises:
            Refusal: FORBIDDEN.
        """
        if origin and origin.rstrip("/") not in self.origins and not self._same_site(origin, headers):
            raise Refusal("FORBIDDEN", "origin", origin, "add it to POLYGUARD_ORIGINS to call from a browser")

    def _same_site(self, origin: str, headers: dict[bytes, bytes]) -> bool:
        """True when a browser page of this very server asks.

        Of a server on loopback such a page has a loopback address: any other name was pointed here by somebody else.
        """
        host = origin.partition("://")[2]
        if host.encode("latin-1") != headers.get(b"host", b""):
            return False
        return not self.settings.loopback or loopback(urlsplit(origin).hostname or "")

    def _note(self, scope: Scope, status: int, seconds: float, request_id: str) -> None:
        route = getattr(scope.get("route"), "path", "") or ("page" if status < 400 else "none")
        self.tally.add("polyguard_http_requests", route, scope["method"], str(status))
        self.tally.time("polyguard_http_request_seconds", seconds)
        if status >= 400:
            self.tally.add("polyguard_refusals", CODE_OF_STATUS.get(status, "BAD_REQUEST"))
        client = scope.get("client")
        episode_id = scope.get("polyguard.episode_id")
        self.log.event(
            "request",
            request_id=request_id,
            method=scope["method"],
            path=scope["path"][:200],
            status=status,
            milliseconds=round(seconds * 1000, 3),
            client=client[0] if client else None,
            **({"episode_id": episode_id} if episode_id else {}),
        )


CODE_OF_STATUS = {status: code for code, status in reversed(STATUS.items())}


async def refuse(send: Send, error: PolyGuardError, kind: str = "http.response") -> None:
    """Send an error as a whole response."""
    told = problem(error)
    body = orjson.dumps({"error": told})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        headers.append((b"retry-after", str(retry_after).encode()))
    if told["code"] == "UNAUTHORIZED":
        headers.append((b"www-authenticate", b'Bearer, Basic realm="PolyGuard", charset="UTF-8"'))
    await send({"type": f"{kind}.start", "status": STATUS[told["code"]], "headers": headers})
    await send({"type": f"{kind}.body", "body": body})


def _once(first: Any, receive: Receive) -> Receive:
    """A receive that gives `first`, then what comes."""
    given = False

    async def next_message() -> Any:
        nonlocal given
        if not given:
            given = True
            return first
        return await receive()

    return next_message
