"""Limits on what a client may send: how often, and how deeply nested."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

# Everything but brackets and braces, which become brackets.
_BRACKETS = bytes(ord("[") if code in b"[{" else ord("]") if code in b"]}" else code for code in range(256))
_OTHERS = bytes(code for code in range(256) if code not in b"[]{}")
BURST_SECONDS = 2.0
MOST_CLIENTS = 10_000


def deeper_than(text: bytes, depth: int) -> bool:
    """True when JSON text nests deeper than `depth`; text that is no JSON counts what it opens.

    Works on whole strings, not letter by letter: each round takes the innermost brackets away.
    """
    if text.count(b"[") + text.count(b"{") <= depth:
        return False
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    left = b"".join(text.split(b'"')[::2]).translate(_BRACKETS, _OTHERS)
    for _ in range(depth):
        fewer = left.replace(b"[]", b"")
        if len(fewer) == len(left):
            break
        left = fewer
    return left.count(b"[") > depth if b"[]" not in left else True


class Bucket:
    """A client's allowance: `rate` a second, saved up for `BURST_SECONDS`."""

    __slots__ = ("_clock", "_left", "_rate", "_then")

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._left, self._then = rate * BURST_SECONDS, clock()

    def take(self, cost: float = 1.0) -> bool:
        """Use some of the allowance; False when there is not enough."""
        now = self._clock()
        self._left = min(self._rate * BURST_SECONDS, self._left + (now - self._then) * self._rate)
        self._then = now
        if self._left < cost:
            return False
        self._left -= cost
        return True


class Allowances:
    """The buckets of the clients seen last.

    Args:
        rate: a second and client; 0 for no limit.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self._clock = rate, clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def bucket(self, client: str) -> Bucket | None:
        """A client's bucket; None when there is no limit."""
        if self.rate <= 0:
            return None
        bucket = self._buckets.pop(client, None) or Bucket(self.rate, self._clock)
        self._buckets[client] = bucket
        if len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return bucket
