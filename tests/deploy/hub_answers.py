"""How the double of the hub answers: refusals and streams of log lines."""

from __future__ import annotations

import json

from starlette.responses import JSONResponse

from tests.deploy.hub_state import now


def sse(lines: list[str]) -> bytes:
    return b"".join(f"data: {json.dumps({'data': line, 'timestamp': now()})}\n\n".encode() for line in lines)


def refusal(status: int, message: str, code: str = "") -> JSONResponse:
    headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
    return JSONResponse({"error": message}, status, headers)
