"""JSON-RPC and the Model Context Protocol, over plain HTTP answers (no streams are needed)."""

from __future__ import annotations

import json
from typing import Any

from polyguard_env.errors import PolyGuardError
from polyguard_serving.environment_words import DESCRIPTION
from polyguard_serving.mcp.tools import Tool
from polyguard_serving.options import read, shown
from polyguard_serving.refusals import problem
from polyguard_serving.version import VERSION

# Newest first. A client that asks for another version is offered the newest.
PROTOCOLS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602


class Mcp:
    """Answers JSON-RPC messages.

    Args:
        tools: by name.
    """

    def __init__(self, tools: dict[str, Tool]) -> None:
        self.tools = tools

    async def answer(self, message: Any) -> dict[str, Any] | None:
        """The response to one message; None for a notification or a client's own response."""
        if isinstance(message, dict) and "method" not in message and ("result" in message or "error" in message):
            return None
        if not isinstance(message, dict) or not isinstance(message.get("method"), str):
            return error(None, INVALID_REQUEST, "send one JSON-RPC 2.0 request object with a method")
        method, number, params = message["method"], message.get("id"), message.get("params") or {}
        if "id" not in message:
            return None
        if not isinstance(number, str | int) or isinstance(number, bool) or number != _carried(number):
            return error(None, INVALID_REQUEST, "send an id that is a short string or a whole number")
        if not isinstance(params, dict):
            return error(number, INVALID_PARAMS, "send params as an object")
        if method == "initialize":
            return result(number, _introduction(params.get("protocolVersion")))
        if method == "ping":
            return result(number, {})
        if method == "tools/list":
            return result(number, {"tools": [_listed(name, tool) for name, tool in self.tools.items()]})
        if method == "tools/call":
            return await self._call(number, params)
        return error(number, METHOD_NOT_FOUND, f"unknown method {method}")

    async def _call(self, number: str | int, params: dict[str, Any]) -> dict[str, Any]:
        name, arguments = params.get("name"), params.get("arguments") or {}
        tool = self.tools.get(name) if isinstance(name, str) else None
        if tool is None:
            return error(number, INVALID_PARAMS, f"unknown tool {name!r}; use one of {', '.join(self.tools)}")
        if not isinstance(arguments, dict):
            return error(number, INVALID_PARAMS, "send arguments as an object")
        try:
            return _content(number, await tool.call(read(tool.arguments, arguments)), failed=False)
        except PolyGuardError as refusal:
            return _content(number, {"error": problem(refusal)}, failed=True)


def _carried(number: str | int) -> str | int:
    return shown(number) if isinstance(number, str) else number


def _introduction(asked: object) -> dict[str, Any]:
    return {
        "protocolVersion": asked if asked in PROTOCOLS else PROTOCOLS[0],
        "capabilities": {"tools": {"listChanged": False}},
        "serverInfo": {"name": "polyguard", "version": VERSION},
        "instructions": DESCRIPTION,
    }


def _listed(name: str, tool: Tool) -> dict[str, Any]:
    return {
        "name": name,
        "description": tool.about,
        "inputSchema": tool.arguments.model_json_schema(),
        "annotations": {"readOnlyHint": tool.reads, "destructiveHint": False, "openWorldHint": False},
    }


def _content(number: str | int, content: dict[str, Any], failed: bool) -> dict[str, Any]:
    text = json.dumps(content, ensure_ascii=False)
    return result(
        number, {"content": [{"type": "text", "text": text}], "structuredContent": content, "isError": failed}
    )


def result(number: str | int, content: dict[str, Any]) -> dict[str, Any]:
    """A JSON-RPC response."""
    return {"jsonrpc": "2.0", "id": number, "result": content}


def error(number: str | int | None, code: int, message: str) -> dict[str, Any]:
    """A JSON-RPC error."""
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": shown(message)}}
