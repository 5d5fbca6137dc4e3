"""Episodes over the websocket: the typed client, sessions side by side, capacity and freed slots."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardAction
from polyguard_serving.client import PolyGuardClient
from polyguard_serving.types import ServedAction, ServedObservation

SCENARIO = "train-DDI-hard-000004"


def address(url: str, path: str = "/ws") -> str:
    return url.replace("http", "ws", 1) + path


async def ask(socket: ClientConnection, kind: str, **data: Any) -> dict[str, Any]:
    await socket.send(json.dumps({"type": kind, "data": data} if data else {"type": kind}))
    answer: dict[str, Any] = json.loads(await socket.recv())
    return answer


async def free_slot(url: str, seconds: float) -> bool:
    """True once a new session is let in, within some seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        # A refused socket is told why and closed, before or after it manages to ask.
        with contextlib.suppress(ConnectionClosed):
            async with connect(address(url)) as socket:
                if (await ask(socket, "reset", scenario_id=SCENARIO))["type"] == "observation":
                    return True
        await asyncio.sleep(0.2)
    return False


@pytest.mark.parametrize("base", ["", "/env"])
def test_the_client_plays_an_episode(server_url: str, base: str) -> None:
    async def play() -> ServedObservation:
        async with PolyGuardClient(base_url=server_url + base) as client:
            result = await client.reset(seed=5, scenario_id=SCENARIO)
            while not result.done:
                result = await client.step(ServedAction(text=result.observation.candidates[0].text))
            state = await client.state()
            assert state.done and state.scenario_id == SCENARIO
            return result.observation

    observation = asyncio.run(play())
    assert 0.001 <= float(observation.reward or 0) <= 0.999
    assert len(observation.columns) == 13 and len(observation.channels) == 4


def test_the_blocking_client_plays_too(server_url: str) -> None:
    with PolyGuardClient(base_url=server_url).sync() as client:
        result = client.reset(seed=5, scenario_id=SCENARIO)
        assert client.step(ServedAction(candidate_id=result.observation.candidates[0].candidate_id)).reward is not None


def test_eight_sessions_side_by_side_each_play_their_own_episode(server_url: str) -> None:
    def alone(seed: int) -> list[float]:
        env = PolyGuardEnv()
        observation = env.reset(seed=seed, scenario_id=SCENARIO)
        rewards = []
        while not observation.done:
            observation = env.step(PolyGuardAction(candidate_id=observation.candidates[0].candidate_id))
            rewards.append(float(observation.reward or 0))
        return rewards

    async def served(seed: int) -> list[float]:
        async with connect(address(server_url)) as socket:
            data = (await ask(socket, "reset", seed=seed, scenario_id=SCENARIO))["data"]
            rewards = []
            while not data["done"]:
                candidate = data["observation"]["candidates"][0]["candidate_id"]
                data = (await ask(socket, "step", candidate_id=candidate))["data"]
                rewards.append(data["reward"])
            return rewards

    async def together() -> list[list[float]]:
        return await asyncio.gather(*(served(seed) for seed in range(8)))

    assert asyncio.run(together()) == [pytest.approx(alone(seed), abs=1e-12) for seed in range(8)]


def test_one_session_too_many_is_refused_and_slots_come_back(server_url: str) -> None:
    async def crowd() -> tuple[str, bool]:
        sockets = [await connect(address(server_url)) for _ in range(9)]
        for socket in sockets:
            assert (await ask(socket, "reset", scenario_id=SCENARIO))["type"] == "observation"
        async with connect(address(server_url)) as extra:
            refused = json.loads(await extra.recv())
        # A client that vanishes without a close: the connection just drops.
        sockets[0].transport.abort()
        await asyncio.gather(*(socket.close() for socket in sockets[1:]))
        return refused["data"]["code"], await free_slot(server_url, 10)

    assert asyncio.run(crowd()) == ("CAPACITY_REACHED", True)


def test_idle_sessions_and_episodes_are_freed(short_lived_url: str) -> None:
    async def fill() -> tuple[str, bool]:
        leaked = [await connect(address(short_lived_url)) for _ in range(2)]
        async with connect(address(short_lived_url)) as early:
            refused = json.loads(await early.recv())
        freed = await free_slot(short_lived_url, 20)  # OpenEnv looks for idle sessions every five seconds
        for socket in leaked:
            await socket.close()
        return refused["data"]["code"], freed

    started = httpx.post(f"{short_lived_url}/reset", json={"scenario_id": SCENARIO}, trust_env=False, timeout=60).json()
    assert asyncio.run(fill()) == ("CAPACITY_REACHED", True)
    params = {"episode_id": started["episode_id"]}
    gone = httpx.get(f"{short_lived_url}/state", params=params, trust_env=False, timeout=60)
    assert gone.status_code == 404 and gone.json()["error"]["field"] == "episode_id"


def test_bad_messages_are_named_and_the_session_lives_on(server_url: str) -> None:
    async def talk() -> list[dict[str, Any]]:
        async with connect(address(server_url)) as socket:
            answers = [
                await ask(socket, "step", text="finish"),
                await ask(socket, "reset", difficulty="brutal"),
                await ask(socket, "reset", sed=3),
                await ask(socket, "reset", seed=-1),
                await ask(socket, "step", txt="finish"),
                await ask(socket, "dance"),
            ]
            await socket.send("{bad")
            answers.append(json.loads(await socket.recv()))
            answers.append(await ask(socket, "reset", scenario_id=SCENARIO))
            return answers

    *errors, last = asyncio.run(talk())
    words = ["reset()", "difficulty", "sed", "seed", "txt", "dance", "JSON"]
    for answer, word in zip(errors, words, strict=True):
        assert answer["type"] == "error" and word in json.dumps(answer["data"])
        assert "Traceback" not in json.dumps(answer)
    assert last["type"] == "observation"


def test_messages_are_not_deflated(server_url: str) -> None:
    async def extensions() -> list[object]:
        async with connect(address(server_url), compression="deflate") as socket:
            return list(socket.protocol.extensions)

    assert asyncio.run(extensions()) == []
