"""Role codes of drugs, and which of them make something of each other."""

from __future__ import annotations

from functools import lru_cache

from polyguard_env.environment.observed import facts_of
from polyguard_env.environment.pieces import KEPT
from polyguard_env.risk.index import RuleIndex

ALONE = ("taper", "nti", "renal", "falls", "pause", "sickday")


@lru_cache(maxsize=KEPT)
def codes_of(drug_id: str, index: RuleIndex) -> tuple[str, ...]:
    """A drug's role codes, the most safety-relevant first."""
    return tuple(fact["code"] for fact in facts_of(drug_id, index)[1] if fact["code"])


def stem(code: str) -> str:
    """A code less its grade or strength."""
    return code.rstrip("!0123456789").lower()


def partners(code: str) -> tuple[str, ...]:
    """Stems of the codes that make something of this one: itself, or the other side of its enzyme."""
    found = stem(code)
    if found in ALONE:
        return ()
    for ending, others in (("sub", ("inh", "ind")), ("inh", ("sub",)), ("ind", ("sub",))):
        if found.endswith(ending):
            return tuple(found[: -len(ending)] + other for other in others)
    return (found,)


def strength(code: str) -> int:
    """What a role weighs, from 1 to 3: its grade; a strong or sensitive enzyme role and known QT risk weigh 3."""
    if code.endswith(("!", "3")) or code == "QT":
        return 3
    return 1 if code.endswith("1") or code == "qt" else 2
