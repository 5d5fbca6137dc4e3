"""Which known names a misspelt one may have meant: nearest in letters, keys and sound, then the more used drug.

Nothing here matches a name; it only orders what an error lists.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from math import log1p

# Letters that lie side by side on a QWERTY keyboard.
ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
VOWELS = frozenset("aeiouy")
# Spellings of one sound, in this order; what is left after them is compared without vowels.
SOUNDS = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"^x", "z"), (r"^(?:ps|pt)", "s"), (r"ph|v", "f"), (r"ck|ch|qu|q|c(?![eiy])", "k"), (r"x", "ks"),
        (r"[cz]|sch|sh", "s"), (r"j|g(?=[eiy])", "j"), (r"th|d", "t"), (r"rh", "r"), (r"w|h", ""), (r"m", "n"),
    )
)  # fmt: skip
ALIKE = tuple(frozenset(pair) for pair in ("ck", "cs", "sz", "xz", "xs", "fv", "gj", "td", "mn", "bp", "kq", "bv"))
FAR, ALIKE_COST, VOWEL_COST, KEY_COST, DOUBLED_COST, SWAP_COST = 1.0, 0.55, 0.5, 0.7, 0.4, 0.6
# What a heard likeness, a formulary drug and its use take off the distance; and what a wrong first letter adds.
SOUND_GAIN, USE_GAIN, MOST_USE_GAIN, FIRST_COST = 0.9, 0.18, 0.7, 0.4
# A name is near when its distance is at most this share of its letters.
NEAR = 0.4
# Names compared letter by letter: those that share most pairs of letters.
COMPARED = 160


def _neighbours() -> frozenset[frozenset[str]]:
    pairs = {frozenset(row[at : at + 2]) for row in ROWS for at in range(len(row) - 1)}
    for above, below in pairwise(ROWS):
        pairs |= {frozenset((above[at + step], key)) for at, key in enumerate(below) for step in (0, 1)}
    return frozenset(pairs)


NEIGHBOURS = _neighbours()


def sound(name: str) -> str:
    """How the consonants of a name sound, a vowel at its start kept as "a"."""
    heard = name.replace(" ", "")
    for pattern, written in SOUNDS:
        heard = pattern.sub(written, heard)
    start = "a" if heard[:1] in VOWELS else ""
    heard = start + "".join(letter for letter in heard if letter not in VOWELS)
    return re.sub(r"(.)\1+", r"\1", heard)


def changed(a: str, b: str) -> float:
    """What writing letter `b` for `a` costs: 0 to 1."""
    pair = frozenset((a, b))
    if len(pair) == 1:
        return 0.0
    if pair <= VOWELS:
        return VOWEL_COST
    if pair in ALIKE:
        return ALIKE_COST
    return KEY_COST if pair in NEIGHBOURS else FAR


def left_out(letter: str, before: str) -> float:
    """What leaving out a letter costs; little where it only doubles the one before or is silent."""
    return DOUBLED_COST if letter == before or letter in "h " else KEY_COST if letter in VOWELS else FAR


def distance(written: str, name: str) -> float:
    """How far two names are apart in letters: changes, omissions, additions and swaps of neighbours, weighted."""
    before_last: list[float] = []
    last = [0.0]
    for at, letter in enumerate(name):
        last.append(last[-1] + left_out(letter, name[at - 1] if at else ""))
    for row, letter in enumerate(written, start=1):
        earlier = written[row - 2] if row > 1 else ""
        now = [last[0] + left_out(letter, earlier)]
        for column, other in enumerate(name, start=1):
            preceding = name[column - 2] if column > 1 else ""
            best = min(
                last[column - 1] + changed(letter, other),
                last[column] + left_out(letter, earlier),
                now[column - 1] + left_out(other, preceding),
            )
            if row > 1 and column > 1 and letter == preceding and earlier == other:
                best = min(best, before_last[column - 2] + SWAP_COST)
            now.append(best)
        before_last, last = last, now
    return last[-1]


def pairs_of(name: str) -> frozenset[str]:
    """Pairs of neighbouring letters, the ends included."""
    framed = f"^{name}$"
    return frozenset(framed[at : at + 2] for at in range(len(framed) - 1))


class Suggestions:
    """Near names, nearest first.

    Args:
        names: normalised name to the drugs it stands for.
        use: how much each drug is used (`use_weight` of its profile, prescriptions in a hundred older adults);
            drugs outside the formulary are left out.
    """

    def __init__(self, names: Mapping[str, tuple[str, ...]], use: Mapping[str, float]) -> None:
        self._drugs = dict(names)
        self._use = use
        self._names = sorted(names)
        self._by_pair: dict[str, list[int]] = defaultdict(list)
        self._by_sound: dict[str, list[int]] = defaultdict(list)
        for place, name in enumerate(self._names):
            for pair in pairs_of(name):
                self._by_pair[pair].append(place)
            self._by_sound[sound(name)].append(place)

    def near(self, written: str, most: int) -> list[str]:
        """Names near `written`, one for each set of drugs.

        Args:
            written: normalised.
            most: how many at most.
        """
        heard = sound(written)
        scored = []
        for place in self._candidates(written, heard):
            name = self._names[place]
            apart = distance(written, name)
            alike = bool(heard) and sound(name) == heard
            if apart <= NEAR * max(len(name), len(written)):
                score = apart - (SOUND_GAIN if alike else 0.0) - self._used(name)
                # A wrong first letter is rare, but for one that sounds the same.
                score += 0.0 if alike or name[:1] == written[:1] else FIRST_COST
                scored.append((score, apart, name))
        best: dict[frozenset[str], str] = {}
        for _, _, name in sorted(scored):
            best.setdefault(frozenset(self._drugs[name]), name)
        return list(best.values())[:most]

    def _used(self, name: str) -> float:
        uses = [self._use[drug] for drug in self._drugs[name] if drug in self._use]
        return min(MOST_USE_GAIN, USE_GAIN * (1 + log1p(min(uses)))) if len(uses) == len(self._drugs[name]) else 0.0

    def _candidates(self, written: str, heard: str) -> Iterable[int]:
        shared: Counter[int] = Counter()
        for pair in pairs_of(written):
            shared.update(self._by_pair.get(pair, ()))
        likest = sorted(
            ((-2 * held / (len(written) + len(self._names[place]) + 2), place) for place, held in shared.items())
        )
        return dict.fromkeys([*self._by_sound.get(heard, ()), *(place for _, place in likest[:COMPARED])])
