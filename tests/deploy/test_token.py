"""A server with a token, as compose runs it: training prices with the token and is refused without."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyguard_assets.environment_server import EnvironmentServer
from polyguard_assets.training.prices import PriceClient, PriceItem
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import snapshot_folder

ITEM = PriceItem("train-DDI-easy-000012", (), ("finish",))


def test_rewards_come_only_with_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYGUARD_DATA_LAKE", str(tmp_path))
    monkeypatch.setenv("POLYGUARD_TOKEN", "a-token-of-the-whole-system")
    with EnvironmentServer().running(snapshot_folder()) as url:
        (priced,) = PriceClient(url).price([ITEM])
        assert 0.0 < priced.rewards[0] < 1.0
        monkeypatch.setenv("POLYGUARD_TOKEN", "some-other-token-altogether")
        with pytest.raises(PolyGuardError):
            PriceClient(url, retries=1).price([ITEM])
