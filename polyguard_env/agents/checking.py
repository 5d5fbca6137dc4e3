"""Observations that came from outside: checked before any agent or policy reads them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from polyguard_env.environment.messages import ActionType, PolyGuardObservation
from polyguard_env.errors import PolyGuardError
from polyguard_env.knowledge.base import KnowledgeBase

Number = Annotated[float, Field(allow_inf_nan=False, strict=True)]
Words = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=100)]
DOSE_KINDS = (ActionType.REDUCE_DOSE, ActionType.INCREASE_DOSE)
TARGETS_NEEDED = {
    ActionType.STOP_DRUG: 1, ActionType.TAPER_DRUG: 1, ActionType.REDUCE_DOSE: 2, ActionType.INCREASE_DOSE: 2,
    ActionType.SUBSTITUTE_DRUG: 2, ActionType.ADD_DRUG: 1, ActionType.HOLD_DOSE: 1, ActionType.ORDER_MONITORING: 1,
}  # fmt: skip
MOST_CANDIDATES, MOST_DRUGS = 64, 100


class Seen(BaseModel):
    """Base: what an observation holds beyond these fields passes by."""

    model_config = ConfigDict(extra="allow", strict=True)


class SeenPatient(Seen):
    """The person as `render.known_patient` shows one."""

    age: int = Field(ge=18, le=120)
    sex: Literal["F", "M"]
    weight: Number = Field(gt=0, le=400)
    height: Number = Field(gt=0, le=260)
    crcl: Number | None = None
    child_pugh: Literal["", "A", "B", "C"] = ""
    conditions: Words
    allergies: Words | None
    genotype: dict[str, str]
    frailty: int = Field(default=3, ge=1, le=9)
    falls: int = Field(default=0, ge=0, le=365)
    measurements: dict[str, Number] = Field(default_factory=dict)
    to_check: Words


class SeenFact(Seen):
    """One fact of a drug."""

    fact_id: str = Field(pattern=r"^[^#]+#[^#]+$", max_length=200)
    code: str = Field(max_length=50)
    text: str = Field(max_length=500)


class SeenDrug(Seen):
    """One drug as `render.known_regimen` shows it."""

    drug_id: str
    name: str
    dose: Number = Field(ge=0)
    unit: str
    indication: str | None
    tapering: bool
    held: bool
    course: bool
    withdrawal: bool
    known: bool
    product: str
    facts: list[SeenFact] = Field(max_length=100)


class DoseFact(Seen):
    """A stated dose: "highest daily dose at this age 20 mg"."""

    text: str = Field(pattern=r" [0-9.]+(e[+-]?[0-9]+)? [^ ]+$")


def checked_observation(observation: PolyGuardObservation, knowledge: KnowledgeBase) -> PolyGuardObservation:
    """The observation, once it has the shape the environment gives.

    Raises:
        PolyGuardError: the first field that is not as an environment would send it.
    """
    _fits(SeenPatient, observation.patient, "observation.patient")
    if len(observation.regimen) > MOST_DRUGS:
        raise PolyGuardError("observation.regimen", len(observation.regimen), f"at most {MOST_DRUGS} drugs")
    for place, entry in enumerate(observation.regimen):
        where = f"observation.regimen[{place}]"
        _fits(SeenDrug, entry, where)
        if entry["known"]:
            _known(entry["drug_id"], knowledge, f"{where}.drug_id")
        for fact in entry["facts"]:
            if fact["fact_id"].endswith(("#dose", "#lowest_dose")):
                _fits(DoseFact, fact, f"{where}.facts")
    if not 1 <= len(observation.candidates) <= MOST_CANDIDATES:
        fix = f"send an observation of a running episode: 1 to {MOST_CANDIDATES} candidates"
        raise PolyGuardError("observation.candidates", len(observation.candidates), fix)
    if not observation.text.strip():
        raise PolyGuardError("observation.text", "", "send the text the environment gave")
    _check_candidates(observation, knowledge)
    return observation


def _check_candidates(observation: PolyGuardObservation, knowledge: KnowledgeBase) -> None:
    ids = set()
    for place, candidate in enumerate(observation.candidates):
        where = f"observation.candidates[{place}]"
        if not 1 <= len(candidate.candidate_id) <= 64 or candidate.candidate_id in ids:
            raise PolyGuardError(
                f"{where}.candidate_id", candidate.candidate_id, "give each its own id of 1-64 letters"
            )
        ids.add(candidate.candidate_id)
        if not 1 <= len(candidate.text.strip()) <= 512:
            raise PolyGuardError(f"{where}.text", candidate.text[:80], "give the action in 1-512 letters")
        kind, targets = candidate.action_type, candidate.targets
        if len(targets) < TARGETS_NEEDED.get(kind, 0):
            raise PolyGuardError(f"{where}.targets", targets, f"{kind} needs {TARGETS_NEEDED[kind]}")
        if kind in DOSE_KINDS and not _is_dose(targets[1]):
            raise PolyGuardError(f"{where}.targets", targets[1], "give a daily dose above 0")
        if kind is ActionType.ADD_DRUG:
            _known(targets[0], knowledge, f"{where}.targets")
        if kind is ActionType.SUBSTITUTE_DRUG:
            _known(targets[1], knowledge, f"{where}.targets")


def _is_dose(text: str) -> bool:
    try:
        return 0 <= float(text) < 1e9
    except ValueError:
        return False


def _known(drug_id: str, knowledge: KnowledgeBase, field: str) -> None:
    if drug_id not in knowledge.drugs:
        near = ", ".join(knowledge.suggest(drug_id[:100])[:3])
        raise PolyGuardError(field, drug_id, f"use a known drug id{f'; near it: {near}' if near else ''}")


def _fits(model: type[Seen], value: Any, where: str) -> None:
    try:
        model.model_validate(value)
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join([where, *map(str, problem["loc"])])
        raise PolyGuardError(field, problem.get("input"), str(problem["msg"])) from error
