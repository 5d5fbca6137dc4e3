"""Small parts of laying out candidates: taking a move, drawing a kind, an order."""

from __future__ import annotations

from polyguard_env.engine import layout as at
from polyguard_env.engine.compiled import compiled
from polyguard_env.engine.draws import below, chance, shuffle
from polyguard_env.engine.memory import copy_record


@compiled
def take(chosen, n, row):
    """Add a copy of a move to those chosen, unless it is there or they are full; the number chosen."""
    for i in range(n):
        if chosen[i].kind == row.kind and chosen[i].a == row.a and chosen[i].b == row.b:
            if chosen[i].value == row.value:
                return n
    if n < at.CANDIDATES:
        copy_record(chosen[n], row)
        return n + 1
    return n


@compiled
def simple(chosen, n, kind):
    """Add a move of a kind that acts on nothing; the number chosen."""
    row = chosen[n]
    row.kind, row.a, row.b, row.value, row.reason, row.number, row.priced = kind, -1, -1, 0.0, 0, 0, 0
    row.safety = row.dosing = row.burden = row.disease = row.worth = 0.0
    return n + 1


@compiled
def draw(totals, stream):
    """A place drawn by its weight, -1 where nothing weighs anything."""
    total = totals.sum()
    if total <= 0:
        return -1
    point = chance(stream) * total
    for kind in range(totals.shape[0]):
        point -= totals[kind]
        if point < 0 and totals[kind] > 0:
            return kind
    return -1


@compiled
def pick(rows, count, kind, stream):
    """A move of a kind, drawn among those of one drug."""
    m = 0
    for i in range(count):
        m += rows[i].kind == kind
    wanted = below(stream, m)
    for i in range(count):
        if rows[i].kind == kind:
            if wanted == 0:
                return i
            wanted -= 1
    return -1


@compiled
def arrange(order, n, stream):
    """Fill `order` with the first `n` places, shuffled."""
    for i in range(n):
        order[i] = i
    shuffle(order, n, stream)
