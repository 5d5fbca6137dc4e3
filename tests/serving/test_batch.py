"""Batches over HTTP and websocket: many episodes in one message, each as it would go alone."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.messages import PolyGuardAction
from polyguard_serving.answers import BatchAnswer
from polyguard_serving.batch import empty, merged
from polyguard_serving.batch_client import AsyncBatchClient, BatchClient
from polyguard_serving.client import PolyGuardClient
from polyguard_serving.types import ServedAction

ITEMS = [{"seed": seed, "difficulty": "hard"} for seed in range(12)]


def alone(seed: int) -> list[float]:
    """The rewards of always taking the second candidate."""
    env = PolyGuardEnv()
    seen = env.reset(seed=seed, difficulty="hard")
    rewards = []
    while not seen.done:
        seen = env.step(PolyGuardAction(candidate_id=seen.candidates[1].candidate_id))
        rewards.append(float(seen.reward or 0))
    return rewards


EXPECTED = {seed: alone(seed) for seed in range(12)}


@pytest.mark.parametrize("form", ["place", "id", "text", "action"])
def test_a_batch_plays_each_episode_as_it_would_alone(server_url: str, form: str) -> None:
    with BatchClient(server_url) as client:
        seen = client.reset(ITEMS)
        names = [str(name) for name in seen.episode_ids]
        assert len(set(names)) == 12 and not seen.errors and seen.rewards == [None] * 12
        shown = {name: view for name, view in zip(names, seen.observations, strict=True)}
        rewards: dict[str, list[float]] = {name: [] for name in names}
        while names:
            actions: list[Any] = []
            for name in names:
                candidate = shown[name].candidates[1]  # type: ignore[union-attr]
                actions.append({
                    "place": 1, "id": candidate.candidate_id, "text": candidate.text,
                    "action": ServedAction(candidate_id=candidate.candidate_id),
                }[form])  # fmt: skip
            seen = client.step(names, actions)
            assert not seen.errors
            for name, reward, view in zip(names, seen.rewards, seen.observations, strict=True):
                rewards[name].append(float(reward or 0))
                shown[name] = view
            names = [name for name, done in zip(names, seen.done, strict=True) if not done]
    assert list(rewards.values()) == [pytest.approx(EXPECTED[seed], abs=1e-12) for seed in range(12)]


@pytest.mark.parametrize(("detail", "fields"), [("full", {"observation", "metadata"}), ("compact", {"text"})])
def test_detail_is_the_callers_choice(http: httpx.Client, detail: str, fields: set[str]) -> None:
    answer = http.post("/batch/reset", json={"items": ITEMS[:2], "detail": detail}).json()
    BatchAnswer(**answer)
    assert all(fields <= set(view) for view in answer["observations"])
    bare = http.post("/batch/reset", json={"items": ITEMS[:2], "detail": "reward"}).json()
    assert bare["observations"] == [] and len(bare["rewards"]) == 2 and len(json.dumps(bare)) < 300


def test_one_bad_item_spoils_no_other(http: httpx.Client) -> None:
    started = http.post("/batch/reset", json={"items": [{"seed": 1}, {"seed": 2}, {"seed": 3}]}).json()
    names = [started["episode_ids"][0], "gone", started["episode_ids"][2]]
    stepped = http.post("/batch/step", json={"episode_ids": names, "actions": [0, 0, "finish"]}).json()
    assert [error["code"] for error in stepped["errors"]] == ["NOT_FOUND"]
    assert stepped["rewards"][0] is not None and stepped["done"][2] is True
    again = http.post("/batch/step", json={"episode_ids": [names[2]] * 2, "actions": [0, 0]}).json()
    assert [error["code"] for error in again["errors"]] == ["CONFLICT"] * 2


def test_a_place_beyond_the_candidates_names_none(http: httpx.Client) -> None:
    started = http.post("/batch/reset", json={"items": [{"seed": 1, "difficulty": "hard"}]}).json()
    body = {"episode_ids": started["episode_ids"], "actions": [999], "detail": "full"}
    seen = http.post("/batch/step", json=body).json()["observations"][0]
    assert seen["observation"]["info"]["reasons"] == ["candidate_id_mismatch"]


@pytest.mark.parametrize(
    ("path", "body", "field", "status"),
    [
        ("/batch/reset", {"items": []}, "items", 422),
        ("/batch/reset", {"items": [{"sed": 1}]}, "items.0.sed", 422),
        ("/batch/step", {"episode_ids": ["a"], "actions": []}, "actions", 422),
        ("/batch/step", {"episode_ids": ["a"], "actions": [0, 1]}, "actions", 409),
        ("/batch/step", {"episode_ids": ["a"], "actions": [0], "detail": "everything"}, "detail", 422),
    ],
)
def test_a_bad_message_is_named(http: httpx.Client, path: str, body: Any, field: str, status: int) -> None:
    answer = http.post(path, json=body)
    assert answer.status_code == status and answer.json()["error"]["field"] == field


def test_a_session_plays_batches_and_frees_them(server_url: str) -> None:
    async def play() -> tuple[list[list[float]], list[str]]:
        async with PolyGuardClient(server_url) as client:
            started = await client.batch_reset(ITEMS[:4], detail="reward")
            names = started["episode_ids"]
            rewards: dict[str, list[float]] = {name: [] for name in names}
            left = names
            while left:
                seen = await client.batch_step(left, [1] * len(left), detail="reward")
                for name, reward in zip(left, seen["rewards"], strict=True):
                    rewards[name].append(reward)
                left = [name for name, done in zip(left, seen["done"], strict=True) if not done]
        async with PolyGuardClient(server_url) as other:
            lost = await other.batch_step(names, [0] * 4)
        return list(rewards.values()), [error["code"] for error in lost["errors"]]

    played, codes = asyncio.run(play())
    assert played == [pytest.approx(EXPECTED[seed], abs=1e-12) for seed in range(4)]
    assert codes == ["NOT_FOUND"] * 4


def test_messages_behind_a_batch_wait_their_turn(server_url: str) -> None:
    async def talk() -> list[Any]:
        async with connect(f"{server_url.replace('http', 'ws')}/ws") as socket:
            items = [{"seed": seed} for seed in range(50)]
            batch = {"type": "batch_reset", "data": {"items": items}, "request_id": "first"}
            for message in (batch, {"type": "reset", "request_id": 2}, {"type": "state", "request_id": 3}):
                await socket.send(json.dumps(message))
            return [json.loads(await socket.recv()) for _ in range(3)]

    answers = asyncio.run(talk())
    assert [answer["request_id"] for answer in answers] == ["first", 2, 3]
    assert [answer["type"] for answer in answers] == ["batch_reset", "observation", "state"]


def test_the_client_that_does_not_block(server_url: str) -> None:
    async def play() -> BatchAnswer:
        async with AsyncBatchClient(server_url) as client:
            started = await client.reset(ITEMS[:3])
            return await client.step([str(name) for name in started.episode_ids], [1, 1, 1])

    assert asyncio.run(play()).rewards == [pytest.approx(EXPECTED[seed][0], abs=1e-12) for seed in range(3)]


def test_parts_of_a_batch_are_put_back_in_order() -> None:
    one = empty() | {"episode_ids": ["b"], "rewards": [0.5], "done": [False], "observations": ["B"]}
    error = {"place": 1, "code": "NOT_FOUND"}
    two = empty() | {"episode_ids": ["a", "c"], "rewards": [0.1, None], "done": [False, True],
                     "observations": ["A", None], "errors": [error]}  # fmt: skip
    assert merged([([1], one), ([0, 2], two)]) == {
        "episode_ids": ["a", "b", "c"],
        "rewards": [0.1, 0.5, None],
        "done": [False, False, True],
        "observations": ["A", "B", None],
        "errors": [{"place": 2, "code": "NOT_FOUND"}],
    }
