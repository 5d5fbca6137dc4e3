"""Counter-based random numbers: a draw follows from its key alone, never from global state."""

from __future__ import annotations

import numpy as np

from polyguard_env.engine.compiled import compiled

_A, _B, _C = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@compiled
def mix(value):
    """One SplitMix64 step over a 64-bit value."""
    x = np.uint64(value) + _A
    x = (x ^ (x >> np.uint64(30))) * _B
    x = (x ^ (x >> np.uint64(27))) * _C
    return np.int64(x ^ (x >> np.uint64(31)))


@compiled
def key_of(scenario, seed, counter):
    """The key of a stream of draws."""
    return mix(mix(mix(scenario) ^ seed) ^ counter)


@compiled
def uniform(key):
    """A number in [0, 1) with 53 random bits."""
    return float(np.uint64(key) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@compiled
def below(stream, bound):
    """A whole number in [0, bound); advances the stream, shape (1,)."""
    stream[0] = mix(stream[0])
    return np.int64((np.uint64(stream[0]) >> np.uint64(32)) * np.uint64(bound) >> np.uint64(32))


@compiled
def chance(stream):
    """A number in [0, 1); advances the stream, shape (1,)."""
    stream[0] = mix(stream[0])
    return uniform(stream[0])


@compiled
def shuffle(order, n, stream):
    """Shuffle the first `n` entries in place."""
    for place in range(n - 1, 0, -1):
        other = below(stream, place + 1)
        order[place], order[other] = order[other], order[place]
