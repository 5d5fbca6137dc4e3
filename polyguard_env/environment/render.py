"""What the agent sees of a state: the structured observation and its compact text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from polyguard_env.environment.candidates import dose_word, drug_word, measurement_word
from polyguard_env.environment.episode import EpisodeState, Scenario, taper_rule
from polyguard_env.environment.messages import Candidate
from polyguard_env.environment.roles import roles_of
from polyguard_env.risk.index import RuleIndex
from polyguard_env.risk.review import kidney_function

SYSTEM_PROMPT = "Pick the safest next action for this older patient. Answer with one option, copied."
SHOWN_MEASUREMENTS = ("potassium", "sodium", "inr", "qtc", "heart_rate", "systolic_bp", "hba1c", "haemoglobin")
ABNORMAL = {
    "potassium": (3.5, 5.0, "K"),
    "sodium": (135.0, 146.0, "Na"),
    "inr": (0.0, 3.0, "INR"),
    "qtc": (300.0, 460.0, "QTc"),
    "heart_rate": (55.0, 100.0, "HR"),
    "systolic_bp": (110.0, 160.0, "BP"),
    "haemoglobin": (11.0, 18.0, "Hb"),
}
DETAIL_LEVELS = ((4, 6), (4, 5), (3, 4), (2, 3), (1, 2))
TOKEN_LIMIT = 188
TOKEN = re.compile(r"[A-Za-z]+| ?[0-9]|[^A-Za-z0-9 ]")
LETTERS_PER_TOKEN = 4


def known_patient(state: EpisodeState, scenario: Scenario, index: RuleIndex) -> dict[str, Any]:
    """The patient as far as the agent knows: hidden measurements are left out."""
    patient = scenario.patient
    measurements = {
        name: round(value, 2)
        for name, value in sorted(patient.measurements.items())
        if name in state.known or name not in scenario.hidden
    }
    kidney_hidden = {"creatinine", "crcl", "egfr"} & scenario.hidden - state.known
    crcl = kidney_function(patient).get("crcl")
    return {
        "age": patient.age,
        "sex": patient.sex,
        "weight": round(patient.weight),
        "height": round(patient.height),
        "crcl": None if kidney_hidden or crcl is None else round(crcl),
        "child_pugh": patient.child_pugh,
        "conditions": sorted(patient.conditions),
        "allergies": sorted(patient.allergies),
        "frailty": patient.frailty,
        "falls": patient.falls,
        "measurements": measurements,
        "to_check": sorted(scenario.hidden - state.known),
    }


def known_regimen(state: EpisodeState, scenario: Scenario, index: RuleIndex) -> list[dict[str, Any]]:
    """Each drug with its own facts and their ids; never an interaction."""
    entries = []
    for drug_id, taken in state.regimen.items():
        drug = index.drug(drug_id)
        profile = drug.profile
        hidden = f"indication:{drug_id}" in scenario.hidden and "chart" not in state.known
        facts = [{"fact_id": f"{drug_id}#class", "code": "", "text": _class_word(drug.classes)}]
        if profile:
            facts.append(
                {
                    "fact_id": f"{drug_id}#dose",
                    "code": "",
                    "text": f"highest daily dose at this age {dose_word(profile.dose_max, profile.dose_unit)}",
                }
            )
            facts += [
                {"fact_id": role.fact_id, "code": role.code, "text": role.text}
                for role in roles_of(drug_id, profile)
                if role.code != "taper" or taper_rule(drug_id, index)
            ]
        entries.append(
            {
                "drug_id": drug_id,
                "name": drug_word(drug_id),
                "dose": taken.dose,
                "unit": profile.dose_unit if profile else "",
                "indication": None if hidden else taken.indication,
                "tapering": taken.tapering,
                "withdrawal": drug_id in state.withdrawals,
                "facts": facts,
            }
        )
    return entries


def _class_word(classes: Sequence[str]) -> str:
    return classes[0].replace("_", " ") if classes else "unclassified"


def compact_text(
    patient: dict[str, Any],
    regimen: Sequence[dict[str, Any]],
    candidates: Sequence[Candidate],
    state: EpisodeState,
    scenario: Scenario,
    index: RuleIndex,
) -> str:
    """The compact rendering: person, drugs with role codes, options; less detail where it would be too long."""
    for conditions, roles in DETAIL_LEVELS:
        lines = [_person_line(patient, state, index, conditions)]
        lines += [_drug_line(entry, index, roles) for entry in regimen]
        lines.append("Options: " + "; ".join(candidate.text for candidate in candidates))
        text = "\n".join(lines)
        if estimated_tokens(text) <= TOKEN_LIMIT:
            break
    return text


def estimated_tokens(text: str) -> int:
    """Tokens a small language model's tokenizer makes of a compact text, from letters, digits and signs.

    A little above the measured count on average; the tests hold it against the embedded tokenizer.
    """
    return sum(-(-len(piece) // LETTERS_PER_TOKEN) if piece.isalpha() else len(piece) for piece in TOKEN.findall(text))


def _person_line(patient: dict[str, Any], state: EpisodeState, index: RuleIndex, most: int) -> str:
    parts = [f"{patient['age']}{patient['sex']}"]
    parts.append("CrCl ?" if patient["crcl"] is None else f"CrCl {patient['crcl']}")
    for name, (low, high, label) in ABNORMAL.items():
        value = patient["measurements"].get(name)
        if value is not None and not low <= value <= high:
            parts.append(f"{label} {value:g}")
    if patient["falls"]:
        parts.append("falls")
    if patient["child_pugh"]:
        parts.append(f"Child {patient['child_pugh']}")
    shown = sorted(patient["conditions"], key=lambda c: (-index.priority(c), c))[:most]
    line = " ".join(parts)
    if shown:
        line += "; " + ", ".join(index.short(condition) for condition in shown)
    if patient["allergies"]:
        line += "; allergy " + ", ".join(drug_word(name) for name in patient["allergies"][:2])
    missing = [measurement_word(name) for name in patient["to_check"] if not name.startswith("indication:")]
    if missing:
        line += "; unknown " + ", ".join(dict.fromkeys(missing))
    if state.withdrawals:
        line += "; withdrawal " + ", ".join(drug_word(name) for name in sorted(state.withdrawals))
    return line


def _drug_line(entry: dict[str, Any], index: RuleIndex, most: int) -> str:
    codes = [fact["code"] for fact in entry["facts"] if fact["code"]]
    taper = ["taper"] if "taper" in codes else []
    codes = [code for code in codes if code not in ("taper", "NTI")][:most] + taper
    purpose = (
        "?" if entry["indication"] is None else index.short(entry["indication"]) if entry["indication"] else "none"
    )
    line = f"{entry['name']} {entry['dose']:g}{entry['unit']} ({purpose})"
    if entry["tapering"]:
        line += " tapering"
    return f"{line}: {' '.join(codes)}" if codes else line
