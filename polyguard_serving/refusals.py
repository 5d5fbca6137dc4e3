"""Every refusal over HTTP has one shape: `{"error": {"field", "value", "fix"}}` with a 4xx status."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from polyguard_env.errors import PolyGuardError
from polyguard_serving.options import bad_field, described

NOT_FOUND_FIELDS = frozenset({"episode_id", "task_id"})


def add_refusals(app: FastAPI) -> None:
    """Make the application answer bad input in the one shape."""
    app.add_exception_handler(PolyGuardError, _bad_input)
    app.add_exception_handler(RequestValidationError, _bad_request)
    app.add_exception_handler(HTTPException, _bad_address)


async def _bad_input(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PolyGuardError)
    return JSONResponse(described(error), status_code=404 if error.field in NOT_FOUND_FIELDS else 422)


async def _bad_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return JSONResponse(described(bad_field(error.errors())), status_code=422)


async def _bad_address(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        problem = PolyGuardError("path", request.url.path, "see /docs for the paths this server has")
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        problem = PolyGuardError("method", request.method, f"use {allowed} for {request.url.path}")
    else:
        problem = PolyGuardError("request", request.url.path, str(error.detail))
    return JSONResponse(described(problem), status_code=error.status_code, headers=error.headers)
