"""Slow work stays off the event loop, bounded in number and time."""

from __future__ import annotations

import asyncio
import threading

import pytest

from polyguard_serving.offload import Offload
from polyguard_serving.refusals import Refusal


def test_a_hung_call_holds_its_thread_and_nothing_else() -> None:
    hang = threading.Event()

    async def play() -> tuple[list[str], int, str]:
        offload = Offload("policy", threads=1, waiting=2, timeout_s=0.2)
        beats = 0

        async def heart() -> None:
            nonlocal beats
            while True:
                beats += 1
                await asyncio.sleep(0.005)

        beating = asyncio.create_task(heart())
        answers = await asyncio.gather(*(offload.run(hang.wait, 30) for _ in range(5)), return_exceptions=True)
        codes = sorted(answer.code for answer in answers if isinstance(answer, Refusal))
        hang.set()
        await asyncio.sleep(0.05)
        beating.cancel()
        again = await offload.run(lambda: "spoke")
        offload.close()
        return codes, beats, again

    codes, beats, again = asyncio.run(play())
    assert codes == ["BUSY", "BUSY", "TIMEOUT", "TIMEOUT", "TIMEOUT"]
    assert beats > 5 and again == "spoke"


def test_a_failing_call_fails_its_caller_only() -> None:
    async def play() -> str:
        offload = Offload("policy")
        with pytest.raises(ZeroDivisionError):
            await offload.run(lambda: 1 / 0)
        return await offload.run(str.upper, "fine")

    assert asyncio.run(play()) == "FINE"
