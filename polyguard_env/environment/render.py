"""The compact text of an observation: under 200 tokens, deterministic, made of remembered pieces.

Where a regimen is long, drugs whose class and roles meet none of a drug that an option acts on are named without roles,
or only counted, and the roles of the rest are cut from the least safety-relevant. What an option acts on keeps its
roles longest, so that no role that an answer needs is lost. Options are never cut. `wording.full_text` leaves nothing
out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from polyguard_env.environment.drug_lines import DrugLine, drug_lines
from polyguard_env.environment.episode import Scenario
from polyguard_env.environment.messages import Offered
from polyguard_env.environment.observed import Shown
from polyguard_env.environment.person_line import PersonLine
from polyguard_env.environment.pieces import BITS, COUNT, KEPT, ONE, Piece, Remembered, measured, size
from polyguard_env.environment.pool_text import pool_forms
from polyguard_env.risk.index import RuleIndex

SYSTEM_PROMPT = "Pick the safest next action for this older patient. Answer with one option, copied."
# By level of detail: conditions named; roles of drugs that options act on, and of others; words of a passage.
DETAIL_LEVELS = (
    (4, 6, 6, 22), (4, 5, 5, 14), (3, 5, 4, 10), (3, 4, 3, 8), (2, 4, 2, 6), (2, 3, 2, 6), (1, 3, 1, 5), (1, 2, 1, 4),
    (1, 2, 1, 4), (1, 2, 1, 4), (1, 1, 1, 3),
)  # fmt: skip
# From this many drugs, or this level on, drugs that nothing in the options has to do with are named without roles;
# from BRIEF_LEVEL on, the other drugs that no option acts on are shown by the roles that matter to those acted on;
# from COUNT_LEVEL on the drugs without roles are only counted, from SHORT_LEVEL on purposes are left out.
LONG_REGIMEN, BARE_LEVEL, BRIEF_LEVEL, COUNT_LEVEL, SHORT_LEVEL = 7, 2, 3, 8, 9
EVIDENCE_SHOWN = 2
# Most tokens by the estimate, at every level but the last; and fewer than these by count, always.
TOKEN_LIMIT, MOST_TOKENS = 188, 200
# Below the last level: roles of a drug that options act on, and passages.
LEAST_LEVELS = ((1, 1), (1, 0), (0, 0))
FEWEST_WORDS = DETAIL_LEVELS[-1][3]
LAST_LEVEL = len(DETAIL_LEVELS) - 1
# Of one state of knowledge: lines above the options.
MOST_LINES = 32


def compact_text(
    patient: Mapping[str, Any],
    regimen: Sequence[Mapping[str, Any]],
    candidates: Sequence[Offered],
    state: Shown,
    scenario: Scenario,
    index: RuleIndex,
    evidence: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The compact rendering: person, drugs with role codes, what was looked up, options.

    Args:
        patient, regimen: as `known_patient` and `known_regimen` give them.
        evidence: passages fetched so far and results of tests, oldest first, each with text and, for a passage, a year.
    """
    person = PersonLine(patient, state, scenario, index)
    return Rendering(person, regimen, scenario, index).text(candidates, evidence, len(evidence))


