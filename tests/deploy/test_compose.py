"""compose.yaml: every service is hardened, healthy by a check, and runs a command that exists."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SERVICES = {"environment": 8000, "policy": 8200, "dagster-webserver": 3000}
SECRETS = {"POLYGUARD_POSTGRES_PASSWORD": "first", "POLYGUARD_TOKEN": "second-of-sixteen-characters"}


def composed(**environment: str) -> dict[str, Any]:
    """The file with its variables filled in as compose fills them: ${NAME:?why}, ${NAME:-default}."""

    def value(found: re.Match[str]) -> str:
        name, operator, word = found.groups()
        if operator == ":?" and not environment.get(name):
            raise KeyError(name)
        return environment.get(name) or (word if operator == ":-" else "")

    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(re.sub(r"\$\{(\w+)(:[?-])([^}]*)\}", value, text)))


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return dict(composed(**SECRETS)["services"])


def test_the_services_are_those_of_the_system(services: dict[str, Any]) -> None:
    assert set(services) == {*SERVICES, "dagster-daemon", "dagster-setup", "postgres"}


def test_without_secrets_nothing_starts() -> None:
    for name in SECRETS:
        with pytest.raises(KeyError, match=name):
            composed(**{other: value for other, value in SECRETS.items() if other != name})


def test_no_secret_is_written_down() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    values = re.findall(r"^\s*\w*(?:PASSWORD|TOKEN)\w*: (.*)$", text, re.MULTILINE)
    assert len(values) >= 4 and all(value.startswith("${") for value in values)


def test_every_service_is_hardened(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert any(mount.startswith("/tmp:") for mount in service["tmpfs"]), name
        assert "privileged" not in service and service.get("user") != "root", name


def test_ports_are_published_on_loopback_only(services: dict[str, Any]) -> None:
    published = {name: port for name, service in services.items() for port in service.get("ports", [])}
    assert set(published) == set(SERVICES)
    for name, port in published.items():
        address, host, inner = port.split(":")
        assert address == "127.0.0.1" and int(host) == SERVICES[name]
        command, variables = services[name]["command"], services[name]["environment"]
        assert inner in command or variables.get("PORT") == inner


def test_every_lasting_service_has_a_health_check(services: dict[str, Any]) -> None:
    for name, service in services.items():
        if name != "dagster-setup":
            check = service["healthcheck"]
            assert check["test"][0] == "CMD" and check["retries"] > 1 and check["start_period"], name


def test_what_waits_waits_for_a_service_that_can_be_ready(services: dict[str, Any]) -> None:
    for service in services.values():
        for other, wanted in service.get("depends_on", {}).items():
            ready = "healthcheck" in services[other]
            assert wanted["condition"] == ("service_healthy" if ready else "service_completed_successfully")


def test_commands_exist(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for command in (service["command"], service.get("healthcheck", {"test": ["CMD", "true"]})["test"][1:]):
            if command[:2] == ["python", "-m"]:
                assert importlib.util.find_spec(command[2]) is not None, f"{name}: {command[2]}"
            elif command[0].startswith("dagster"):
                arguments = command[1:2] if command[0] == "dagster-daemon" else []
                tool = Path(sys.executable).with_name(command[0])
                told = subprocess.run([tool, *arguments, "--help"], capture_output=True, text=True, timeout=120)
                flags = [word for word in command if word.startswith("--")]
                assert told.returncode == 0 and all(flag in told.stdout for flag in flags), name
            else:
                assert command[0] in ("true", "python") or name == "postgres", f"{name}: {command[0]}"


def test_variables_the_instance_reads_are_given(services: dict[str, Any]) -> None:
    instance = (ROOT / "polyguard_assets" / "container" / "dagster.yaml").read_text(encoding="utf-8")
    image = (ROOT / "polyguard_assets" / "container" / "Dockerfile").read_text(encoding="utf-8")
    wanted = set(re.findall(r"env: (\w+)", instance))
    assert len(wanted) == 6
    for name in ("dagster-setup", "dagster-webserver", "dagster-daemon"):
        given = set(services[name]["environment"])
        assert {variable for variable in wanted if f"{variable}=" not in image} <= given


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")
def test_compose_reads_it(tmp_path: Path) -> None:
    version = subprocess.run(["docker-compose", "version", "--short"], capture_output=True, text=True).stdout
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    if version.startswith("1."):  # compose 1 takes the project's name from the folder only
        text = re.sub(r"^name: .*\n", "", text, flags=re.MULTILINE)
    (tmp_path / "compose.yaml").write_text(text, encoding="utf-8")
    ran = subprocess.run(
        ["docker-compose", "config", "--services"], capture_output=True, text=True, cwd=tmp_path,
        env=os.environ | SECRETS,
    )  # fmt: skip
    assert ran.returncode == 0 and "environment" in ran.stdout.split(), ran.stderr
