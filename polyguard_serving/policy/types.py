"""What the policy and evidence API takes and gives."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue, model_validator

from polyguard_env.agents.board import ABLATIONS
from polyguard_env.agents.modes import MODES
from polyguard_env.environment.messages import DISCLAIMER, Candidate, PolyGuardAction, PolyGuardObservation
from polyguard_env.knowledge.schema import SEVERITIES
from polyguard_serving.options import EPISODE_ID, WHOLE, Options

MOST_DRUGS, LONGEST_NAME, LONGEST_QUESTION = 60, 200, 1000
# Something other than white space.
WORDS = r"[^\s]"
Severity = Literal["minor", "moderate", "major", "contraindicated"]
assert set(SEVERITIES) == {"minor", "moderate", "major", "contraindicated"}
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


class Said(Options):
    """Base of answers that speak of patients."""

    disclaimer: str = DISCLAIMER


def one_of(*names: str) -> ConfigDict:
    """A model's configuration that documents: exactly one of these fields."""
    return ConfigDict(extra="forbid", json_schema_extra={"oneOf": [{"required": [name]} for name in names]})


def exactly_one(values: Any, *names: str) -> Any:
    """The values, when exactly one of the fields is among them.

    Raises:
        ValueError: none or several are.
    """
    if isinstance(values, dict) and sum(name in values for name in names) != 1:
        raise ValueError(f"give exactly one of {' and '.join(names)}")
    return values


class SentObservation(PolyGuardObservation):
    """An observation as the environment gave it; `metadata` is OpenEnv's own and is ignored."""

    metadata: dict[str, Any] = Field(default_factory=dict)
    # Numbers and flags, as the schema says.
    day: int = Field(default=0, strict=True)
    steps_left: int = Field(default=0, strict=True)
    done: bool = Field(default=False, strict=True)
    reward: float | None = Field(default=None, strict=True)


class Decided(Options):
    """The step to decide: an episode held by this server, or an observation as the environment gave it."""

    model_config = one_of("episode_id", "observation")
    episode_id: EPISODE_ID = ""
    observation: SentObservation = Field(default=None)  # type: ignore[assignment]

    @model_validator(mode="before")
    @classmethod
    def _one_of_both(cls, values: Any) -> Any:
        return exactly_one(values, "episode_id", "observation")


class ActRequest(Decided):
    """A step for the model to decide."""


class ScoredCandidate(Options):
    """A candidate with the model's log-likelihood (nats) and calibrated probability."""

    candidate_id: str
    text: str
    log_likelihood: float
    probability: float


class ActAnswer(Said):
    """The model's choice, and which model it was.

    Attributes:
        source: which part of the active model spoke.
        fallback_reason: why it was not the preferred one; null when it was.
    """

    source: Literal["grpo_adapter", "merged"]
    fallback_reason: str | None
    label: str
    model_run: str
    candidate: Candidate
    action: PolyGuardAction
    scores: list[ScoredCandidate]
    seconds: float


class ModelPart(Options):
    """A folder the manifest names."""

    path: str
    files: dict[str, str]


class ModelStatus(Said):
    """The active model and its process.

    Attributes:
        state: absent (no manifest), not_started (loads with the first question), loading, ready or failed.
        source: what answers now; "none" until it is ready.
        reason: why it is absent or failed, with the fix; "" otherwise.
    """

    state: Literal["absent", "not_started", "loading", "ready", "failed"]
    source: Literal["grpo_adapter", "merged", "none"]
    reason: str
    fallback_reason: str | None
    preferred: str | None
    label: str | None
    model_run: str | None
    base: ModelPart | None
    grpo_adapter: ModelPart | None
    merged: ModelPart | None
    knowledge_fingerprint: str | None
    parameters: int | None
    device: str | None
    load_seconds: float | None
    waiting: int
    answered: int


class AgentsRequest(Decided):
    """A step for the agents to decide.

    Attributes:
        planner: who picks: the active model, or the rule-based policy.
        without: parts to leave out.
    """

    mode: Literal["sequential_pipeline", "supervisor_routed", "replan_on_veto", "lightweight_debate"] = (
        "sequential_pipeline"
    )
    planner: Literal["rule_based", "model"] = "rule_based"
    without: list[Literal["graph", "evidence", "dosing", "supervisor", "critic"]] = Field(
        default_factory=list, max_length=len(ABLATIONS)
    )


assert set(MODES) == {"sequential_pipeline", "supervisor_routed", "replan_on_veto", "lightweight_debate"}


class AgentNote(Options):
    """What one agent found."""

    agent: str
    says: str
    details: dict[str, JsonValue]
    evidence_ids: list[str]


class VetoReason(Options):
    """A named reason, and the same as a sentence."""

    reason: str
    text: str


class AgentVeto(Options):
    """A candidate the critic refused."""

    candidate_id: str
    text: str
    reasons: list[VetoReason]


