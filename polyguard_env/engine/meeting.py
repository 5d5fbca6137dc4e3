"""What two drugs do to each other, as arrays: interactions, who may meet whom in a split, who is near whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from polyguard_env.engine import layout as at
from polyguard_env.engine.tabulating import mark
from polyguard_env.environment.splits import pair_split_of
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.knowledge.schema import SEVERITY_RANK
from polyguard_env.risk.index import RuleIndex
from polyguard_env.risk.review import MONITOR_FOR_MECHANISM


def mechanisms_of(knowledge: KnowledgeBase) -> list[str]:
    """Mechanisms of interactions, sorted."""
    return sorted(set(knowledge.interactions()["mechanism"]))


def edges_of(
    index: RuleIndex, drug_at: Mapping[str, int], mechanisms: Sequence[str], measurement_at: Mapping[str, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Interactions in table order, and their two drugs, shape (interactions, 2)."""
    frame = index.knowledge.interactions()
    mechanism_at = {name: place for place, name in enumerate(mechanisms)}
    edge = np.zeros(len(frame), dtype=at.EDGE)
    first, second = frame["drug_a"].to_list(), frame["drug_b"].to_list()
    severity, mechanism = frame["severity"].to_list(), frame["mechanism"].to_list()
    management = frame["management"].to_list()
    ends = [(drug_at[a], drug_at[b]) for a, b in zip(first, second, strict=True)]
    profile = index.profile
    for place, (a, b) in enumerate(zip(first, second, strict=True)):
        term = management[place].partition(":")[0].strip()
        edge[place] = (
            SEVERITY_RANK[severity[place]], mechanism_at[mechanism[place]], term == "reduce_dose", term == "monitor",
            measurement_at.get(MONITOR_FOR_MECHANISM.get(mechanism[place], ""), -1),
            at.SPLIT[pair_split_of(a, b, mechanism[place])] if profile(a) and profile(b) else -1,
        )  # fmt: skip
    return edge, np.array(ends, dtype=np.int64).reshape(-1, 2)


def near_and_foreign(
    table: np.ndarray, edge: np.ndarray, ends: np.ndarray, duplicate: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of profiled drugs (else -1), and by number bits of others.

    Args:
        table: rows of drugs. edge, ends: interactions, as `edges_of` gives them. duplicate: rules on duplicates.

    Returns:
        The numbers; by split and number, the drugs that one may not meet there; by number, the drugs that may
        interact with one or duplicate it.
    """
    number = np.where(table["profiled"] == 1, np.cumsum(table["profiled"], dtype=np.int32) - 1, -1).astype(np.int32)
    count = int(table["profiled"].sum())
    foreign = np.zeros((len(at.SPLIT) * count, count // 63 + 1), dtype=np.int64)
    near = np.zeros((count, count // 63 + 1), dtype=np.int64)
    pairs, held = number[ends], edge["split"]
    for split in at.SPLIT.values():
        mark(foreign, pairs[(held >= 0) & (held != split)], split * count)
    mark(near, pairs[(pairs >= 0).all(axis=1)], 0)
    members: dict[int, list[int]] = {}
    for place in np.flatnonzero(number >= 0):
        for row in range(*table["duplicate"][place]):
            members.setdefault(int(duplicate["rule"][row]), []).append(int(number[place]))
    for drugs in members.values():
        mark(near, np.array([(a, b) for a in drugs for b in drugs if a < b], dtype=np.int64).reshape(-1, 2), 0)
    return number, foreign, near
