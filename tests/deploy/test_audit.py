"""The dependency audit: pip-audit for real, against a local service that speaks OSV's protocol."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from polyguard_assets import audit
from polyguard_assets.audit import CANARY, Finding, judge, locked, main, read_ignored

ADVISORIES = {
    CANARY: [{"id": "PYSEC-2014-8", "aliases": ["CVE-2014-1402"], "modified": "2024-01-01T00:00:00Z",
              "summary": "canary", "affected": []}],
    ("leaky", "1.0"): [{"id": "GHSA-1111-2222-3333", "aliases": ["CVE-2030-1"], "modified": "2030-01-01T00:00:00Z",
                        "summary": "leaks", "affected": [{"package": {"name": "leaky", "ecosystem": "PyPI"},
                        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}]}]}],
}  # fmt: skip
HEADER = "id,package,until,reason\n"


class Osv(BaseHTTPRequestHandler):
    """POST /v1/query {"package": {"name", "ecosystem"}, "version"} → {"vulns": [...]}."""

    advisories = ADVISORIES

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        vulns = self.advisories.get((asked["package"]["name"], asked["version"]), [])
        body = json.dumps({"vulns": vulns} if vulns else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def osv(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    # pip-audit asks the address directly: no proxy stands before loopback.
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Osv)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POLYGUARD_DATA_LAKE", str(tmp_path / "lake"))
    monkeypatch.setattr(audit, "installed", lambda: [("sound", "2.0")])
    (tmp_path / "ignored.csv").write_text(HEADER)
    (tmp_path / "uv.lock").write_text(
        '[[package]]\nname = "leaky"\nversion = "1.0"\n[[package]]\nname = "leaky"\nversion = "1.1"\n'
    )
    return tmp_path


def run(project: Path, osv_url: str, *more: str) -> int:
    return main(["--service", "osv", "--osv-url", osv_url, "--ignored", str(project / "ignored.csv"), "--lock",
                 str(project / "uv.lock"), *more])  # fmt: skip


def report(project: Path) -> dict[str, object]:
    return dict(json.loads((project / "lake" / "reports" / "audit.json").read_text()))


def test_a_known_vulnerability_fails_and_names_the_fixed_version(
    project: Path, osv: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(project, osv) == 1
    assert "VULNERABLE leaky 1.0: CVE-2030-1 (fixed in 1.1)" in capsys.readouterr().out
    assert report(project)["audited"] is True


def test_an_accepted_finding_passes_until_its_day(project: Path, osv: str, capsys: pytest.CaptureFixture[str]) -> None:
    today = datetime.now(UTC).date()
    line = "CVE-2030-1,leaky,{},only reached by an unused option\n"
    (project / "ignored.csv").write_text(HEADER + line.format(today))
    assert run(project, osv) == 0
    assert "only reached by an unused option" in capsys.readouterr().out
    (project / "ignored.csv").write_text(HEADER + line.format(today - timedelta(days=1)))
    assert run(project, osv) == 1
    assert "stale line in the ignore list: CVE-2030-1 of leaky (past its day)" in capsys.readouterr().out


def test_a_service_that_does_not_know_the_canary_is_no_answer(
    project: Path, osv: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Osv, "advisories", {})
    assert run(project, osv) == 0
    assert "NOT AUDITED" in capsys.readouterr().out and report(project)["audited"] is False
    assert run(project, osv, "--strict") == 3


def test_an_unreachable_service_is_said_plainly(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "http://127.0.0.1:9/v1/query") == 0
    told = capsys.readouterr().out
    assert "NOT AUDITED" in told and "osv: cannot be reached" in told and "Traceback" not in told


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("id,package\n", "use the header"),
        (HEADER + "CVE-1,leaky,2027-01-01,\n", "needs a reason"),
        (HEADER + "CVE-1,leaky,soon,because\n", "2027-01-31"),
    ],
)
def test_a_bad_ignore_list_is_one_clear_error(
    project: Path, text: str, fix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "ignored.csv").write_text(text)
    assert run(project, "http://127.0.0.1:9") == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and fix in told


def test_an_ignore_line_covers_only_its_own_package() -> None:
    finding = Finding("leaky", "1.0", "GHSA-1", ("CVE-1",), ())
    today = datetime.now(UTC).date()
    other = audit.Ignored("CVE-1", "other", today, "because")
    assert judge([finding], [other], today) == ([finding], [])


def test_the_projects_own_lists_are_readable() -> None:
    root = Path(__file__).resolve().parents[2]
    read_ignored(root / ".ci" / "audit_ignored.csv")
    pins = locked(root / "uv.lock")
    assert len(pins) > 100 and ("dagster", "1.13.27") in pins