class AgentsAnswer(Said):
    """What the agents decided, and each one's note.

    Attributes:
        source: who picked: grpo_adapter, merged or rule_based.
        fallback_reason: why the model was not the preferred one; null otherwise.
        abstained: every choice was vetoed, and the safest idle candidate was taken.
    """

    mode: str
    source: Literal["grpo_adapter", "merged", "rule_based"]
    fallback_reason: str | None
    candidate: Candidate
    action: PolyGuardAction
    route: str
    vetoes: list[AgentVeto]
    abstained: bool
    explanation: str
    trace: list[AgentNote]
    without: list[str]


class CaseSummary(Options):
    """A scenario as an agent first sees it; what is posed is not told."""

    scenario_id: str
    sub_environment: str
    difficulty: str
    split: str
    steps: int
    age: int
    sex: Literal["F", "M"]
    conditions: list[str]
    drugs: list[str]
    text: str


class CasesAnswer(Said):
    """A page of cases; `total` is how many there are to page through."""

    cases: list[CaseSummary]
    total: int
    offset: int


class EvidenceQuestion(Options):
    """A question in plain words."""

    query: str = Field(min_length=1, max_length=LONGEST_QUESTION, pattern=WORDS)
    most: Annotated[int, Field(ge=1, le=50, strict=True), WHOLE] = 5


class Passage(Options):
    """A found passage."""

    passage_id: str
    kind: str
    source: str
    year: int
    date: str
    drugs: list[str]
    text: str
    score: float


class EvidenceAnswer(Said):
    """The best passages, best first.

    Attributes:
        index: "materialized" (the data lake's) or "packaged" (made from the packaged tables).
    """

    query: str
    passages: list[Passage]
    searched: int
    index: Literal["materialized", "packaged"]
    knowledge_fingerprint: str


class ReviewRequest(Options):
    """A patient (as `python -m polyguard_env review --patient` reads one), or a plain list of drugs."""

    model_config = one_of("patient", "drugs")
    patient: dict[str, JsonValue] = Field(
        default_factory=dict,
        examples=[{"age": 81, "sex": "F", "weight": 62, "height": 158, "regimen": ["warfarin", "ibuprofen"]}],
    )
    drugs: list[Name] = Field(default_factory=list, min_length=1, max_length=MOST_DRUGS)

    @model_validator(mode="before")
    @classmethod
    def _one_of_both(cls, values: Any) -> Any:
        return exactly_one(values, "patient", "drugs")


class ReviewedDrug(Options):
    """A drug of the reviewed regimen; `dose` is the daily total in `unit`, null when unknown.

    Attributes:
        entered: the entry it comes from, as written; "" when the regimen was not a list.
    """

    drug_id: str
    name: str
    dose: float | None
    unit: str
    indication: str
    entered: str = ""


class ReviewFinding(Options):
    """One thing wrong with a regimen; `limit` is the highest acceptable daily dose."""

    finding_id: str
    category: str
    severity: Severity
    drugs: list[str]
    mechanism: str
    management: str
    evidence_ids: list[str]
    measurement: str
    limit: float | None


class ReviewAnswer(Said):
    """Every finding of a regimen, worst first.

    Attributes:
        warnings: what of the patient's data contradicts itself or could not be read, and what was used instead.
        assumed: what a plain list of drugs leaves open and the review took for granted.
    """

    patient_id: str
    regimen: list[ReviewedDrug]
    findings: list[ReviewFinding]
    warnings: list[str] = []
    assumed: dict[str, JsonValue]
    knowledge_fingerprint: str


class InteractionsRequest(Options):
    """Drugs to check against each other, by any name."""

    drugs: list[Name] = Field(min_length=2, max_length=MOST_DRUGS, examples=[["warfarin", "ibuprofen", "Eliquis"]])


class CheckedPair(Options):
    """An interacting pair."""

    drugs: list[str]
    severity: Severity
    mechanism: str
    effect: str
    management: str
    sources: list[str]
    years: list[int]
    disagree: bool


class InteractionsAnswer(Said):
    """Every interacting pair and combination among the drugs, worst first."""

    drugs: list[str]
    interactions: list[CheckedPair]
    combinations: list[ReviewFinding]
    pairs_checked: int
    knowledge_fingerprint: str


class EvaluationAnswer(Said):
    """The newest evaluation as the asset graph reported it; `report` names the file of the data lake it is."""

    report: str
    policies: dict[str, dict[str, JsonValue]]
    differences: dict[str, dict[str, JsonValue]]
    details: dict[str, JsonValue]


class StageHistory(Options):
    """What a training stage logged, a row per step."""

    stage: Literal["sft", "grpo"]
    columns: list[str]
    rows: list[dict[str, float]]


class TrainingAnswer(Said):
    """Training histories of one model run."""

    model_run: str
    model_runs: list[str]
    stages: list[StageHistory]


def json_of(value: Any) -> Any:
    """Tuples as lists: what JSON makes of a dataclass's fields."""
    if isinstance(value, dict):
        return {str(key): json_of(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [json_of(part) for part in value]
    return value