class Rendering:
    """The compact texts of one state of knowledge: what is made of the person and the drugs is made once.

    Args:
        regimen: as `known_regimen` gives it.
    """

    __slots__ = ("_index", "_lines", "_person", "_pool", "_rows")

    def __init__(
        self, person: PersonLine, regimen: Sequence[Mapping[str, Any]], scenario: Scenario, index: RuleIndex
    ) -> None:
        self._index, self._person = index, person
        self._pool = scenario.sub_environment == "BANDIT_MINING"
        style = "pool" if self._pool else "range" if scenario.sub_environment == "PRECISION_DOSING" else ""
        self._rows = [*map(drug_lines(style, index).line, regimen)]
        self._lines: dict[tuple[frozenset[str], int, tuple[tuple[str, str], ...], int], str] = {}

    def text(self, candidates: Sequence[Offered], evidence: Sequence[Mapping[str, Any]], count: int) -> str:
        """The rendering with these options and this evidence.

        Args:
            evidence: the newest passages and results; more than `EVIDENCE_SHOWN` are not needed.
            count: how many there are in all.
        """
        if self._pool:
            acted = frozenset([drug_id for candidate in candidates for drug_id in candidate.targets])
        else:
            acted = frozenset([candidate.targets[0] for candidate in candidates if candidate.targets])
        texts = [candidate.text for candidate in candidates]
        # The word before the options is two tokens by the estimate and one by count; "none" stands for no options.
        fixed = sum(map(_option, texts)) + (len(texts) + 3 << BITS) + (len(texts) + 2 if texts else 4)
        shown = [(str(item.get("year") or ""), str(item["text"])) for item in evidence[-EVIDENCE_SHOWN:]]
        key = acted, fixed, tuple(shown), count
        lines = self._lines.get(key)
        if lines is None:
            if len(self._lines) >= MOST_LINES:
                self._lines.clear()
            lines = self._lines[key] = "\n".join(self._fitting(acted, fixed, shown, count))
        return f"{lines}\nOptions: {'; '.join(texts) if texts else 'none'}"

    def _fitting(self, acted: frozenset[str], fixed: int, shown: Sequence[tuple[str, str]], count: int) -> list[str]:
        """The lines above the options, at the first level of detail that keeps both limits.

        Args:
            fixed: size of the options' line.
            shown: year and text of the passages to show, of `count` in all.
        """
        rows = [(row, row.drug_id in acted or row.product in acted) for row in self._rows]
        meeting = 0
        for row, own in rows:
            if own:
                meeting |= row.partners
        near = [(row, own) for row, own in rows if own or row.stems & meeting or not row.known]
        far = tuple([row.named for row, own in rows if not (own or row.stems & meeting or not row.known)])
        long = len(rows) >= LONG_REGIMEN
        for level, (conditions, of_acted, of_others, words) in enumerate(DETAIL_LEVELS):
            hide = long or level >= BARE_LEVEL
            if level < BRIEF_LEVEL:
                lines = [row.whole(of_acted if own else of_others) for row, own in (near if hide else rows)]
            else:
                short = level >= SHORT_LEVEL
                lines = [
                    (row.short(of_acted) if short else row.whole(of_acted)) if own else row.brief(meeting, of_others)
                    for row, own in near
                ]
            after = [_passage(year, passage, words) for year, passage in shown]
            named = len(far) if hide and level < COUNT_LEVEL else 0
            if far and hide:
                after.insert(0, _also(far, named))
            person = self._person.naming(conditions)
            total = (
                person[1] + sum([one + other for (_, one), (_, other) in lines]) + sum([tokens for _, tokens in after])
            )
            total += (len(lines) + len(after)) * ONE + fixed
            if total >> BITS > TOKEN_LIMIT and level < LAST_LEVEL:
                continue
            texts = [person[0], *[one + other for (one, _), (other, _) in lines]]
            if total & COUNT < MOST_TOKENS or short_enough([*texts, *[text for text, _ in after]], fixed):
                return [*texts, *[text for text, _ in after]]
            for fewer in range(named - 1, 0, -1):
                found = [*texts, _also(far, fewer)[0], *[text for text, _ in after[1:]]]
                if short_enough(found, fixed):
                    return found
            if self._pool:
                break
        for found in self._shorter([row for row, own in rows if own], shown, count):
            if short_enough(found, fixed):
                break
        return found

    def _shorter(self, acted: Sequence[DrugLine], shown: Sequence[tuple[str, str]], count: int) -> Iterator[list[str]]:
        """Lines below the last level of detail, ever shorter: what is left out is counted.

        Args:
            acted: the drugs that options act on.
        """
        if self._pool:
            drugs = [(row.drug_id, row.name, row.known) for row in self._rows]
            yield from pool_forms(self._person, drugs, [text for _, text in shown], count, self._index)
            return
        left = len(self._rows) - len(acted)
        others = [f"Also: +{left} more"] if left else []
        for roles, passages in LEAST_LEVELS:
            kept = shown[-passages:] if passages else ()
            found = [self._person.naming(0)[0], *[row.shortest(roles) for row in acted], *others]
            found += [_passage(year, text, FEWEST_WORDS)[0] for year, text in kept]
            yield [*found, f"Evidence: +{count - len(kept)} more"] if count > len(kept) else found


def short_enough(lines: Sequence[str], fixed: int) -> bool:
    """True when lines and options have fewer than `MOST_TOKENS` by count.

    Args:
        fixed: size of the options' line.
    """
    # Whole lines: signs that stand in two pieces of one may be one token of it.
    return sum([size(line) & COUNT for line in lines]) + len(lines) - 1 + (fixed & COUNT) < MOST_TOKENS


# The size of an option, after a space.
_option = Remembered[str, int](lambda text: size(f" {text}")).__getitem__


@lru_cache(maxsize=KEPT)
def _also(names: tuple[str, ...], most: int) -> Piece:
    """The line of drugs without roles: so many by name at most, the others counted."""
    told = [*names[:most], *([f"+{len(names) - most} more"] if most < len(names) else [])]
    return "Also: " + ", ".join(told), sum([size(f" {name}") for name in told]) + (len(told) + 1) * ONE


@lru_cache(maxsize=KEPT)
def _passage(year: str, text: str, words: int) -> Piece:
    parts = text.split()
    short = " ".join(parts[:words]) + ("…" if len(parts) > words else "")
    return measured(f"Evidence {year}: {short}" if year else short)
