"""Checkpoints: forks, a killed server, and an episode that goes on byte for byte."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.errors import PolyGuardError
from polyguard_serving.batch_client import BatchClient
from polyguard_serving.client import PolyGuardClient, ServerRefusal
from polyguard_serving.refusals import Refusal
from polyguard_serving.types import ServedAction

RESET = {"scenario_id": "train-LONGITUDINAL_DEPRESCRIBING-hard-000004", "seed": 7}


class Server:
    """A server on one port that can be killed and started again."""

    def __init__(self, *options: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.options, self.url = options, f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "polyguard_serving.server", "--port", str(self.port), "--log", "off"]
        self.process = subprocess.Popen([*command, *self.options], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/ready", trust_env=False).status_code == 200:
                    return
            except httpx.HTTPError:
                assert self.process.poll() is None, "the server ended"
            time.sleep(0.05)
        raise AssertionError("the server did not start")

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def rest_of(url: str, episode_id: str) -> list[bytes]:
    """The observations of taking the first candidate until the end."""
    seen = []
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as http:
        done = False
        while not done:
            offered = http.get(f"/episodes/{episode_id}").json()["candidates"]
            body = {"episode_id": episode_id, "action": {"candidate_id": offered[0]["candidate_id"]}}
            answer = http.post("/step", json=body).json()
            answer.pop("episode_id"), answer["observation"].pop("episode_id")
            seen.append(orjson.dumps(answer))
            done = answer["done"]
    return seen


def test_a_fork_goes_its_own_way_and_a_restored_copy_the_same(server_url: str) -> None:
    with BatchClient(server_url) as client:
        (name,) = client.reset([RESET]).episode_ids
        client.step([str(name)], ["nonsense"])
        saved = client.checkpoint(str(name))
        fork = client.fork(str(name))["episode_id"]
        assert fork != name
        copy = client.restore(saved, "a-copy")
        assert copy["episode_id"] == "a-copy" and copy["observation"]["episode_id"] == "a-copy"
        whole = rest_of(server_url, str(name))
        assert rest_of(server_url, fork) == whole == rest_of(server_url, "a-copy")
        client.end(fork)
        with pytest.raises(Refusal) as gone:
            client.checkpoint(fork)
        assert gone.value.code == "NOT_FOUND"


def test_a_checkpoint_is_the_domains_own(server_url: str) -> None:
    env = PolyGuardEnv()
    env.reset(**RESET, episode_id="own")
    with BatchClient(server_url) as client:
        client.reset([RESET | {"episode_id": "own"}])
        assert client.checkpoint("own") == orjson.loads(orjson.dumps(env.get_state()))


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"knowledge_fingerprint": "0" * 16}, 409),
        ({"scenario_id": "nowhere"}, 422),
        ({"seed": -1}, 422),
        ({"episode": {}}, 409),
        ({"episode": [1]}, 409),
        ({"rewards": "many"}, 409),
        ({"rewards": None}, 409),
    ],
)
def test_a_broken_checkpoint_is_refused(http: httpx.Client, change: dict[str, Any], status: int) -> None:
    name = http.post("/reset", json=RESET).json()["episode_id"]
    saved = http.get(f"/episodes/{name}/checkpoint").json()["checkpoint"]
    answer = http.post("/restore", json={"checkpoint": saved | change, "episode_id": "broken"})
    assert answer.status_code == status and answer.json()["error"]["fix"]
    assert http.get("/episodes/broken").status_code == 404


def test_sessions_checkpoint_restore_and_fork_too(server_url: str) -> None:
    async def play() -> tuple[list[float], list[float]]:
        async with PolyGuardClient(server_url) as client:
            result = await client.reset(**RESET)
            result = await client.step(ServedAction(text="nonsense"))
            saved = await client.checkpoint()

            async def finish(result: Any) -> list[float]:
                rewards = []
                while not result.done:
                    chosen = result.observation.candidates[0].candidate_id
                    result = await client.step(ServedAction(candidate_id=chosen))
                    rewards.append(result.reward)
                return rewards

            first = await finish(result)
            with pytest.raises(ServerRefusal) as refused:
                await client.restore(saved | {"knowledge_fingerprint": "other"})
            assert refused.value.code == "EXECUTION_ERROR" and refused.value.field == "knowledge_fingerprint"
            again = await client.restore(saved, "fork")
            assert again.observation.episode_id == "fork" and (await client.candidates())["text"]
            return first, await finish(again)

    first, second = asyncio.run(play())
    assert first == second and first


def test_after_a_kill_an_episode_goes_on_where_its_checkpoint_was() -> None:
    server = Server()

    async def interrupted() -> None:
        async with PolyGuardClient(server.url) as client:
            await client.reset(**RESET)
            server.kill()
            with pytest.raises(Exception, match=r"no close frame|connection|Connect"):
                await client.step(ServedAction(text="finish"))

    try:
        with BatchClient(server.url) as client:
            for name in ("kept", "twin"):
                client.reset([RESET | {"episode_id": name}])
                client.step([name], ["nonsense"])
            saved = client.checkpoint("kept")
            expected = rest_of(server.url, "twin")
            asyncio.run(interrupted())
            with pytest.raises(PolyGuardError, match="start the server"):
                client.step(["kept"], [0])
            server.start()
            lost = client.step(["kept"], [0])
            assert lost.errors[0].code == "NOT_FOUND" and "reset" in lost.errors[0].fix
            client.restore(saved)
            assert rest_of(server.url, "kept") == expected
    finally:
        server.stop()


def test_a_client_that_resumes_does_not_notice_a_kill(tmp_path: Path) -> None:
    server = Server("--state", str(tmp_path))

    async def play(killed: bool) -> tuple[list[Any], int]:
        async with PolyGuardClient(server.url, resumes=killed) as client:
            result = await client.reset(**RESET, episode_id="one")
            seen: list[Any] = []
            while not result.done:
                action = ServedAction(candidate_id=result.observation.candidates[0].candidate_id)
                result = await client.step(action if seen else ServedAction(text="nonsense"))
                seen.append(result.observation.model_dump())
                if killed and len(seen) == 1:
                    server.kill()
                    server.start()
            return seen, client.reconnected

    try:
        with BatchClient(server.url) as client:
            client.reset([RESET | {"episode_id": name} for name in ("kept", "twin")])
            client.step(["kept", "twin"], ["nonsense"] * 2)
        twin = rest_of(server.url, "twin")
        (expected, never), (seen, times) = asyncio.run(play(False)), asyncio.run(play(True))
        assert seen == expected and len(seen) > 1 and (never, times) == (0, 1)
        # HTTP episodes outlive the kill by themselves when there is a state folder.
        assert rest_of(server.url, "kept") == twin
    finally:
        server.stop()
