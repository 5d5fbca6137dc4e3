"""The compact text of an observation: under 200 tokens, deterministic, made of remembered pieces.

Where a regimen is long, drugs whose class and roles meet none of a drug that an option acts on are named without roles,
or only counted, and the roles of the rest are cut from the least safety-relevant. What an option acts on keeps its
roles longest, so that no role that an answer needs is lost. Options are never cut. `wording.full_text` leaves nothing
out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from polyguard_env.environment.codes import codes_of, partners, stem
from polyguard_env.environment.episode import Scenario
from polyguard_env.environment.messages import Offered
from polyguard_env.environment.observed import Shown
from polyguard_env.environment.person_line import person_key, person_line
from polyguard_env.environment.pieces import BITS, COUNT, KEPT, ONE, Piece, joined, measured, size
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
# Roles shown whatever the level: how a drug may be taken away.
KEPT_CODES = ("taper", "pause", "sickday", "NTI")
EVIDENCE_SHOWN = 2
# Most tokens by the estimate, at every level but the last; and fewer than these by count, always.
TOKEN_LIMIT, MOST_TOKENS = 188, 200
# Below the last level: roles of a drug that options act on, and passages.
LEAST_LEVELS = ((1, 1), (1, 0), (0, 0))
FEWEST_WORDS = DETAIL_LEVELS[-1][3]
LAST_LEVEL = len(DETAIL_LEVELS) - 1
# Of one state of knowledge: lines above the options.
MOST_LINES = 32

DrugKey = tuple[str, str, float, str, str | None, bool, str, bool, bool, bool]


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
    return Rendering(patient, regimen, state, scenario, index).text(candidates, evidence, len(evidence))


class Rendering:
    """The compact texts of one state of knowledge: what is made of the person and the drugs is made once.

    Args:
        patient, regimen: as `known_patient` and `known_regimen` give them.
    """

    __slots__ = ("_index", "_lines", "_person", "_pool", "_rows")

    def __init__(
        self,
        patient: Mapping[str, Any],
        regimen: Sequence[Mapping[str, Any]],
        state: Shown,
        scenario: Scenario,
        index: RuleIndex,
    ) -> None:
        self._index = index
        self._pool = scenario.sub_environment == "BANDIT_MINING"
        style = "pool" if self._pool else "range" if scenario.sub_environment == "PRECISION_DOSING" else ""
        self._person = person_line(person_key(patient, state, scenario), index)
        self._rows: list[tuple[DrugKey, _Told]] = []
        for entry in regimen:
            key = (
                entry["drug_id"], entry["name"], entry["dose"], entry["unit"], entry["indication"], entry["tapering"],
                entry["product"], entry["known"], entry["held"], entry["course"],
            )  # fmt: skip
            self._rows.append((key, _told(key, style, index)))
        self._lines: dict[tuple[frozenset[str], int, tuple[tuple[str, str], ...], int], str] = {}

    def text(self, candidates: Sequence[Offered], evidence: Sequence[Mapping[str, Any]], count: int) -> str:
        """The rendering with these options and this evidence.

        Args:
            evidence: the newest passages and results; more than `EVIDENCE_SHOWN` are not needed.
            count: how many there are in all.
        """
        if self._pool:
            acted = {drug_id for candidate in candidates for drug_id in candidate.targets}
        else:
            acted = {candidate.targets[0] for candidate in candidates if candidate.targets}
        texts = [candidate.text for candidate in candidates]
        # The word before the options is two tokens by the estimate and one by count; "none" stands for no options.
        fixed = sum([size(f" {text}") for text in texts]) + (len(texts) + 3 << BITS) + (len(texts) + 2 if texts else 4)
        shown = [(str(item.get("year", "")), str(item["text"])) for item in evidence[-EVIDENCE_SHOWN:]]
        key = frozenset(acted), fixed, tuple(shown), count
        lines = self._lines.get(key)
        if lines is None:
            if len(self._lines) >= MOST_LINES:
                self._lines.clear()
            lines = self._lines[key] = "\n".join(self._fitting(acted, fixed, shown, count))
        return f"{lines}\nOptions: {'; '.join(texts) if texts else 'none'}"

    def _fitting(self, acted: set[str], fixed: int, shown: Sequence[tuple[str, str]], count: int) -> list[str]:
        """The lines above the options, at the first level of detail that keeps both limits.

        Args:
            fixed: size of the options' line.
            shown: year and text of the passages to show, of `count` in all.
        """
        rows = [(told, key[0] in acted or key[6] in acted) for key, told in self._rows]
        meeting = 0
        for told, own in rows:
            meeting |= told.partners if own else 0
        near = [(told, own) for told, own in rows if own or told.stems & meeting or not told.known]
        far = tuple([told.name for told, own in rows if not (own or told.stems & meeting or not told.known)])
        long = len(rows) >= LONG_REGIMEN
        for level, (conditions, _, of_others, words) in enumerate(DETAIL_LEVELS):
            hide = long or level >= BARE_LEVEL
            pieces = [self._person.naming(conditions)]
            if level < BRIEF_LEVEL:
                pieces += [
                    (told.acted.get(level) or told.of_acted(level)) if own else told.of_others(level)
                    for told, own in (near if hide else rows)
                ]
            else:
                pieces += [
                    told.of_acted(level) if own else told.briefly(told.stems & meeting, of_others) for told, own in near
                ]
            also, named = len(pieces), len(far) if hide and level < COUNT_LEVEL else 0
            if far and hide:
                pieces.append(_also(far, named))
            pieces += [_passage(year, passage, words) for year, passage in shown]
            total = sum([tokens for _, tokens in pieces]) + (len(pieces) - 1) * ONE + fixed
            if total >> BITS > TOKEN_LIMIT and level < LAST_LEVEL:
                continue
            if total & COUNT < MOST_TOKENS or short_enough(pieces, fixed):
                return [text for text, _ in pieces]
            for fewer in range(named - 1, 0, -1):
                pieces[also] = _also(far, fewer)
                if short_enough(pieces, fixed):
                    return [text for text, _ in pieces]
            if self._pool:
                break
        for pieces in self._shorter([told for told, own in rows if own], shown, count):
            if short_enough(pieces, fixed):
                break
        return [text for text, _ in pieces]

    def _shorter(self, acted: Sequence[_Told], shown: Sequence[tuple[str, str]], count: int) -> Iterator[list[Piece]]:
        """Lines below the last level of detail, ever shorter: what is left out is counted.

        Args:
            acted: the drugs that options act on.
        """
        if self._pool:
            drugs = [(key[0], key[1], key[7]) for key, _ in self._rows]
            yield from pool_forms(self._person, drugs, [text for _, text in shown], count, self._index)
            return
        left = len(self._rows) - len(acted)
        others = [measured(f"Also: +{left} more")] if left else []
        for roles, passages in LEAST_LEVELS:
            kept = shown[-passages:] if passages else ()
            pieces = [self._person.naming(0), *[told.shortest(roles) for told in acted], *others]
            pieces += [_passage(year, text, FEWEST_WORDS) for year, text in kept]
            yield [*pieces, measured(f"Evidence: +{count - len(kept)} more")] if count > len(kept) else pieces


def short_enough(pieces: Sequence[Piece], fixed: int) -> bool:
    """True when lines and options have fewer than `MOST_TOKENS` by count.

    Args:
        fixed: size of the options' line.
    """
    # Whole lines: signs that stand in two pieces of one may be one token of it.
    return sum([size(text) & COUNT for text, _ in pieces]) + len(pieces) - 1 + (fixed & COUNT) < MOST_TOKENS


@lru_cache(maxsize=KEPT)
def _also(names: tuple[str, ...], most: int) -> Piece:
    """The line of drugs without roles: so many by name at most, the others counted."""
    told = [*names[:most], *([f"+{len(names) - most} more"] if most < len(names) else [])]
    return "Also: " + ", ".join(told), sum([size(f" {name}") for name in told]) + (len(told) + 1) * ONE


class _Told:
    """A drug's lines by level of detail, made as they are asked for."""

    __slots__ = ("_briefly", "_index", "_key", "_others", "_style", "acted", "known", "name", "partners", "stems")

    def __init__(self, key: DrugKey, style: str, index: RuleIndex) -> None:
        self._key, self._style, self._index = key, style, index
        self.stems, self.partners = _stems(key[0], index) if key[7] else (0, 0)
        self.acted: dict[int, Piece] = {}
        self._others: dict[int, Piece] = {}
        self._briefly: dict[tuple[int, int], Piece] = {}
        self.name, self.known = key[1], key[7]

    def of_acted(self, level: int) -> Piece:
        """The line of a drug that options act on."""
        found = self.acted.get(level)
        if found is None:
            found = _drug(self._key, DETAIL_LEVELS[level][1], self._style, self._index, level >= SHORT_LEVEL)
            self.acted[level] = found
        return found

    def shortest(self, roles: int) -> Piece:
        """The line without a purpose and without the name of the product, for the longest texts."""
        return _drug(self._key, roles, self._style, self._index, True, True)

    def of_others(self, level: int) -> Piece:
        """The line of another drug, below the level from which only some roles are shown."""
        found = self._others.get(level)
        if found is None:
            found = self._others[level] = _drug(self._key, DETAIL_LEVELS[level][2], self._style, self._index)
        return found

    def briefly(self, meeting: int, most: int) -> Piece:
        """The line of another drug, with the roles that meet those of drugs acted on alone."""
        found = self._briefly.get((meeting, most))
        if found is None:
            found = self._briefly[meeting, most] = _brief(self._key, meeting, most, self._index)
        return found


