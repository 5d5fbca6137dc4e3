"""Dagster on a real PostgreSQL, through the configuration the containers use."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import httpx
import pytest
import yaml
from dagster._daemon.controller import all_daemons_healthy

from polyguard_assets import setup_instance
from polyguard_assets.defs.models.assets import GPU_POOL
from tests.deploy.conftest import unused

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = ROOT / "polyguard_assets" / "container" / "dagster.yaml"
PASSWORD = "only-for-this-test"


def binary(name: str) -> Path | None:
    """A PostgreSQL program: on the PATH, or where Debian puts the newest version's."""
    homes = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return homes[-1] if homes else Path(found) if (found := shutil.which(name)) else None


def as_ordinary_user(*command: str) -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]


def test_it_is_the_projects_instance_but_for_the_storage() -> None:
    ours, team = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in (ROOT / "dagster.yaml", CONFIGURATION))
    assert list(ours.pop("storage")) == ["sqlite"] and list(team.pop("storage")) == ["postgres"]
    assert ours == team


@pytest.fixture(scope="module")
def postgres_port() -> Iterator[int]:
    initdb, postgres, ready = (binary(name) for name in ("initdb", "postgres", "pg_isready"))
    if initdb is None or postgres is None or ready is None:
        pytest.skip("PostgreSQL is not installed")
    port = unused()
    folder = Path("/var/tmp") / f"polyguard-postgres-{os.getpid()}"
    folder.mkdir(mode=0o755)
    (folder / "password").write_text(PASSWORD)
    data = folder / "data"
    data.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(data, 65534, 65534)
    log = (folder / "log").open("wb")
    server = None
    try:
        make = [str(initdb), "-D", str(data), "-U", "dagster", "-A", "scram-sha-256", "--no-sync",
                f"--pwfile={folder / 'password'}"]  # fmt: skip
        subprocess.run(as_ordinary_user(*make), check=True, capture_output=True, cwd="/")
        serve = [str(postgres), "-D", str(data), "-c", f"port={port}", "-c", "listen_addresses=127.0.0.1",
                 "-c", "unix_socket_directories=", "-c", "fsync=off"]  # fmt: skip
        server = subprocess.Popen(as_ordinary_user(*serve), stdout=log, stderr=subprocess.STDOUT, cwd="/")
        asked = [str(ready), "-h", "127.0.0.1", "-p", str(port), "-t", "1"]
        for _ in range(60):
            if subprocess.run(asked, capture_output=True).returncode == 0:
                break
            assert server.poll() is None, (folder / "log").read_text()
            time.sleep(0.2)
        environment = os.environ | {"PGPASSWORD": PASSWORD}
        psql = binary("psql")
        assert psql is not None
        create = [str(psql), "-h", "127.0.0.1", "-p", str(port), "-U", "dagster", "-d", "postgres", "-c",
                  "CREATE DATABASE dagster"]  # fmt: skip
        subprocess.run(create, check=True, capture_output=True, env=environment)
        yield port
    finally:
        if server is not None:
            server.terminate()
            server.wait(30)
        log.close()
        shutil.rmtree(folder)


@pytest.fixture
def team_instance(postgres_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAGSTER_HOME as in the image, on that database."""
    pytest.importorskip("dagster_postgres")
    shutil.copy(CONFIGURATION, tmp_path / "dagster.yaml")
    for name, value in {
        "DAGSTER_HOME": str(tmp_path), "POLYGUARD_DAGSTER_STATE": str(tmp_path / "state"),
        "POLYGUARD_POSTGRES_HOST": "127.0.0.1", "POLYGUARD_POSTGRES_PORT": str(postgres_port),
        "POLYGUARD_POSTGRES_DB": "dagster", "POLYGUARD_POSTGRES_USER": "dagster",
        "POLYGUARD_POSTGRES_PASSWORD": PASSWORD,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    (tmp_path / "state").mkdir()
    return tmp_path


@dg.asset
def counted() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"rows": 3}, data_version=dg.DataVersion("one"))


def test_runs_events_and_pools_are_kept_in_postgresql(team_instance: Path) -> None:
    assert setup_instance.main() == 0
    with dg.DagsterInstance.get() as instance:
        assert type(instance.run_storage).__module__.startswith("dagster_postgres")
        assert dg.materialize([counted], instance=instance).success
    with dg.DagsterInstance.get() as another:
        event = another.get_latest_materialization_event(dg.AssetKey("counted"))
        assert event is not None and event.asset_materialization is not None
        assert event.asset_materialization.metadata["rows"].value == 3
        assert [run.status for run in another.get_runs()] == [dg.DagsterRunStatus.SUCCESS]
        assert another.event_log_storage.get_concurrency_info(GPU_POOL).slot_count == 1
    assert not list(team_instance.rglob("*.db")), "nothing is kept in SQLite"


def test_the_daemon_beats_and_the_page_answers(team_instance: Path, free_port: int) -> None:
    """The two Dagster services of compose.yaml, as processes on that instance."""
    tools = Path(sys.executable).parent
    shutil.copy(ROOT / "workspace.yaml", team_instance / "workspace.yaml")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "POLYGUARD_DATA_LAKE": str(team_instance / "lake")}
    workspace = ["--workspace", str(team_instance / "workspace.yaml")]
    log = (team_instance / "log").open("wb")
    commands = (
        [tools / "dagster-daemon", "run", *workspace],
        [tools / "dagster-webserver", "--host", "127.0.0.1", "--port", str(free_port), *workspace],
    )
    running = [subprocess.Popen(c, env=environment, stdout=log, stderr=subprocess.STDOUT) for c in commands]
    try:
        deadline, told, alive = time.monotonic() + 240, {}, False
        with dg.DagsterInstance.get() as instance:
            while time.monotonic() < deadline and not (told and alive):
                assert all(process.poll() is None for process in running), (team_instance / "log").read_text()[-2000:]
                with contextlib.suppress(httpx.HTTPError):
                    told = httpx.get(f"http://127.0.0.1:{free_port}/server_info", timeout=5, trust_env=False).json()
                alive = all_daemons_healthy(instance)
                time.sleep(0.5)
        assert told["dagster_version"] == dg.__version__ and alive
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(60)
        log.close()
