"""The server resource: private servers start and end, wrong URLs give one clear error."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from polyguard_assets.environment_server import EnvironmentServer
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import snapshot_folder


def test_a_private_server_lives_as_long_as_it_is_used(lake: Path) -> None:
    with EnvironmentServer().running(snapshot_folder()) as url:
        assert httpx.get(f"{url}/health", trust_env=False).json() == {"status": "healthy"}
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/health", timeout=2, trust_env=False)


def test_an_unreachable_url_names_the_fix() -> None:
    with pytest.raises(PolyGuardError, match="make serve"), EnvironmentServer(url="http://127.0.0.1:9").running():
        raise AssertionError("unreachable")


def test_a_server_that_cannot_start_says_why(lake: Path, tmp_path: Path) -> None:
    with pytest.raises(PolyGuardError, match="knowledge snapshot"), EnvironmentServer().running(tmp_path / "nothing"):
        raise AssertionError("unreachable")
