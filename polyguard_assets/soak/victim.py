"""A client that plays on until it is killed."""

from __future__ import annotations

import asyncio
import random
import sys

from polyguard_assets.soak.behaviours import opened, play


async def play_on(url: str, seed: int) -> None:
    """Play episode after episode."""
    source = random.Random(seed)
    async with opened(url) as socket:
        print("playing", flush=True)
        while True:
            await play(socket, source, 64)


if __name__ == "__main__":
    asyncio.run(play_on(sys.argv[1], int(sys.argv[2])))
