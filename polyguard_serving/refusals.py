"""Every refusal has one shape, `{"error": {"code", "field", "value", "fix"}}`, and a status that fits its code."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount

from polyguard_env.errors import PolyGuardError
from polyguard_serving.options import bad_field, described

NOT_FOUND_FIELDS = frozenset({"episode_id", "task_id"})
# What the environment says of an episode that has ended, or of moves it does not offer.
CONFLICT_FIELDS = frozenset({"episode", "prefix"})
STATUS = {
    "BAD_REQUEST": 400,
    "INVALID_JSON": 400,
    "UNKNOWN_TYPE": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "CONFLICT": 409,
    # The request is fine; what it needs is not there. A server error would set off alarms for a missing model.
    "MODEL_NOT_AVAILABLE": 409,
    "TOO_LARGE": 413,
    "VALIDATION_ERROR": 422,
    "RATE_LIMITED": 429,
    "CAPACITY_REACHED": 429,
    "INTERNAL_ERROR": 500,
    "BUSY": 503,
    "SESSION_ERROR": 503,
    "TIMEOUT": 504,
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
CODES = {status: code for code, status in reversed(STATUS.items())}


class Refusal(PolyGuardError):
    """A refusal whose cause is not the input's content.

    Args:
        code: one of `STATUS`.
        retry_after: seconds after which trying again makes sense; sent as Retry-After.
    """

    def __init__(self, code: str, field: str, value: object, fix: str, retry_after: int | None = None) -> None:
        super().__init__(field, value, fix)
        self.code, self.retry_after = code, retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, self.field, self.value, self.fix, self.retry_after)


def code_of(error: PolyGuardError) -> str:
    """The code of an error."""
    if isinstance(error, Refusal):
        return error.code
    if error.field in CONFLICT_FIELDS:
        return "CONFLICT"
    return "NOT_FOUND" if error.field in NOT_FOUND_FIELDS else "VALIDATION_ERROR"


def problem(error: PolyGuardError) -> dict[str, str]:
    """The error as every interface sends it."""
    return {"code": code_of(error)} | described(error)["error"]


def refused(error: PolyGuardError) -> JSONResponse:
    """The response of an error."""
    code = code_of(error)
    headers: dict[str, str] = {}
    if isinstance(error, Refusal) and error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if code == "UNAUTHORIZED":
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": problem(error)}, STATUS[code], headers)


def add_refusals(app: FastAPI) -> None:
    """Make the application answer bad input in the one shape."""
    app.add_exception_handler(PolyGuardError, _bad_input)
    app.add_exception_handler(RequestValidationError, _bad_request)
    app.add_exception_handler(HTTPException, _bad_address)


async def _bad_input(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PolyGuardError)
    return refused(error)


async def _bad_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    broken = next((entry for entry in error.errors() if entry["type"] == "json_invalid"), None)
    if broken is not None:
        reason = broken.get("ctx", {}).get("error", "not JSON")
        fix = f"send one JSON object in UTF-8: {reason} at character {broken['loc'][-1]}"
        return refused(Refusal("INVALID_JSON", "body", "(not JSON)", fix))
    bad = bad_field(error.errors())
    # Fields that are each fine and do not go together: no schema says so.
    code = "CONFLICT" if bad.field == "body" and error.errors()[0]["type"] == "value_error" else "VALIDATION_ERROR"
    return refused(Refusal(code, bad.field, bad.value, bad.fix))


async def _bad_address(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = CODES.get(error.status_code, "BAD_REQUEST")
    if code == "NOT_FOUND":
        named = Refusal(code, "path", request.url.path, "see /docs for the paths this server has")
    elif code == "METHOD_NOT_ALLOWED":
        allowed = ", ".join(sorted(methods_of(request)))
        named = Refusal(code, "method", request.method, f"use {allowed} for {request.url.path}")
        answer = refused(named)
        answer.headers["Allow"] = allowed
        return answer
    else:
        named = Refusal(code, "request", request.url.path, str(error.detail))
    answer = refused(named)
    answer.headers.update(error.headers or {})
    return answer


def methods_of(request: Request) -> set[str]:
    """Every method some route has for the request's path; the first route alone knows only its own."""
    routes = [route for route in request.app.routes if not isinstance(route, Mount)]
    return {
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    }
