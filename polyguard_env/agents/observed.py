"""The patient an observation shows, and the same patient after a candidate."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from polyguard_env.environment.messages import ActionType, Candidate, PolyGuardObservation
from polyguard_env.knowledge.base import KnowledgeBase
from polyguard_env.patients.model import Patient, RegimenItem

SWAPPING = frozenset({ActionType.SUBSTITUTE_DRUG, ActionType.RECOMMEND_ALTERNATIVE})
ENDING = frozenset({ActionType.STOP_DRUG, ActionType.TAPER_DRUG})
STATED_DOSE = re.compile(r" ([0-9.]+(?:e[+-]?[0-9]+)?) [^ ]+$")
DOSING = frozenset({ActionType.REDUCE_DOSE, ActionType.INCREASE_DOSE})


def patient_of(observation: PolyGuardObservation) -> Patient:
    """The person as observed: what the observation hides (labs, allergies, what a product holds), the patient lacks."""
    seen: dict[str, Any] = observation.patient
    measurements = {str(name): float(value) for name, value in seen.get("measurements", {}).items()}
    if seen.get("crcl") is not None:
        measurements.setdefault("crcl", float(seen["crcl"]))
    return Patient(
        patient_id=observation.scenario_id or observation.episode_id,
        age=int(seen["age"]),
        sex=seen["sex"],
        weight=float(seen["weight"]),
        height=float(seen["height"]),
        conditions=tuple(seen.get("conditions", ())),
        measurements=measurements,
        frailty=int(seen.get("frailty", 3)),
        falls=int(seen.get("falls", 0)),
        allergies=tuple(seen.get("allergies") or ()),
        genotype=dict(seen.get("genotype") or {}),
        child_pugh=str(seen.get("child_pugh") or ""),
        regimen=tuple(
            RegimenItem(entry["drug_id"], float(entry["dose"]), entry.get("indication") or "")
            for entry in observation.regimen
            if is_known(entry)
        ),
    )


def patient_after(patient: Patient, candidate: Candidate, knowledge: KnowledgeBase) -> Patient:
    """The patient once a candidate has been carried out in full (a taper to its end); holds change nothing."""
    kind, targets = candidate.action_type, candidate.targets
    if not targets:
        return patient
    items = {item.drug_id: item for item in patient.regimen}
    first, second = targets[0], targets[1] if len(targets) > 1 else ""
    if kind in ENDING:
        items.pop(first, None)
    elif kind in DOSING and first in items:
        items[first] = replace(items[first], dose=float(second))
    elif kind in SWAPPING and first in items and second in knowledge.drugs:
        items[second] = RegimenItem(second, _first_dose(second, knowledge), items.pop(first).indication, 0)
    elif kind is ActionType.ADD_DRUG and first in knowledge.drugs:
        items.setdefault(first, RegimenItem(first, _first_dose(first, knowledge), second, 0))
    return patient.with_regimen(tuple(items.values()))


def is_known(entry: dict[str, Any]) -> bool:
    """False for a drug whose facts the agent has not looked up yet."""
    return bool(entry.get("known", True))


def stated_ceiling(entry: dict[str, Any]) -> float:
    """The highest daily dose the observation states for a drug; infinite when it states none."""
    text = next((fact["text"] for fact in entry["facts"] if fact["fact_id"].endswith("#dose")), "")
    found = STATED_DOSE.search(text)
    return float(found[1]) if found else float("inf")


def facts_of(observation: PolyGuardObservation, drug_id: str) -> dict[str, str]:
    """Fact name to text of one drug of the regimen; empty when it is not taken."""
    entry = next((e for e in observation.regimen if e["drug_id"] == drug_id), None)
    return {f["fact_id"].partition("#")[2]: f["text"] for f in entry["facts"]} if entry else {}


def _first_dose(drug_id: str, knowledge: KnowledgeBase) -> float | None:
    profile = knowledge.drugs[drug_id].profile
    return profile.dose_min if profile else None
