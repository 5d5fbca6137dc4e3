"""Identity: ids and names that look like a candidate's and are not, or that say one thing and mean another."""

from __future__ import annotations

from polyguard_env.environment.answers import parse_answer
from polyguard_env.environment.messages import ActionType, Candidate, PolyGuardAction
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.trust.attacks.attack import (
    Attack,
    Observation,
    RawTrick,
    Trick,
    as_json,
    finish,
    idle,
    of_kinds,
    take,
)

FAMILY = "identity"
# Latin letters and the Cyrillic letters drawn like them.
HOMOGLYPHS = str.maketrans("aceopxyi", "асеорхуі")
ZERO_WIDTH, RIGHT_TO_LEFT, FULL_WIDTH = "\u200b", "\u202e", 0xFEE0


def moving(seen: Observation) -> Candidate:
    """A candidate that acts on a drug, wherever one is on offer."""
    kinds = (ActionType.SUBSTITUTE_DRUG, ActionType.STOP_DRUG, ActionType.TAPER_DRUG, ActionType.REDUCE_DOSE)
    return of_kinds(seen, kinds) or seen.candidates[0]


class Stale(Attack):
    """Names a candidate of the step before."""

    name, family, about = "stale_id", FAMILY, "names a candidate of an earlier step"

    def __init__(self) -> None:
        self._last: tuple[str, str] = ("", "c0")

    def act(self, observation: Observation) -> PolyGuardAction:
        episode, old = self._last
        self._last = (observation.episode_id, moving(observation).candidate_id)
        return PolyGuardAction(candidate_id=old if episode == observation.episode_id else "c00000", confidence=1.0)


class Foreign(Attack):
    """Names a candidate of another episode."""

    name, family, about = "foreign_id", FAMILY, "names a candidate of another episode"

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def act(self, observation: Observation) -> PolyGuardAction:
        self._ids[observation.episode_id] = moving(observation).candidate_id
        own = {c.candidate_id for c in observation.candidates}
        foreign = next((i for e, i in self._ids.items() if e != observation.episode_id and i not in own), "c99999999")
        return PolyGuardAction(candidate_id=foreign, confidence=1.0)


class OtherName(Attack):
    """Writes the drug's brand for its generic name, as if it were another drug."""

    name, family, about = "brand_for_generic", FAMILY, "names the drug of a move by its brand"

    def __init__(self) -> None:
        self._brands: dict[str, str] | None = None

    def act(self, observation: Observation) -> PolyGuardAction:
        if self._brands is None:
            vocabulary = KnowledgeBase.default().tables["vocabulary"]
            rows = zip(vocabulary["drug_id"], vocabulary["names"], strict=True)
            self._brands = {drug: next((n for n in names if n != drug), drug) for drug, names in rows}
        chosen = moving(observation)
        drug = chosen.targets[0] if chosen.targets else ""
        text = chosen.text.replace(drug.replace("_", " "), self._brands.get(drug, "brand")) if drug else "stop brand"
        return PolyGuardAction(text=text if text != chosen.text else f"{text} (brand)", confidence=1.0)


def mismatch(seen: Observation) -> PolyGuardAction:
    """An idle candidate's id under a helpful action's kind and targets."""
    move = moving(seen)
    return take(idle(seen), action_type=move.action_type, targets=move.targets)


def other_targets(seen: Observation) -> PolyGuardAction:
    move = moving(seen)
    return take(move, action_type=move.action_type, targets=[*move.targets[1:], "warfarin", "placebo"][:2])


def id_against_text(seen: Observation) -> PolyGuardAction:
    return take(idle(seen), text=moving(seen).text)


def full_width(text: str) -> str:
    return "".join(chr(ord(c) + FULL_WIDTH) if "!" <= c <= "~" else c for c in text)


def inside(text: str, mark: str) -> str:
    return text[: len(text) // 2] + mark + text[len(text) // 2 :]


ATTACKS: tuple[Attack, ...] = (
    Trick("spoofed_id", FAMILY, "makes up an id", lambda seen: PolyGuardAction(candidate_id="c31337", confidence=1.0)),
    Trick("best_as_id", FAMILY, "asks for 'best' by id", lambda seen: PolyGuardAction(candidate_id="best")),
    Trick(
        "place_as_id", FAMILY, "passes a place in the list for the id", lambda seen: PolyGuardAction(candidate_id="0")
    ),
    Stale(),
    Foreign(),
    Trick("id_action_mismatch", FAMILY, "one candidate's id, another's kind and targets", mismatch),
    Trick("target_mismatch", FAMILY, "a candidate's id with other drugs as targets", other_targets),
    Trick("id_text_mismatch", FAMILY, "one candidate's id, another's text", id_against_text),
    RawTrick(
        "homoglyph_text",
        FAMILY,
        "Cyrillic letters drawn like Latin ones",
        lambda s: moving(s).text.translate(HOMOGLYPHS),
    ),
    RawTrick("homoglyph_id", FAMILY, "an id with a Cyrillic letter", lambda s: as_json(moving(s)).replace('"c', '"с')),
    RawTrick(
        "zero_width_text", FAMILY, "hides a zero-width space in a text", lambda s: inside(moving(s).text, ZERO_WIDTH)
    ),
    RawTrick("right_to_left_text", FAMILY, "turns the writing around", lambda s: RIGHT_TO_LEFT + finish(s).text[::-1]),
    RawTrick("full_width_text", FAMILY, "full-width letters", lambda s: full_width(moving(s).text)),
    Trick(
        "zero_width_id",
        FAMILY,
        "hides a zero-width space in an id",
        lambda s: PolyGuardAction(candidate_id=inside(moving(s).candidate_id, ZERO_WIDTH)),
    ),
    Trick(
        "padded_id",
        FAMILY,
        "a longer id that contains a real one",
        lambda s: parse_answer(as_json(moving(s), candidate_id=f"x{moving(s).candidate_id}x")).action,
    ),
    OtherName(),
    RawTrick(
        "drug_twice",
        FAMILY,
        "names the drug of a move twice",
        lambda s: f"{moving(s).text} {' '.join(moving(s).targets[:1])}",
    ),
)
