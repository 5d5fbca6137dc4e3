"""One environment over the packaged knowledge for all tests of this folder."""

from __future__ import annotations

import pytest

from polyguard_env.environment.env import PolyGuardEnv


@pytest.fixture(scope="session")
def env() -> PolyGuardEnv:
    return PolyGuardEnv()
