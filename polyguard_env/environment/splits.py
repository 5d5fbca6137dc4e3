"""Train, validation and holdout: which interaction pairs belong to which split.

A pair's split follows from its names alone, so it is the same in every process and release of the
knowledge. Some mechanisms belong to the holdout entirely: the second holdout, never seen in training.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

from polyguard_env.risk.index import RuleIndex

SPLITS: tuple[str, ...] = ("train", "validation", "holdout")
UNSEEN_MECHANISMS: frozenset[str] = frozenset(
    {"hyponatraemia", "cyp1a2_inhibition", "pgp_inhibition", "pgp_induction", "bradycardia", "seizure"}
)
SPLIT_SHARES = (("train", 0.70), ("validation", 0.80), ("holdout", 1.0))


@lru_cache(maxsize=16_384)
def hashed_split(a: str, b: str) -> str:
    """The split of a pair by its names, in either order."""
    first, second = sorted((a, b))
    digest = blake2b(f"{first}|{second}".encode(), digest_size=8, person=b"polyguard").digest()
    share = int.from_bytes(digest, "big") / 2**64
    return next(split for split, upper in SPLIT_SHARES if share < upper)


def pair_split(a: str, b: str, index: RuleIndex) -> str | None:
    """The split an interacting pair belongs to; None when the two do not interact."""
    edge = index.interaction(a, b)
    return None if edge is None else pair_split_of(a, b, edge.mechanism)


def pair_split_of(a: str, b: str, mechanism: str) -> str:
    """The split of an interacting pair whose mechanism is known."""
    return "holdout" if mechanism in UNSEEN_MECHANISMS else hashed_split(a, b)
