"""Reading an answer: which candidate it names, or the named reason why it names none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from polyguard_env.engine import layout as at
from polyguard_env.environment.messages import Offered, PolyGuardAction

PARSER_EXPLOIT, ID_MISMATCH, UNREADABLE = 1 << at.PARSER_EXPLOIT, 1 << at.ID_MISMATCH, 1 << at.UNREADABLE
EXPLOIT = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e]|<\|?/?[a-z_]+\|?>|reward\s*[=:]", re.IGNORECASE
)


def read_answer(action: PolyGuardAction, ids: Sequence[str], candidates: Sequence[Offered]) -> tuple[int | None, int]:
    """Find the candidate an answer names.

    Only an exact candidate id, or an exact action text (case and outer white space aside), counts.

    Args:
        ids, candidates: of the step, in order.

    Returns:
        The candidate's index or None, and the bits of the named reasons found.
    """
    if EXPLOIT.search(action.text) or EXPLOIT.search(action.candidate_id):
        return None, PARSER_EXPLOIT
    if action.candidate_id:
        if action.candidate_id not in ids:
            return None, ID_MISMATCH
        place = ids.index(action.candidate_id)
        if action.text and normal(action.text) != kept_normal(candidates[place].text):
            return None, ID_MISMATCH
    else:
        wanted = normal(action.text)
        told = [kept_normal(c.text) for c in candidates]
        exact = next((i for i, c in enumerate(candidates) if c.text == wanted), None)
        if exact is None and wanted not in told:
            named = [i for i, text in enumerate(told) if text in wanted] if wanted else []
            return None, PARSER_EXPLOIT if len(named) > 1 else UNREADABLE
        place = told.index(wanted) if exact is None else exact
    candidate = candidates[place]
    if action.action_type is not None and action.action_type is not candidate.action_type:
        return None, ID_MISMATCH
    if action.targets and action.targets != list(candidate.targets):
        return None, ID_MISMATCH
    return place, 0


def normal(text: str) -> str:
    return " ".join(text.lower().split())


# For candidates' texts, which come again; what agents write does not.
kept_normal = lru_cache(maxsize=50_000)(normal)
