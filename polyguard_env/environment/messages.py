"""What travels between an agent and the environment: action, observation, state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

DISCLAIMER = "Research environment, not a medical device; not for patient care."


class ActionType(StrEnum):
    """The fifteen kinds of action. Which of them a state offers, the environment decides."""

    KEEP_REGIMEN = "KEEP_REGIMEN"
    STOP_DRUG = "STOP_DRUG"
    TAPER_DRUG = "TAPER_DRUG"
    REDUCE_DOSE = "REDUCE_DOSE"
    INCREASE_DOSE = "INCREASE_DOSE"
    HOLD_DOSE = "HOLD_DOSE"
    SUBSTITUTE_DRUG = "SUBSTITUTE_DRUG"
    ADD_DRUG = "ADD_DRUG"
    RECOMMEND_ALTERNATIVE = "RECOMMEND_ALTERNATIVE"
    ORDER_MONITORING = "ORDER_MONITORING"
    FETCH_EXTERNAL_EVIDENCE = "FETCH_EXTERNAL_EVIDENCE"
    DECOMPOSE_NEW_DRUG = "DECOMPOSE_NEW_DRUG"
    TEST_COMBINATION = "TEST_COMBINATION"
    REQUEST_SPECIALIST_REVIEW = "REQUEST_SPECIALIST_REVIEW"
    FINISH = "FINISH"


class Message(BaseModel):
    """Base of all messages: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


