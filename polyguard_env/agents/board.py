"""What the agents of one decision share: the observation, what each found, and the choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from polyguard_env.environment.messages import Candidate, PolyGuardAction, PolyGuardObservation
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.model import Patient
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.review import graded_findings

# What an ablation may take away, and the agent that then stays silent.
ABLATIONS: Mapping[str, str] = {
    "graph": "GraphSafety",
    "evidence": "Evidence",
    "dosing": "Dosing",
    "supervisor": "Supervisor",
    "critic": "Critic",
}
UNSEEN_CATEGORIES: Mapping[str, str] = {"graph": "interaction", "dosing": "organ_dosing"}


@dataclass(frozen=True, slots=True)
class Note:
    """What one agent adds.

    Attributes:
        agent: its name.
        says: one sentence for a person.
        details: the same for a machine; JSON values only.
        evidence_ids: fact, rule and passage ids it rests on.
    """

    agent: str
    says: str
    details: dict[str, Any] = field(default_factory=dict)
    evidence_ids: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"evidence_ids": list(self.evidence_ids)}


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a candidate would do to the findings.

    Attributes:
        resolved, added: findings that would go and come.
        untreated: conditions that would lose their only drug.
        objections: named reasons against taking it at all.
        value: weight of the findings it takes away, less what it adds; higher is better.
    """

    candidate: Candidate
    resolved: tuple[Finding, ...]
    added: tuple[Finding, ...]
    untreated: tuple[str, ...]
    objections: tuple[str, ...]
    value: float


@dataclass(frozen=True, slots=True)
class Veto:
    """The critic's no to a candidate: named reasons, each with a sentence."""

    candidate_id: str
    text: str
    reasons: tuple[tuple[str, str], ...]


class Chooser(Protocol):
    """Whoever picks among the candidates of an observation: a policy or a model's scores."""

    name: str

    def choose(self, observation: PolyGuardObservation) -> PolyGuardAction:
        """An action naming one of the observation's candidates."""


class Search(Protocol):
    """Finds passages; `EvidenceIndex` is one."""

    def search(self, question: str, most: int = 5) -> Sequence[Any]:
        """The best passages, best first."""


@dataclass(slots=True)
class Board:
    """One decision in the making.

    Attributes:
        observation: what the environment shows; nothing hidden is read.
        knowledge: tables the agents look things up in.
        chooser: picks for the planner.
        search: finds passages; None without an evidence index.
        without: parts taken away (see `ABLATIONS`).
        patient: the person as observed, set by MedRec.
        findings: of the observed regimen, worst first.
        forecasts: candidate id to forecast.
        route: "regimen", "dose" or "review", set by the supervisor.
        allowed: candidates the planner may take.
        action: the planner's choice.
        vetoes: the critic's, in order.
        notes: the trace.
    """

    observation: PolyGuardObservation
    knowledge: KnowledgeBase
    chooser: Chooser
    search: Search | None = None
    without: frozenset[str] = frozenset()
    patient: Patient | None = None
    findings: tuple[Finding, ...] = ()
    forecasts: dict[str, Forecast] = field(default_factory=dict)
    route: str = ""
    allowed: list[Candidate] = field(default_factory=list)
    action: PolyGuardAction | None = None
    vetoes: list[Veto] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def __post_init__(self) -> None:
        unknown = sorted(self.without - set(ABLATIONS))
        if unknown:
            raise PolyGuardError("without", unknown[0], f"use {', '.join(ABLATIONS)}")
        if not self.observation.candidates:
            raise PolyGuardError("observation", self.observation.episode_id, "it offers no action: its episode is over")
        self.allowed = list(self.observation.candidates)

    def person(self) -> Patient:
        """The patient, once MedRec has reconciled the regimen."""
        if self.patient is None:
            raise PolyGuardError("board", "no patient", "run MedRec before this agent")
        return self.patient

    def review(self, patient: Patient) -> tuple[Finding, ...]:
        """Findings of a patient, without the categories an ablation hides and what is about a drug held for now."""
        hidden = {UNSEEN_CATEGORIES[part] for part in self.without if part in UNSEEN_CATEGORIES}
        found = graded_findings(patient, self.knowledge)
        held = {entry["drug_id"] for entry in self.observation.regimen if entry["held"]}
        return tuple(f for f in found if f.category not in hidden and not held & set(f.drugs))

    def chosen(self) -> Candidate:
        """The candidate the planner took."""
        wanted = self.action.candidate_id if self.action else ""
        found = next((c for c in self.observation.candidates if c.candidate_id == wanted), None)
        if found is None:
            raise PolyGuardError("candidate_id", wanted, "choose a candidate of this observation")
        return found
