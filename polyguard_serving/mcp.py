"""A Model Context Protocol endpoint over HTTP: the environment's calls as tools."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from polyguard_env.errors import PolyGuardError
from polyguard_serving.environment import DESCRIPTION, PolyGuardEnvironment
from polyguard_serving.sessions import EpisodeStore
from polyguard_serving.types import ServedAction
from polyguard_serving.version import VERSION

PROTOCOL = "2025-06-18"
METHOD_NOT_FOUND, INVALID_REQUEST, INVALID_PARAMS = -32601, -32600, -32602
RESET_OPTIONS = {
    "seed": {"type": "integer", "minimum": 0},
    "episode_id": {"type": "string"},
    "scenario_id": {"type": "string"},
    "difficulty": {"type": "string", "enum": ["easy", "medium", "hard"]},
    "sub_environment": {"type": "string"},
    "split": {"type": "string", "enum": ["train", "validation", "holdout"]},
    "patient_id": {"type": "string"},
}


class Mcp:
    """Answers JSON-RPC messages; episodes live in the shared store."""

    def __init__(self, store: EpisodeStore) -> None:
        self.store = store
        self.tools: dict[str, tuple[str, dict[str, Any], Callable[[dict[str, Any]], Any]]] = {
            "reset": ("Start an episode.", RESET_OPTIONS, self._reset),
            "step": (
                "Take one action, named by candidate_id or text.",
                {"episode_id": {"type": "string"}} | ServedAction.model_json_schema()["properties"],
                self._step,
            ),
            "state": ("The public state of an episode.", {"episode_id": {"type": "string"}}, self._state),
            "list_tasks": ("The tasks on offer.", {}, self._list_tasks),
        }

    def answer(self, message: Any) -> dict[str, Any] | None:
        """The response to one message; None for a notification."""
        if not isinstance(message, dict) or not message.get("method"):
            return error(None, INVALID_REQUEST, "send a JSON-RPC 2.0 request with a method")
        method, number, params = message["method"], message.get("id"), message.get("params") or {}
        if "id" not in message:
            return None
        if method == "initialize":
            return result(
                number,
                {
                    "protocolVersion": PROTOCOL,
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": "polyguard", "version": VERSION},
                    "instructions": DESCRIPTION,
                },
            )
        if method == "ping":
            return result(number, {})
        if method == "tools/list":
            tools = [
                {"name": name, "description": about, "inputSchema": {"type": "object", "properties": properties}}
                for name, (about, properties, _) in self.tools.items()
            ]
            return result(number, {"tools": tools})
        if method == "tools/call":
            return self._call(number, params)
        return error(number, METHOD_NOT_FOUND, f"unknown method {method}")

    def _call(self, number: Any, params: dict[str, Any]) -> dict[str, Any]:
        name, arguments = params.get("name"), params.get("arguments") or {}
        if name not in self.tools:
            return error(number, INVALID_PARAMS, f"unknown tool {name}; use one of {', '.join(self.tools)}")
        try:
            content = self.tools[name][2](arguments)
        except (PolyGuardError, ValidationError, TypeError) as problem:
            return result(number, {"content": [{"type": "text", "text": str(problem)}], "isError": True})
        text = json.dumps(content)
        return result(
            number,
            {"content": [{"type": "text", "text": text}], "structuredContent": content, "isError": False},
        )

    def _reset(self, arguments: dict[str, Any]) -> dict[str, Any]:
        environment = PolyGuardEnvironment()
        observation = environment.reset(**arguments)
        self.store.start(observation.episode_id, environment)
        return observation.model_dump(mode="json")

    def _step(self, arguments: dict[str, Any]) -> dict[str, Any]:
        values = dict(arguments)
        environment = self.store.get(values.pop("episode_id", None))
        return environment.step(ServedAction(**values)).model_dump(mode="json")

    def _state(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return self.store.get(arguments.get("episode_id")).state.model_dump(mode="json")

    def _list_tasks(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"tasks": PolyGuardEnvironment().env.list_tasks()}


def result(number: Any, value: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "result": value}


def error(number: Any, code: int, text: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": text}}