M = TypeVar("M", bound=Message)
_FIELDS: dict[type[Message], set[str]] = {}
# Where a message keeps its values, past any property of that name.
_VALUES: Any = BaseModel.__dict__["__dict__"]
# Past what pydantic does where an attribute is set.
_NEW: Any = object.__new__
_SET_VALUES: Any = _VALUES.__set__
_SET_FIELDS, _SET_EXTRA, _SET_PRIVATE = (
    BaseModel.__dict__[name].__set__
    for name in ("__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
)
# Fields of an observation that take most of its time to write.
WRITTEN_LATER = ("patient", "regimen", "candidates", "text")
# Under which name an observation keeps the number of what writes them. That itself, which knows more than it shows, is
# kept here and not with the observation, from which no attribute leads to it.
_REST = "\0rest"
_TO_WRITE: dict[int, Callable[[], dict[str, Any]]] = {}
_NUMBERS = count()


def trusted(kind: type[M], values: dict[str, Any]) -> M:
    """A message of values that need no check, every field among them: an order of magnitude faster than validation."""
    return all_trusted(kind, [values])[0]


def all_trusted(kind: type[M], rows: list[dict[str, Any]]) -> list[M]:
    """Messages of values that need no check, every field among those of each."""
    fields = _FIELDS.get(kind)
    if fields is None:
        fields = _FIELDS[kind] = set(kind.model_fields)
    made = []
    for values in rows:
        message = _NEW(kind)
        _SET_VALUES(message, values)
        _SET_FIELDS(message, fields)
        _SET_EXTRA(message, None)
        _SET_PRIVATE(message, None)
        made.append(message)
    return made


class Offered(Protocol):
    """A candidate less its id."""

    @property
    def action_type(self) -> ActionType: ...
    @property
    def targets(self) -> Sequence[str]: ...
    @property
    def text(self) -> str: ...


class Candidate(Message):
    """One action the agent may choose.

    Attributes:
        candidate_id: random per step; carries no meaning.
        action_type: the kind of action.
        targets: drug ids or measurement ids acted on; for a substitution the old drug, then the new.
        text: the action in words, unique among the step's candidates.
    """

    candidate_id: str
    action_type: ActionType
    targets: list[str] = Field(default_factory=list)
    text: str


class PolyGuardAction(Message):
    """The agent's answer. It must name a candidate, by id or by its text.

    Attributes:
        candidate_id: id of a candidate of the current step.
        action_type: optional; must agree with the candidate when given.
        targets: optional; must agree with the candidate when given.
        text: a candidate's action text, read only when `candidate_id` is empty.
        evidence_ids: fact ids from the observation that support the action (at most 8).
        confidence: probability, 0-1, that this is the best candidate.
        rationale: free words, kept in the trace; never applied to the state, never scored.
    """

    candidate_id: str = Field(default="", max_length=64)
    action_type: ActionType | None = None
    targets: list[str] = Field(default_factory=list, max_length=8)
    text: str = Field(default="", max_length=512)
    evidence_ids: list[str] = Field(default_factory=list, max_length=8)
    # A number, as the schema says: neither true nor "0.5" is one.
    confidence: float | None = Field(default=None, ge=0.0, le=1.0, strict=True)
    rationale: str = Field(default="", max_length=4000)


class PolyGuardObservation(Message):
    """What the agent sees, with the verdict on the action just taken.

    The environment's own writes `WRITTEN_LATER` when one of them is first read, from what it kept of that moment; what
    the episode does in between changes nothing of it. Copied, compared or written out, it is whole.

    Attributes:
        patient: age, sex, weight, crcl, conditions, allergies, known measurements.
        regimen: one entry per drug: id, name, dose, unit, indication when known, roles with fact ids.
        candidates: the actions on offer, in random order.
        evidence: passages fetched so far, each with an id.
        text: the compact rendering, under 200 tokens.
        reward: last step's reward, in [0.001, 0.999]; None at reset.
        columns: the thirteen reward columns of the last step, each 0-1.
        channels: the four channel means of the last step.
        info: named reasons, harm events and counters; never the answer.
    """

    episode_id: str
    scenario_id: str
    sub_environment: str
    difficulty: str
    day: int = 0
    steps_left: int = 0
    patient: dict[str, Any] = Field(default_factory=dict)
    regimen: list[dict[str, Any]] = Field(default_factory=list)
    candidates: list[Candidate] = Field(default_factory=list)
    evidence: list[dict[str, Any]] = Field(default_factory=list)
    text: str = ""
    done: bool = False
    reward: float | None = None
    columns: dict[str, float] = Field(default_factory=dict)
    channels: dict[str, float] = Field(default_factory=dict)
    info: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def written_later(cls, values: dict[str, Any], rest: Callable[[], dict[str, Any]]) -> PolyGuardObservation:
        """An observation of values that need no check.

        Args:
            values: every field but those of `WRITTEN_LATER`.
            rest: gives these; called once at most, when one of them is first read.
        """
        number = values[_REST] = next(_NUMBERS)
        _TO_WRITE[number] = rest
        return trusted(cls, values)

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        """All values, in the order of the fields; those that are missing are written first."""
        values: dict[str, Any] = _VALUES.__get__(self)
        number = values.get(_REST)
        if number is not None:
            # Two threads may write it at once; they write the same.
            rest = _TO_WRITE.get(number)
            if rest is not None:
                values = values | rest()
                values = {name: values[name] for name in _ORDER}
                _VALUES.__set__(self, values)
                _TO_WRITE.pop(number, None)
            else:
                values = _VALUES.__get__(self)
        return values

    @__dict__.setter
    def __dict__(self, values: dict[str, Any]) -> None:
        _VALUES.__set__(self, values)

    def __del__(self) -> None:
        """What nobody has read need not be written."""
        number = _VALUES.__get__(self).get(_REST)
        if number is not None:
            _TO_WRITE.pop(number, None)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in WRITTEN_LATER and name in (values := self.__dict__):
                return values[name]
            return super().__getattr__(name)


_ORDER = tuple(PolyGuardObservation.model_fields)


class PolyGuardState(Message):
    """The public episode state."""

    episode_id: str = ""
    scenario_id: str = ""
    sub_environment: str = ""
    difficulty: str = ""
    seed: int = 0
    step_count: int = 0
    day: int = 0
    done: bool = False
    regimen: dict[str, float] = Field(default_factory=dict)
    harm_events: int = 0
    total_reward: float = 0.0
    knowledge_fingerprint: str = ""
    disclaimer: str = DISCLAIMER
