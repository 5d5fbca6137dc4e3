"""The MCP endpoint: the protocol by hand, and a real MCP client."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from fastmcp import Client
from jsonschema import Draft202012Validator
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

SCENARIO = "train-DDI-hard-000004"


def call(http: httpx.Client, method: str, params: Any = None) -> Any:
    return http.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}).json()


def test_it_introduces_itself_in_the_clients_version(http: httpx.Client) -> None:
    for asked, answered in (("2024-11-05", "2024-11-05"), ("1999-01-01", "2025-11-25")):
        introduced = call(http, "initialize", {"protocolVersion": asked})["result"]
        assert introduced["protocolVersion"] == answered
    assert "not a medical device" in introduced["instructions"]
    assert call(http, "ping")["result"] == {}


def test_tools_carry_complete_schemas(http: httpx.Client) -> None:
    tools = {tool["name"]: tool["inputSchema"] for tool in call(http, "tools/list")["result"]["tools"]}
    assert set(tools) == {
        "reset", "step", "candidates", "state", "list_tasks", "evidence_search", "regimen_review", "interaction_check",
    }  # fmt: skip
    for schema in tools.values():
        Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
    step = Draft202012Validator(tools["step"])
    assert step.is_valid({"text": "finish", "action_type": "FINISH"})
    assert not step.is_valid({"action_type": "EXPLODE"})
    assert not Draft202012Validator(tools["reset"]).is_valid({"difficulty": "brutal"})


def test_an_mcp_client_plays_an_episode(server_url: str) -> None:
    async def play() -> tuple[dict[str, Any], dict[str, Any], int]:
        async with Client(f"{server_url}/mcp") as client:
            started = (await client.call_tool("reset", {"scenario_id": SCENARIO, "seed": 2})).structured_content
            step = {"episode_id": started["episode_id"], "text": "finish"}
            stepped = (await client.call_tool("step", step)).structured_content
            state = (await client.call_tool("state", {"episode_id": started["episode_id"]})).structured_content
            tasks = (await client.call_tool("list_tasks", {})).structured_content
            return stepped, state, len(tasks["tasks"])

    stepped, state, tasks = asyncio.run(play())
    assert stepped["done"] is True and 0.001 <= stepped["reward"] <= 0.999
    assert state["step_count"] == 1 and tasks > 0


def test_callers_who_reset_the_same_scenario_do_not_meet(http: httpx.Client) -> None:
    reset = {"name": "reset", "arguments": {"scenario_id": SCENARIO, "seed": 2}}
    ids = [call(http, "tools/call", reset)["result"]["structuredContent"]["episode_id"] for _ in range(2)]
    assert ids[0] != ids[1]


@pytest.mark.parametrize(
    ("name", "arguments", "field"),
    [
        ("reset", {"difficulty": "brutal"}, "difficulty"),
        ("reset", {"sed": 1}, "sed"),
        ("reset", {"episode_id": 5}, "episode_id"),
        ("step", {"episode_id": "gone", "text": "finish"}, "episode_id"),
        ("step", {"txt": "finish"}, "txt"),
        ("state", {"episode_id": ["a"]}, "episode_id"),
        ("list_tasks", {"split": "train"}, "split"),
    ],
)
def test_a_failing_tool_says_so_in_its_result(
    http: httpx.Client, name: str, arguments: dict[str, Any], field: str
) -> None:
    failed = call(http, "tools/call", {"name": name, "arguments": arguments})["result"]
    assert failed["isError"] is True
    assert failed["structuredContent"]["error"]["field"] == field and field in failed["content"][0]["text"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{bad", -32700),
        (b"{}", -32600),
        (b"[]", -32600),
        (b'{"id": 1, "method": 5}', -32600),
        (b'{"id": {"a": 1}, "method": "ping"}', -32600),
        (b'{"id": "\\ud800", "method": "ping"}', -32700),
        (b'{"id": 1, "method": "dance"}', -32601),
        (b'{"id": 1, "method": "tools/call", "params": [1]}', -32602),
        (b'{"id": 1, "method": "tools/call", "params": {"name": ["reset"]}}', -32602),
        (b'{"id": 1, "method": "tools/call", "params": {"name": "reset", "arguments": [1]}}', -32602),
    ],
)
def test_bad_messages_get_json_rpc_errors(http: httpx.Client, body: bytes, code: int) -> None:
    answer = http.post("/mcp", content=body)
    assert answer.status_code == 200 and answer.json()["jsonrpc"] == "2.0"
    assert answer.json()["error"]["code"] == code


def test_notifications_are_accepted_without_an_answer(http: httpx.Client) -> None:
    answer = http.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert answer.status_code == 202 and answer.content == b""


def test_the_reference_client_looks_things_up(server_url: str) -> None:
    async def ask() -> tuple[Any, ...]:
        async with (
            streamable_http_client(f"{server_url}/mcp") as (reads, writes, *_),
            ClientSession(reads, writes) as s,
        ):
            await s.initialize()
            await s.send_ping()
            names = {tool.name for tool in (await s.list_tools()).tools}
            started = (await s.call_tool("reset", {"scenario_id": SCENARIO})).structuredContent or {}
            offered = await s.call_tool("candidates", {"episode_id": started["episode_id"]})
            review = await s.call_tool("regimen_review", {"drugs": ["warfarin", "ibuprofen"]})
            pair = await s.call_tool("interaction_check", {"drugs": ["warfarin", "ibuprofen", "paracetamol"]})
            found = await s.call_tool("evidence_search", {"question": "warfarin with ibuprofen", "most": 3})
            wrong = await s.call_tool("interaction_check", {"drugs": ["warfarin", "nonesuchol"]})
            return names, started, offered, review, pair, found, wrong

    names, started, offered, review, pair, found, wrong = asyncio.run(ask())
    assert {"reset", "step", "candidates", "evidence_search", "regimen_review", "interaction_check"} <= names
    assert offered.structuredContent["text"] == started["text"]
    assert any(f["category"] == "interaction" for f in review.structuredContent["findings"])
    edges = pair.structuredContent["interactions"]
    assert {"ibuprofen", "warfarin"} in [{edge["drug_a"], edge["drug_b"]} for edge in edges]
    assert 1 <= len(found.structuredContent["passages"]) <= 3
    assert wrong.isError and wrong.structuredContent["error"]["field"] == "drugs[1]"
