"""Who may call, from where, how much; and what a caller is never told."""

from __future__ import annotations

import asyncio
import base64
import html
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from polyguard_env.environment.messages import DISCLAIMER
from polyguard_env.errors import PolyGuardError
from polyguard_serving import server
from polyguard_serving.app import create
from polyguard_serving.batch_client import BatchClient
from polyguard_serving.client import PolyGuardClient
from polyguard_serving.refusals import Refusal
from polyguard_serving.settings import Settings
from tests.serving.conftest import serving

TOKEN = "a-token-for-tests-only"
SCENARIO = "train-DDI-hard-000004"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server with a token and a rate, and its log."""
    path = tmp_path_factory.mktemp("guarded") / "log"
    settings = {"POLYGUARD_TOKEN": TOKEN, "POLYGUARD_RATE": "1000", "POLYGUARD_ORIGINS": "https://trusted.example"}
    with path.open("wb") as log, serving(env=settings, log=log) as url:
        yield url, path


def test_beyond_loopback_a_server_needs_a_token(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.delenv("POLYGUARD_TOKEN", raising=False)
    assert server.main(["--host", "0.0.0.0", "--port", "0"]) == 2
    told = capsys.readouterr().err
    assert "POLYGUARD_TOKEN" in told and "POLYGUARD_ALLOW_OPEN" in told


@pytest.mark.parametrize("token", ["short", "with spaces in the token", "ünïcode-token-of-some-length"])
def test_a_weak_token_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(PolyGuardError) as refused:
        Settings(token=token).checked()
    assert token not in str(refused.value) and token not in repr(Settings(token=token))


def test_beyond_loopback_there_is_a_rate() -> None:
    assert Settings.from_environment({"HOST": "0.0.0.0", "POLYGUARD_ALLOW_OPEN": "1"}).checked().rate > 0
    assert Settings.from_environment({}).rate == 0
    assert Settings.from_environment({"HOST": "::1"}).loopback and Settings.from_environment({}).loopback


@pytest.mark.parametrize("path", ["/tasks", "/metadata", "/metrics", "/openapi.json", "/docs", "/", "/nowhere"])
def test_nothing_but_probes_answers_without_the_token(guarded: tuple[str, Path], path: str) -> None:
    with httpx.Client(base_url=guarded[0], trust_env=False, timeout=120) as http:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic !!"}, {"Authorization": TOKEN}):
            answer = http.get(path, headers=headers)
            assert answer.status_code == 401 and "Bearer" in answer.headers["www-authenticate"]
            assert answer.json()["error"]["code"] == "UNAUTHORIZED" and TOKEN not in answer.text
        password = base64.b64encode(f"anyone:{TOKEN}".encode()).decode()
        for headers in ({"Authorization": f"Bearer {TOKEN}"}, {"Authorization": f"Basic {password}"}):
            assert http.get(path, headers=headers).status_code in (200, 404)
        assert http.get("/health").json() == {"status": "healthy"}


def test_clients_bring_the_token(guarded: tuple[str, Path]) -> None:
    url = guarded[0]
    with BatchClient(url, token=TOKEN) as client:
        assert client.reset([{"seed": 1}]).done == [False]
    with BatchClient(url) as client, pytest.raises(Refusal) as refused:
        client.reset([{"seed": 1}])
    assert refused.value.code == "UNAUTHORIZED"
    with PolyGuardClient(url, token=TOKEN).sync() as session:
        assert session.reset(scenario_id=SCENARIO).observation.scenario_id == SCENARIO
    with pytest.raises(ConnectionError, match="401"), PolyGuardClient(url).sync() as session:
        session.reset()


def test_the_token_is_never_logged(guarded: tuple[str, Path]) -> None:
    url, log = guarded
    httpx.get(f"{url}/tasks", headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False, timeout=60)
    httpx.get(f"{url}/tasks?token={TOKEN}", trust_env=False, timeout=60)
    lines: list[dict[str, Any]] = []
    for _ in range(50):
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        if any(line.get("path") == "/tasks" for line in lines):
            break
        asyncio.run(asyncio.sleep(0.1))
    assert any(line.get("path") == "/tasks" for line in lines) and TOKEN not in log.read_text()


def test_only_listed_origins_may_call_from_a_browser(guarded: tuple[str, Path]) -> None:
    url = guarded[0]
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    asked = {"Access-Control-Request-Method": "POST"}
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
        trusted = http.options("/step", headers={"Origin": "https://trusted.example"} | asked)
        assert trusted.status_code == 204
        assert trusted.headers["access-control-allow-origin"] == "https://trusted.example"
        assert http.options("/step", headers={"Origin": "https://evil.example"} | asked).status_code == 403
        evil = bearer | {"Origin": "https://evil.example"}
        # What a page may send without asking first: no body, or one that says it is plain text.
        sent = [
            http.get("/tasks", headers=evil), http.post("/reset", headers=evil),
            http.post("/mcp", headers=evil | {"Content-Type": "text/plain"}, content=b'{"id": 1, "method": "ping"}'),
        ]  # fmt: skip
        for answer in sent:
            assert answer.status_code == 403 and answer.json()["error"]["field"] == "origin"
            assert "access-control-allow-origin" not in answer.headers
        assert http.get("/health", headers={"Origin": "https://evil.example"}).status_code == 200
        for origin in ("https://trusted.example", url):
            assert http.post("/reset", headers=bearer | {"Origin": origin}).status_code == 200

    async def handshake(origin: str) -> int:
        try:
            async with connect(f"{url.replace('http', 'ws')}/ws", additional_headers=bearer | {"Origin": origin}):
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code

    found = [asyncio.run(handshake(origin)) for origin in ("https://evil.example", "https://trusted.example", url)]
    assert found == [403, 101, 101]


@pytest.mark.parametrize(
    ("bound", "host", "origin", "status"),
    [
        ("127.0.0.1", "localhost:8000", "http://localhost:8000", 200),
        ("127.0.0.1", "[::1]:8000", "http://[::1]:8000", 200),
        ("127.0.0.1", "evil.example:8000", "http://evil.example:8000", 403),
        ("127.0.0.1", "127.0.0.1:8000", "null", 403),
        ("0.0.0.0", "name.hf.space", "https://name.hf.space", 200),
    ],
)
def test_a_name_that_was_pointed_at_loopback_is_no_page_of_ours(
    bound: str, host: str, origin: str, status: int
) -> None:
    with TestClient(create(Settings(host=bound, allow_open=True, log_format="off"))) as client:
        assert client.get("/metadata", headers={"Host": host, "Origin": origin}).status_code == status


def test_the_reference_lists_every_operation_and_asks_nothing_of_other_hosts(http: httpx.Client) -> None:
    page, document = http.get("/docs").text, http.get("/openapi.json").json()
    for path, operations in document["paths"].items():
        for method in operations:
            assert f'id="{method}-{html.escape(path)}"' in page
    for name in document["components"]["schemas"]:
        assert f'id="schema-{name}"' in page
    assert "<script" not in page and "src=" not in page and "//" not in page.replace("http://127.0.0.1", "")
    assert DISCLAIMER in page and http.get("/redoc").status_code == 404


@pytest.fixture(scope="module")
def limited() -> Iterator[TestClient]:
    """An application in this process: 10 requests a second, small bodies, embeddable by one site."""
    settings = Settings(rate=10.0, body_bytes=2000, json_depth=8, frame_ancestors=("https://huggingface.co",))
    with TestClient(create(settings), raise_server_exceptions=False) as client:
        yield client


def test_every_answer_carries_security_headers(http: httpx.Client, limited: TestClient) -> None:
    for path in ("/", "/tasks", "/nowhere", "/docs"):
        headers = http.get(path).headers
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"] and headers["x-frame-options"] == "DENY"
        assert "server" not in headers
    # A page needs what its library does; data needs nothing.
    assert "script-src 'self'" in http.get("/").headers["content-security-policy"]
    assert http.get("/tasks").headers["content-security-policy"].startswith("default-src 'none'; frame-ancestors")
    embeddable = limited.get("/health").headers
    assert "frame-ancestors https://huggingface.co" in embeddable["content-security-policy"]
    assert "x-frame-options" not in embeddable


def test_large_and_deep_bodies_are_refused(limited: TestClient) -> None:
    large = limited.post("/reset", content=b" " * 3000, headers={"content-type": "application/json"})
    assert large.status_code == 413 and large.json()["error"]["code"] == "TOO_LARGE"
    streamed = limited.post("/reset", content=(b" " * 500 for _ in range(6)))
    assert streamed.status_code == 413
    deep = limited.post("/reset", content=b'{"a":' * 9 + b"1" + b"}" * 9)
    assert deep.status_code == 400 and "nest" in deep.json()["error"]["fix"]


def test_a_caller_who_asks_too_often_waits(limited: TestClient) -> None:
    answers = [limited.get("/health") for _ in range(40)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused and refused[0].headers["retry-after"] == "1"
    assert refused[0].json()["error"]["code"] == "RATE_LIMITED"
    assert any(answer.status_code == 200 for answer in answers)


def test_a_fault_tells_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    app = create(Settings(log_format="off"))

    def fault() -> list[Any]:
        raise RuntimeError("secret detail in /some/path")

    monkeypatch.setattr(app.state.service.pricer.env, "list_tasks", fault)
    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/tasks")
    assert answer.status_code == 500 and answer.json()["error"]["code"] == "INTERNAL_ERROR"
    assert "secret" not in answer.text and "Traceback" not in answer.text and answer.headers["x-request-id"]


def test_a_fault_in_a_session_tells_no_trace_and_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    app = create(Settings(log_format="off"))
    with TestClient(app) as client, client.websocket_connect("/ws") as socket:
        socket.send_json({"type": "reset", "data": {"scenario_id": SCENARIO}})
        assert socket.receive_json()["type"] == "observation"
        (session,) = app.state.service.desk.open

        def fault(action: Any) -> None:
            raise RuntimeError("secret detail")

        with monkeypatch.context() as patched:
            patched.setattr(session.env, "act", fault)
            socket.send_json({"type": "step", "data": {"text": "finish"}})
            told = socket.receive_json()
        assert told["data"]["code"] == "INTERNAL_ERROR" and "secret" not in json.dumps(told)
        socket.send_json({"type": "step", "data": {"text": "finish"}})
        assert socket.receive_json()["data"]["done"] is True


def test_a_session_that_asks_too_often_is_told_and_lives_on() -> None:
    with TestClient(create(Settings(rate=20.0, log_format="off"))) as client, client.websocket_connect("/ws") as socket:
        codes = []
        for _ in range(60):
            socket.send_json({"type": "state"})
            codes.append(socket.receive_json())
    refused = [answer for answer in codes if answer["type"] == "error"]
    assert 0 < len(refused) < 60 and refused[0]["data"]["code"] == "RATE_LIMITED"


def test_nothing_here_unpickles_or_runs_code_from_data() -> None:
    folder = Path(server.__file__).parent
    text = "\n".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    for word in ("import pickle", "pickle.load", "torch.load", "trust_remote_code=True", " eval(", " exec("):
        assert word not in text
