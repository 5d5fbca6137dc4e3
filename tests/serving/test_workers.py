"""Two workers serve as one: no episode is lost between them, and one that dies takes only its own with it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as connect_now

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardAction
from tests.serving.conftest import serving

RESET = {"scenario_id": "train-LONGITUDINAL_DEPRESCRIBING-hard-000004"}


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("state")
    with serving("--workers", "2", "--sessions", "6", "--log", "off", "--state", str(folder)) as url:
        yield url


def fresh(url: str) -> httpx.Client:
    """A client whose every request takes a new connection, and so any worker."""
    return httpx.Client(base_url=url, trust_env=False, timeout=60, limits=httpx.Limits(max_keepalive_connections=0))


def alone(seed: int, text: str = "") -> list[float]:
    """The rewards of the first candidate each time, or of one answer."""
    env = PolyGuardEnv()
    seen, rewards = env.reset(seed=seed, **RESET), []
    while not seen.done:
        seen = env.step(PolyGuardAction(candidate_id="" if text else seen.candidates[0].candidate_id, text=text))
        rewards.append(float(seen.reward or 0))
    return rewards


def children(url: str) -> list[psutil.Process]:
    """The workers behind a port."""
    port = int(url.rpartition(":")[2])
    for process in psutil.process_iter(["cmdline"]):
        if "polyguard_serving.server" in (process.info["cmdline"] or []) and process.children():
            listening = {entry.laddr.port for entry in process.net_connections("tcp") if entry.status == "LISTEN"}
            if port in listening:
                return process.children()
    raise AssertionError("no server found")


def test_a_missing_id_is_found_only_when_one_episode_runs(together: str) -> None:
    with fresh(together) as http:
        assert http.get("/state").json()["step_count"] == 0
        name = http.post("/reset", json=RESET).json()["episode_id"]
        assert {http.get("/state").json()["episode_id"] for _ in range(4)} == {name}
        other = http.post("/reset", json=RESET).json()["episode_id"]
        refused = http.get("/state")
        assert refused.status_code == 404 and "several" in refused.json()["error"]["fix"]
        for each in (name, other):
            http.delete(f"/episodes/{each}")


def test_an_episode_is_one_episode_whichever_worker_is_reached(together: str) -> None:
    def play(seed: int) -> list[float]:
        with fresh(together) as http:
            seen = http.post("/reset", json=RESET | {"seed": seed, "episode_id": f"play-{seed}"}).json()
            rewards = []
            while not seen["done"]:
                action = {"candidate_id": seen["observation"]["candidates"][0]["candidate_id"]}
                seen = http.post("/step", json={"episode_id": seen["episode_id"], "action": action}).json()
                rewards.append(seen["reward"])
            assert http.get("/state", params={"episode_id": seen["episode_id"]}).json()["step_count"] == len(rewards)
            return rewards

    with ThreadPoolExecutor(4) as pool:
        played = list(pool.map(play, range(12)))
    assert played == [pytest.approx(alone(seed), abs=1e-12) for seed in range(12)]
    with fresh(together) as http:
        lines = http.get("/metrics").text.splitlines()
    assert "polyguard_workers 2.0" in lines
    steps = next(float(line.split()[1]) for line in lines if line.startswith('polyguard_steps_total{way="http"}'))
    assert steps == sum(map(len, played))


def test_steps_that_race_for_one_episode_are_each_taken_once(together: str) -> None:
    with fresh(together) as http:
        budget = http.post("/reset", json=RESET | {"episode_id": "raced"}).json()["observation"]["steps_left"]
    statuses: list[int] = []

    def hit() -> None:
        with fresh(together) as http:
            for _ in range(budget):
                answer = http.post("/step", json={"episode_id": "raced", "action": {"text": "nonsense"}})
                statuses.append(answer.status_code)

    threads = [threading.Thread(target=hit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.count(200) == budget and statuses.count(409) == 3 * budget


def test_a_batch_spans_the_workers(together: str) -> None:
    with fresh(together) as http:
        items = [RESET | {"seed": seed, "episode_id": f"batch-{seed}"} for seed in range(16)]
        started = http.post("/batch/reset", json={"items": items}).json()
        assert started["episode_ids"] == [item["episode_id"] for item in items] and not started["errors"]
        names = [*started["episode_ids"], "nowhere"]
        stepped = http.post("/batch/step", json={"episode_ids": names, "actions": [0] * 17}).json()
        assert [error["place"] for error in stepped["errors"]] == [16]
        assert stepped["rewards"][:16] == [pytest.approx(alone(seed)[0], abs=1e-12) for seed in range(16)]
        forked = http.post("/episodes/batch-3/fork").json()["episode_id"]
        assert http.get(f"/episodes/{forked}").json()["text"] == http.get("/episodes/batch-3").json()["text"]
        for name in [*started["episode_ids"], forked]:
            assert http.delete(f"/episodes/{name}").status_code == 200


def test_every_slot_is_there_for_whoever_comes_and_those_of_ended_episodes_on_other_workers_come_back() -> None:
    with serving("--workers", "2", "--episodes", "12", "--log", "off") as url, fresh(url) as http:
        with httpx.Client(base_url=url, trust_env=False, timeout=60) as one_connection:
            answers = [one_connection.post("/reset", json=RESET) for _ in range(13)]
        assert [answer.status_code for answer in answers] == [200] * 12 + [429]
        refusal = answers[-1].json()["error"]
        assert refusal["code"] == "CAPACITY_REACHED" and refusal["value"] == "12" and answers[-1].headers["retry-after"]
        names = [answer.json()["episode_id"] for answer in answers[:12]]
        for name in names:
            assert http.post("/step", json={"episode_id": name, "action": {"text": "finish"}}).json()["done"]
        batch = http.post("/batch/reset", json={"items": [RESET] * 12}).json()
        assert batch["errors"] == []
        assert http.post("/reset", json=RESET).status_code == 429
        for name in batch["episode_ids"]:
            assert http.delete(f"/episodes/{name}").status_code == 200
        started = http.post("/batch/reset", json={"items": [RESET] * 14}).json()
        assert [error["code"] for error in started["errors"]] == ["CAPACITY_REACHED"] * 2


def test_sessions_are_counted_over_all_workers(together: str) -> None:
    async def crowd() -> tuple[list[str], bool]:
        address = f"{together.replace('http', 'ws')}/ws"
        sockets = [await connect(address) for _ in range(8)]
        told = []
        for socket in sockets:
            with contextlib.suppress(ConnectionClosed):  # the refused are closed at once
                await socket.send('{"type": "state"}')
            told.append(json.loads(await socket.recv()))
        for socket in sockets:
            await socket.close()
        for _ in range(50):
            async with connect(address) as socket:
                with contextlib.suppress(ConnectionClosed):
                    await socket.send('{"type": "state"}')
                if json.loads(await socket.recv())["type"] == "state":
                    return [answer["data"].get("code", "") for answer in told], True
            await asyncio.sleep(0.1)
        return [], False

    codes, freed = asyncio.run(crowd())
    assert codes.count("CAPACITY_REACHED") == 2 and codes.count("") == 6 and freed


def test_any_worker_decides_a_step_of_any_episode(together: str) -> None:
    """Over HTTP or in a session, in its first step or a later one; sessions that share an id cannot be told apart."""
    address = f"{together.replace('http', 'ws')}/ws"

    def decide(http: httpx.Client, name: str) -> httpx.Response:
        return http.post("/agents/run_step", json={"episode_id": name, "without": ["evidence"]})

    def ask(socket: Any, kind: str, data: dict[str, Any]) -> dict[str, Any]:
        socket.send(json.dumps({"type": kind, "data": data}))
        told: dict[str, Any] = json.loads(socket.recv())["data"]
        return told

    with fresh(together) as http, contextlib.ExitStack() as open_sockets:
        names = [http.post("/reset", json=RESET | {"seed": seed}).json()["episode_id"] for seed in range(4)]
        sockets = [open_sockets.enter_context(connect_now(address)) for _ in range(4)]
        for number, socket in enumerate(sockets):
            seen = ask(socket, "reset", RESET | {"seed": number, "episode_id": f"session-{number}"})
            seen = ask(socket, "step", {"text": "nonsense"})
            texts = [entry["text"] for entry in seen["observation"]["candidates"]]
            for _ in range(3):
                answer = decide(http, f"session-{number}")
                assert answer.status_code == 200, answer.text
                assert answer.json()["candidate"]["text"] in texts
            assert ask(socket, "state", {})["step_count"] == 1
        batch = ask(sockets[0], "batch_reset", {"items": [RESET | {"episode_id": "in-a-batch"}]})
        assert batch["errors"] == []
        for name in [*names, "in-a-batch"]:
            assert {decide(http, name).status_code for _ in range(3)} == {200}
        for socket in sockets[:2]:
            ask(socket, "reset", RESET | {"seed": 5, "episode_id": "shared"})
        refused = decide(http, "shared")
        assert refused.status_code == 409 and "2 sessions" in refused.json()["error"]["fix"]
        assert decide(http, "nobody").status_code == 404
        for name in names:
            http.delete(f"/episodes/{name}")


def test_a_worker_that_dies_is_replaced_and_its_episodes_go_on(together: str) -> None:
    with fresh(together) as http:
        items = [RESET | {"seed": seed, "episode_id": f"kill-{seed}"} for seed in range(8)]
        http.post("/batch/reset", json={"items": items})
        names = [item["episode_id"] for item in items]
        first = http.post("/batch/step", json={"episode_ids": names, "actions": ["nonsense"] * 8}).json()
        before = children(together)
        assert len(before) == 2
        os.kill(before[0].pid, signal.SIGKILL)
        deadline = time.monotonic() + 30
        rewards: list[float] = []
        while time.monotonic() < deadline and len(rewards) < 8:
            try:
                states = [http.get("/state", params={"episode_id": name}) for name in names]
            except httpx.HTTPError:
                continue  # a connection the dead worker had accepted
            if all(state.status_code == 200 for state in states):
                rewards = [state.json()["total_reward"] for state in states]
        assert rewards == pytest.approx(first["rewards"], abs=1e-12)
        assert {process.pid for process in children(together)} != {process.pid for process in before}
        second = http.post("/batch/step", json={"episode_ids": names, "actions": ["nonsense"] * 8}).json()
        assert second["rewards"] == [pytest.approx(alone(seed, "nonsense")[1], abs=1e-12) for seed in range(8)]
