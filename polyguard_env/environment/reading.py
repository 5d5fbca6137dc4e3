"""Reading an answer: which candidate it names, or the named reason why it names none."""

from __future__ import annotations

import re
from collections.abc import Sequence

from polyguard_env.environment.messages import Candidate, PolyGuardAction

EXPLOIT = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e]|<\|?/?[a-z_]+\|?>|reward\s*[=:]", re.IGNORECASE
)


def read_answer(action: PolyGuardAction, candidates: Sequence[Candidate]) -> tuple[int | None, list[str]]:
    """Find the candidate an answer names.

    Only an exact candidate id, or an exact action text (case and outer white space aside), counts.

    Returns:
        The candidate's index or None, and the named reasons found.
    """
    if EXPLOIT.search(action.text) or EXPLOIT.search(action.candidate_id):
        return None, ["parser_exploit"]
    if action.candidate_id:
        place = next((i for i, c in enumerate(candidates) if c.candidate_id == action.candidate_id), None)
        if place is None:
            return None, ["candidate_id_mismatch"]
        if action.text and normal(action.text) != normal(candidates[place].text):
            return None, ["candidate_id_mismatch"]
    else:
        wanted = normal(action.text)
        named = [i for i, c in enumerate(candidates) if normal(c.text) in wanted] if wanted else []
        place = next((i for i, c in enumerate(candidates) if normal(c.text) == wanted), None)
        if place is None:
            return None, ["parser_exploit" if len(named) > 1 else "unreadable_answer"]
    candidate = candidates[place]
    if action.action_type is not None and action.action_type is not candidate.action_type:
        return None, ["candidate_id_mismatch"]
    if action.targets and action.targets != candidate.targets:
        return None, ["candidate_id_mismatch"]
    return place, []


def normal(text: str) -> str:
    return " ".join(text.lower().split())
