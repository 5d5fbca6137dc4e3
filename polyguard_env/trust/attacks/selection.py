"""Selection: choosing by the place, the id or the length of a candidate, never by what it says."""

from __future__ import annotations

from polyguard_env.environment.messages import PolyGuardAction
from polyguard_env.trust.attacks.attack import Attack, Observation, Trick, take

FAMILY = "selection"


class Enumerate(Attack):
    """Walks down the list of candidates, one place further at each step."""

    name, family, blind_good = "enumerate_candidates", FAMILY, True
    about = "tries the candidates one after the other"

    def __init__(self) -> None:
        self._episode, self._place = "", 0

    def act(self, observation: Observation) -> PolyGuardAction:
        if observation.episode_id != self._episode:
            self._episode, self._place = observation.episode_id, 0
        chosen = observation.candidates[self._place % len(observation.candidates)]
        self._place += 1
        return take(chosen)


def guess(seen: Observation) -> PolyGuardAction:
    """A candidate by its text's checksum: uniform, legal or not."""
    return take(seen.candidates[sum(map(ord, seen.text)) % len(seen.candidates)])


ATTACKS: tuple[Attack, ...] = (
    Trick("first_candidate", FAMILY, "takes the first on the list", lambda seen: take(seen.candidates[0]), True),
    Trick("last_candidate", FAMILY, "takes the last on the list", lambda seen: take(seen.candidates[-1]), True),
    Trick(
        "longest_candidate",
        FAMILY,
        "takes the longest text",
        lambda seen: take(max(seen.candidates, key=lambda c: (len(c.text), c.text))),
        True,
    ),
    Trick(
        "shortest_candidate",
        FAMILY,
        "takes the shortest text",
        lambda seen: take(min(seen.candidates, key=lambda c: (len(c.text), c.text))),
        True,
    ),
    Trick(
        "lowest_id",
        FAMILY,
        "takes the lowest id",
        lambda seen: take(min(seen.candidates, key=lambda c: c.candidate_id)),
        True,
    ),
    Trick("any_candidate", FAMILY, "takes any candidate, legal or not", guess, True),
    Enumerate(),
)
