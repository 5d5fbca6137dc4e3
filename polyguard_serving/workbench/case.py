"""A case at the bench: its episode, the steps taken, the advice asked for. No browser in here."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from polyguard_env.agents.observed import patient_of
from polyguard_env.agents.weighing import WEIGHT
from polyguard_env.environment.env import PolyGuardEnv
from polyguard_env.environment.episode import Scenario
from polyguard_env.environment.messages import DISCLAIMER, Candidate, PolyGuardAction, PolyGuardObservation
from polyguard_env.errors import PolyGuardError
from polyguard_env.patients.condition_names import reviewed_only
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.risk.contradictions import warnings_of
from polyguard_env.risk.entries import merged, repeated
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.review import review_regimen

OWN_CASE = "REGIMEN_RISK"
OWN_BUDGET, OWN_STEP_DAYS = 6, 7
# Findings of these categories are drawn apart; the rest together.
DRAWN = ("interaction", "organ_dosing", "burden", "drug_disease")


@dataclass(frozen=True, slots=True)
class Taken:
    """A step: what was done, by whom, and what came of it.

    Attributes:
        risk: weight of the findings before it, by category.
    """

    number: int
    text: str
    by: str
    reward: float
    legal: bool
    reasons: tuple[str, ...]
    day: int
    columns: dict[str, float]
    channels: dict[str, float]
    risk: dict[str, float]


class OneCase:
    """A factory of one scenario: how a person who was not drawn from it enters the environment."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    def find(self, *_: Any, **__: Any) -> Scenario:
        """The scenario, whatever is asked for."""
        return self.scenario

    def tasks(self) -> list[dict[str, Any]]:
        """None: it is no task."""
        return []


@dataclass
class Case:
    """One case.

    Attributes:
        title: for a person. came_from: "scenario", "form", "drugs", "fhir" or "barcode".
        given: the patient as entered; None for a scenario, whose patient is what the observation shows.
        left_out: drugs of the regimen that an episode cannot hold.
        notes: what the reading of the input had to say.
        decision: the agents' last decision on the current step.
        first_doses: daily doses with which the episode begins, by drug.
    """

    env: PolyGuardEnv
    title: str
    came_from: str
    given: Patient | None = None
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seed: int = 0
    scenario_id: str | None = None
    steps: list[Taken] = field(default_factory=list)
    decision: dict[str, Any] | None = None
    observation: PolyGuardObservation = field(init=False)
    first_doses: dict[str, float] = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Back to the first step."""
        self.observation = self.env.reset(seed=self.seed, scenario_id=self.scenario_id)
        self.steps, self.decision = [], None
        self.first_doses = {entry["drug_id"]: float(entry["dose"]) for entry in self.observation.regimen}

    def again(self) -> Case:
        """The same case from its start, apart from this one."""
        env = PolyGuardEnv(self.env.knowledge)
        env.factory = self.env.factory
        return Case(env, self.title, self.came_from, self.given, self.left_out, self.notes, self.seed, self.scenario_id)

    @property
    def done(self) -> bool:
        return self.observation.done

    def patient(self) -> Patient:
        """The person with the regimen as it is now."""
        seen = patient_of(self.observation)
        if self.given is None:
            return seen
        kept = tuple(item for item in self.given.regimen if item.drug_id in self.left_out)
        taken = tuple(entry for item in seen.regimen for entry in self._entries(item, self.given))
        return self.given.with_regimen((*taken, *kept))

    def _entries(self, item: RegimenItem, given: Patient) -> list[RegimenItem]:
        """What the list held for a drug of the episode, which knows each drug once, at the dose of now."""
        held = [one for one in given.regimen if one.drug_id == item.drug_id]
        if len(held) < 2:
            return [
                replace(
                    item,
                    entered=one.entered,
                    product=one.product,
                    indication=one.indication if one.indication in reviewed_only() else item.indication,
                )
                for one in held
            ] or [item]
        share = (item.dose or 0.0) / self.first_doses[item.drug_id]
        return [replace(one, dose=None if one.dose is None else one.dose * share) for one in held]

    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the regimen as it is now, worst first."""
        return review_regimen(self.patient(), self.env.knowledge).findings

    def candidate(self, candidate_id: str) -> Candidate:
        """A candidate of this step.

        Raises:
            PolyGuardError: none has this id.
        """
        found = next((c for c in self.observation.candidates if c.candidate_id == candidate_id), None)
        if found is None:
            raise PolyGuardError("action", candidate_id or "none", "choose one of the actions on offer")
        return found

    def take(self, action: PolyGuardAction, by: str) -> None:
        """Take an action and note what came of it.

        Raises:
            PolyGuardError: the episode is over, or the action names no candidate.
        """
        if self.done:
            raise PolyGuardError("episode", self.title, "it is over: start the case again")
        chosen = self.candidate(action.candidate_id)
        risk, number = risk_of(self.findings()), len(self.steps) + 1
        seen = self.observation = self.env.step(action)
        self.decision = None
        self.steps.append(
            Taken(
                number=number, text=chosen.text, by=by, reward=float(seen.reward or 0.0),
                legal=bool(seen.info["legal"]),
                reasons=tuple(seen.info["reasons"]), day=seen.day, columns=dict(seen.columns),
                channels=dict(seen.channels), risk=risk,
            )
        )  # fmt: skip

    def risk_over_time(self) -> list[dict[str, float]]:
        """Weight of the findings by category: before each step, and now."""
        return [*(step.risk for step in self.steps), risk_of(self.findings())]

    def exported(self, active_model: dict[str, Any]) -> dict[str, Any]:
        """Everything there is to tell, as JSON values."""
        seen = self.observation
        return {
            "title": self.title,
            "came_from": self.came_from,
            "patient": self.patient().to_dict(),
            "left_out": list(self.left_out),
            "notes": list(self.notes),
            "scenario_id": self.scenario_id,
            "seed": self.seed,
            "findings": [asdict(finding) for finding in self.findings()],
            "candidates": [candidate.model_dump(mode="json") for candidate in seen.candidates],
            "decision": self.decision,
            "steps": [asdict(step) for step in self.steps],
            "done": self.done,
            "episode_reward": seen.info.get("episode_reward"),
            "harm_events": seen.info.get("events", []),
            "knowledge_fingerprint": self.env.knowledge.fingerprint,
            "active_model": active_model,
            "disclaimer": DISCLAIMER,
        }


