"""What the agent knows of a state: the person and each drug's own facts, less what is still hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from polyguard_env.environment.episode import Product, Scenario, Taken
from polyguard_env.environment.pieces import Remembered
from polyguard_env.environment.roles import roles_of
from polyguard_env.knowledge.formulary import split as cells
from polyguard_env.risk.contradictions import creatinine_clearance
from polyguard_env.risk.index import RuleIndex

KIDNEY = frozenset({"creatinine", "crcl", "egfr"})
ALLERGIES, CHART = "allergies", "chart"
# What the table of holds says of a drug, as its code and in words.
PAUSES = {
    "pausable": ("pause", "may be withheld for days while a short course of another drug lasts"),
    "sick_day": ("sickday", "withheld in acute illness with dehydration or kidney injury"),
    "harmful": ("", "a pause of days harms"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """The part of an episode's state that shows.

    Attributes:
        regimen: drugs taken, in the order they came.
        withdrawals: drugs whose withdrawal lasts.
        hidden: names of `Scenario.hidden` not shown yet, sorted.
    """

    regimen: Mapping[str, Taken]
    withdrawals: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


def known_patient(state: Shown, scenario: Scenario) -> dict[str, Any]:
    """The patient as far as the agent knows.

    Returns:
        Hidden measurements are left out; `crcl` and `allergies` are None while hidden; `to_check` lists what is hidden.
    """
    hidden = state.hidden
    patient = scenario.patient
    crcl = None if hidden and not KIDNEY.isdisjoint(hidden) else creatinine_clearance(patient)
    measurements = patient.measurements
    return {
        "age": patient.age,
        "sex": patient.sex,
        "weight": round(patient.weight),
        "height": round(patient.height),
        "crcl": None if crcl is None else round(crcl),
        "child_pugh": patient.child_pugh,
        "conditions": sorted(patient.conditions),
        "allergies": None if ALLERGIES in hidden else sorted(patient.allergies),
        "genotype": dict(sorted(patient.genotype.items())),
        "frailty": patient.frailty,
        "falls": patient.falls,
        "measurements": {name: hundredths(measurements[name]) for name in sorted(measurements) if name not in hidden},
        "to_check": list(hidden),
    }


def hundredths(value: float) -> float:
    """The same as `round(value, 2)`, in a third of its time unless the value lies near the middle of two hundredths."""
    scaled = value * 100.0
    if not -1e9 < scaled < 1e9:
        return round(value, 2)
    whole = round(scaled)
    return whole / 100.0 if -0.499999 < scaled - whole < 0.499999 else round(value, 2)


def known_regimen(state: Shown, scenario: Scenario, index: RuleIndex) -> list[dict[str, Any]]:
    """Each drug with its own facts and their ids, never an interaction; a product not taken apart as one entry."""
    hidden, withdrawals = state.hidden, state.withdrawals
    product_of = {drug_id: product for product in scenario.products for drug_id in product.drug_ids}
    entries: list[dict[str, Any]] = []
    shown: set[str] = set()
    sheets = _sheets(index)
    for drug_id, (dose, _, indication, _, tapering, held, course) in state.regimen.items():
        product = product_of.get(drug_id) if product_of else None
        if product and f"product:{product.name}" in hidden:
            if product.name not in shown:
                shown.add(product.name)
                entries.append(_closed(product))
            continue
        known = not hidden or f"facts:{drug_id}" not in hidden
        name, unit, facts = sheets[drug_id]
        told = not hidden or f"indication:{drug_id}" not in hidden
        entries.append(
            {
                "drug_id": drug_id,
                "name": name,
                "dose": dose,
                "unit": unit,
                "indication": indication if told else None,
                "tapering": tapering,
                "held": held,
                "course": course and told,
                "withdrawal": drug_id in withdrawals,
                "product": product.name if product else "",
                "known": known,
                "facts": [*facts] if known else [],
            }
        )
    return entries


def _closed(product: Product) -> dict[str, Any]:
    return {
        "drug_id": product.name,
        "name": product.name,
        "dose": 1.0,
        "unit": "product",
        "indication": None,
        "tapering": False,
        "held": False,
        "course": False,
        "withdrawal": False,
        "product": product.name,
        "known": False,
        "facts": [],
    }


@lru_cache(maxsize=4)
def _sheets(index: RuleIndex) -> Remembered[str, tuple[str, str, list[dict[str, str]]]]:
    """Each drug's name, dose unit and own facts."""
    return Remembered(lambda drug_id: (drug_word(drug_id), *facts_of(drug_id, index)))


@lru_cache(maxsize=20_000)
def facts_of(drug_id: str, index: RuleIndex) -> tuple[str, list[dict[str, str]]]:
    """A drug's dose unit and its own facts, class and dose range first; shared dicts, not to be changed."""
    drug = index.drug(drug_id)
    profile = drug.profile
    facts = [{"fact_id": f"{drug_id}#class", "code": "", "text": class_word(drug.classes)}]
    if profile is None:
        return "", facts
    facts += [
        {
            "fact_id": f"{drug_id}#dose",
            "code": "",
            "text": f"highest daily dose at this age {dose_word(profile.dose_max, profile.dose_unit)}",
        },
        {
            "fact_id": f"{drug_id}#lowest_dose",
            "code": "",
            "text": f"lowest usual daily dose {dose_word(profile.dose_min, profile.dose_unit)}",
        },
    ]
    facts += [
        {"fact_id": role.fact_id, "code": role.code, "text": role.text}
        for role in roles_of(drug_id, profile)
        if role.code != "taper" or index.rules("taper", drug_id)
    ]
    rules = index.rules("hold", drug_id)
    for role, (code, text) in PAUSES.items():
        purposes = [cells(rule.fields["indication"]) for rule in rules if rule.fields["role"] == role]
        if purposes:
            facts.append({"fact_id": f"{drug_id}#{role}", "code": code, "text": text + _taken_for(purposes)})
    return profile.dose_unit, facts


def _taken_for(purposes: Sequence[Sequence[str]]) -> str:
    """The purposes that rules are about, in words; nothing where one of them is about any."""
    if not all(purposes):
        return ""
    named = sorted({name.replace("_", " ") for several in purposes for name in several})
    return f" where it is taken for {' or '.join(named)}"


def class_word(classes: Sequence[str]) -> str:
    """A drug's class in words."""
    return classes[0].replace("_", " ") if classes else "unclassified"


def drug_word(drug_id: str) -> str:
    """A drug's id in words."""
    return drug_id.replace("_", " ")


def dose_word(dose: float, unit: str) -> str:
    """A daily dose in words."""
    return f"{dose:g} {unit}"


MEASUREMENT_WORD = {
    "egfr": "kidney function",
    "crcl": "kidney function",
    "creatinine": "kidney function",
    "haemoglobin": "blood count",
    "blood_pressure_standing": "standing BP",
    "heart_rate": "heart rate",
    "qtc": "ECG",
    "inr": "INR",
    "ck": "CK",
    "tsh": "TSH",
    "hba1c": "HbA1c",
}


def measurement_word(measurement: str) -> str:
    """A measurement in words."""
    return MEASUREMENT_WORD.get(measurement, measurement.replace("_", " "))
