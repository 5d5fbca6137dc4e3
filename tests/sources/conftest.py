"""Shared sample data (skipped where absent), writers of files, and a local HTTP double."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.sources.resolve import Resolver

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """The folder of one shared sample; the test is skipped where it is not there."""
    base = Path(os.environ.get("POLYGUARD_SHARED_DATA") or ROOT.parent / "shared" / "data")

    def folder(name: str) -> Path:
        if not (base / name).is_dir():
            pytest.skip(f"no sample {name} (set POLYGUARD_SHARED_DATA)")
        return base / name

    return folder


@pytest.fixture(scope="session")
def knowledge() -> KnowledgeBase:
    return KnowledgeBase.default()


@pytest.fixture(scope="session")
def resolver(knowledge: KnowledgeBase) -> Resolver:
    return Resolver(knowledge.tables["vocabulary"])


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a text file under a fresh folder and give the folder back."""
    folder = tmp_path / "supplied"
    folder.mkdir()

    def made(name: str, text: str) -> Path:
        (folder / name).write_text(text, encoding="utf-8")
        return folder

    return made


class Double:
    """A local HTTP server: `answer(path)` gives status, headers and body; `asked` lists requests."""

    def __init__(self) -> None:
        self.answer: Callable[[str], tuple[int, dict[str, str], bytes]] = lambda path: (404, {}, b"")
        self.asked: list[tuple[str, str]] = []
        double = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                double.asked.append((self.path, self.headers.get("User-Agent", "")))
                status, headers, body = double.answer(self.path)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = Double()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()