@lru_cache(maxsize=KEPT)
def _told(key: DrugKey, style: str, index: RuleIndex) -> _Told:
    return _Told(key, style, index)


@lru_cache(maxsize=KEPT)
def _passage(year: str, text: str, words: int) -> Piece:
    parts = text.split()
    short = " ".join(parts[:words]) + ("…" if len(parts) > words else "")
    return measured(f"Evidence {year}: {short}" if year else short)


_BITS: dict[str, int] = {}


@lru_cache(maxsize=KEPT)
def _stems(drug_id: str, index: RuleIndex) -> tuple[int, int]:
    """A drug's roles and class, and the roles and class that would make something of them, as bit sets."""
    if drug_id not in index.knowledge.drugs:
        return 0, 0
    codes, classes = codes_of(drug_id, index), [f"class {name}" for name in index.drug(drug_id).classes[:1]]
    own = [stem(code) for code in codes]
    return _bits([*own, *classes]), _bits([*(other for code in codes for other in partners(code)), *classes])


def _bits(stems: Iterable[str]) -> int:
    found = 0
    for name in stems:
        found |= 1 << _BITS.setdefault(name, len(_BITS))
    return found


def _brief(key: DrugKey, meeting: int, most: int, index: RuleIndex) -> Piece:
    """A drug that no option acts on: its name and the roles that meet those of drugs acted on."""
    if not key[7]:
        return _drug(key, most, "", index)
    codes = [code for code in codes_of(key[0], index) if _bits([stem(code)]) & meeting][:most]
    return measured(f"{key[1]}: {' '.join(codes)}" if codes else key[1])


