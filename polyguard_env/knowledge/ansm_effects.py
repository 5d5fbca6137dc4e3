"""What an entry of the ANSM thesaurus does, and to which of its two sides.

Three tables, first match first: `ansm_outcomes.csv` says it for named sides, `ansm_directions.csv` reads from
the French text whose level, effect or absorption rises or falls, `ansm_enzymes.csv` names the enzyme.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from polyguard_env.knowledge.tabular import read_table

# Mechanisms that a keyword alone leaves undirected; the text says more.
UNDIRECTED = frozenset(
    """cyp3a4_inhibition cyp_induction reduced_absorption reduced_clearance reduced_effect additive_toxicity
    digoxin_toxicity other""".split()  # noqa: SIM905
)
EFFECTS = {
    "rises": "{x} levels rise",
    "falls": "{x} levels fall and its effect is lost",
    "absorbed": "less {x} is absorbed",
    "weakens": "{x} loses effect",
    "toxic": "adverse effects of {x} rise",
}
# Sides that act on the other's level, where the text names the affected side by no word of its heading.
DOER = re.compile(
    r"^(?:inhibiteurs puissants du cyp3a4|inducteurs enzymatiques|anticonvulsivants inducteurs|millepertuis|rifampicine"
    r"|pamplemousse|apalutamide|enzalutamide|inhibiteurs de proteases boostes)"
)
CAUSE = re.compile(r" (?:par|avec) ")  # what follows is the doer or the consequence
STEM = 6
SHORT = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """A mechanism and its effect; `{main}` and `{plus}` in the effect stand for the drugs of the entry's sides."""

    mechanism: str
    effect: str


class EffectTables:
    """The three tables, read once."""

    def __init__(self, french: Callable[[str], str]) -> None:
        self._named = [
            (french_side(row["side_a"], french), french_side(row["side_b"], french), french(row["phrase"]), row)
            for row in read_table("ansm_outcomes.csv")
        ]
        self._directions = [(re.compile(row["pattern"]), row["direction"]) for row in read_table("ansm_directions.csv")]
        self._enzymes = [(french(row["keyword"]), row["term"]) for row in read_table("ansm_enzymes.csv")]

    def outcome(self, main: str, plus: str, text: str, mechanism: str) -> Outcome:
        """The mechanism and effect of an entry.

        Args:
            main: French heading of one side, as a key (`french`).
            plus: French heading of the other.
            text: the entry's mechanism in French, as a key.
            mechanism: what the keyword table found.

        Returns:
            An empty effect where the text does not say which side is affected: the mechanism's own effect holds.
        """
        for side_a, side_b, phrase, row in self._named:
            if phrase not in text:
                continue
            if fits(side_a, main) and fits(side_b, plus):
                return Outcome(row["mechanism"], row["effect"].replace("{a}", "{main}").replace("{b}", "{plus}"))
            if fits(side_a, plus) and fits(side_b, main):
                return Outcome(row["mechanism"], row["effect"].replace("{a}", "{plus}").replace("{b}", "{main}"))
        if mechanism not in UNDIRECTED:
            return Outcome(mechanism, "")
        for pattern, direction in self._directions:
            found = pattern.search(text)
            side = affected(found["x"], main, plus) if found else None
            if side:
                return Outcome(
                    self._mechanism(f"{main} {plus} {text}", direction, mechanism),
                    EFFECTS[direction].replace("{x}", side),
                )
        return Outcome(mechanism, "")

    def _mechanism(self, text: str, direction: str, held: str) -> str:
        if direction == "absorbed":
            return "reduced_absorption"
        if direction == "falls":
            return "reduced_absorption" if "absorption" in text or "resorption" in text else "cyp_induction"
        if direction == "weakens":
            return held if held in ("cyp_induction", "reduced_absorption") else "reduced_effect"
        if direction == "toxic" and held != "cyp3a4_inhibition":
            return held if held != "other" else "additive_toxicity"
        if held == "digoxin_toxicity":
            return held
        return next((term for keyword, term in self._enzymes if keyword in text), "reduced_metabolism")


def french_side(cell: str, french: Callable[[str], str]) -> str:
    """A side's heading as a key; a trailing `*` stands for any ending."""
    return french(cell.rstrip("*")) + ("*" if cell.endswith("*") else "")


def fits(side: str, heading: str) -> bool:
    """True when the heading is the side's, or starts with it before a `*`."""
    return heading.startswith(side[:-1]) if side.endswith("*") else heading == side


def affected(words: str, main: str, plus: str) -> str | None:
    """The placeholder of the side that the words after "concentrations de" name; None for neither or both."""
    named = CAUSE.split(words)[0]
    stems = {word[:STEM] for word in named.split() if len(word) >= SHORT}
    score = {side: sum(stem in heading for stem in stems) for side, heading in (("{main}", main), ("{plus}", plus))}
    if score["{main}"] != score["{plus}"]:
        return max(score, key=score.__getitem__)
    if bool(DOER.match(main)) != bool(DOER.match(plus)):
        return "{plus}" if DOER.match(main) else "{main}"
    return None