def of_scenario(scenario_id: str, seed: int = 0) -> Case:
    """The case of a scenario.

    Raises:
        PolyGuardError: no such scenario.
    """
    return Case(PolyGuardEnv(), scenario_id, "scenario", seed=seed, scenario_id=scenario_id)


def of_patient(patient: Patient, came_from: str, notes: tuple[str, ...] = ()) -> Case:
    """The case of a person somebody entered.

    Raises:
        PolyGuardError: none of the drugs has a formulary profile, so there is nothing to step through.
    """
    env = PolyGuardEnv()
    drugs = env.knowledge.drugs
    kept = tuple(item for item in patient.regimen if drugs[item.drug_id].profile is not None)
    left_out = tuple(dict.fromkeys(d for d in patient.drug_ids if drugs[d].profile is None))
    if not kept:
        fix = "name at least one drug of the formulary, for example warfarin"
        raise PolyGuardError("regimen", ", ".join(patient.drug_ids) or "empty", fix)
    within = tuple(replace(i, indication="") if i.indication in reviewed_only() else i for i in kept)
    once = merged(within, repeated(within, env.index))
    held = tuple(name for name in patient.conditions if name not in reviewed_only())
    person = patient.changed(regimen=tuple(once), conditions=held)
    scenario = Scenario(
        scenario_id=f"own-{patient.patient_id}"[:60], split="train", sub_environment=OWN_CASE, difficulty="hard",
        patient=person, hidden=frozenset(), target_drugs=(), mechanism="",
        unseen_mechanism=False, budget=OWN_BUDGET, step_days=OWN_STEP_DAYS,
    )  # fmt: skip
    env.factory = OneCase(scenario)  # type: ignore[assignment]
    told = tuple(f"Check the data: {warning}." for warning in warnings_of(patient))
    return Case(env, patient.patient_id, came_from, patient, left_out, (*notes, *told))


def risk_of(findings: tuple[Finding, ...]) -> dict[str, float]:
    """Weight of findings by category drawn, the rest as "other", and their "total"."""
    totals = dict.fromkeys((*DRAWN, "other"), 0.0)
    for finding in findings:
        totals[finding.category if finding.category in DRAWN else "other"] += WEIGHT[finding.severity]
    return {"total": sum(totals.values()), **totals}