@lru_cache(maxsize=KEPT)
def _drug(key: DrugKey, most: int, style: str, index: RuleIndex, short: bool = False, nameless: bool = False) -> Piece:
    """A drug's line.

    Args:
        style: "range" adds the usual doses, "pool" leaves dose and purpose out.
        short: leave the purpose out.
        nameless: leave the name of the product that it belongs to out.
    """
    drug_id, name, dose, unit, indication, tapering, product, known, held, course = key
    if unit == "product":
        return measured(f"{name}: new product, ingredients unknown")
    # Pieces whose tokens add up: each but the first begins with a space or a sign.
    pieces = [name]
    if style != "pool":
        pieces.append(f" {dose:g}{unit}")
        if not short:
            pieces.append(
                " (?)" if indication is None else f" ({index.short(indication)})" if indication else " (none)"
            )
    if product:
        pieces.append(" in product" if nameless else f" in {product}")
    if course and style != "pool":
        pieces.append(" course")
    if tapering:
        pieces.append(" tapering")
    if held:
        pieces.append(" held")
    if known:
        pieces.append(_roles(drug_id, most, style, index))
    else:
        pieces.append(": facts unknown")
    return joined(pieces)


@lru_cache(maxsize=KEPT)
def _roles(drug_id: str, most: int, style: str, index: RuleIndex) -> str:
    """The end of a drug's line: usual doses in the style "range", and so many roles at most."""
    profile = index.profile(drug_id)
    line = f" range {profile.dose_min:g}-{profile.dose_max:g}" if style == "range" and profile else ""
    codes = codes_of(drug_id, index)
    shown = [code for code in codes if code not in KEPT_CODES][:most]
    if style != "pool":
        shown += [code for code in codes if code in KEPT_CODES and (code != "NTI" or style == "range")]
    return f"{line}: {' '.join(shown)}" if shown else line
