"""The full text of an observation, in sentences: everything the agent knows, of any length."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from polyguard_env.environment.episode import Scenario
from polyguard_env.environment.messages import Offered


def full_text(
    patient: Mapping[str, Any],
    regimen: Sequence[Mapping[str, Any]],
    candidates: Sequence[Offered],
    scenario: Scenario,
    evidence: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Everything the agent knows, in full sentences, of any length.

    Args:
        patient, regimen, candidates, evidence: as in `compact_text`.
    """
    sex = "woman" if patient["sex"] == "F" else "man"
    crcl = "unknown" if patient["crcl"] is None else f"{patient['crcl']} mL/min"
    allergies = "unknown" if patient["allergies"] is None else _words(patient["allergies"])
    lines = [
        f"{patient['age']}-year-old {sex}, {patient['weight']} kg, {patient['height']} cm, frailty "
        f"{patient['frailty']} of 9, {patient['falls']} falls in the last year.",
        f"Creatinine clearance: {crcl}. Child-Pugh class: {patient['child_pugh'] or 'no liver disease'}.",
        f"Conditions: {_words(patient['conditions'])}.",
        f"Allergies: {allergies}.",
        f"Genotype: {', '.join(f'{g} {_word(p)}' for g, p in patient['genotype'].items()) or 'none known'}.",
        f"Measurements: {', '.join(f'{_word(n)} {v:g}' for n, v in patient['measurements'].items()) or 'none'}.",
    ]
    if patient["to_check"]:
        lines.append(f"Not on file: {_words(patient['to_check'])}.")
    lines += [_full_line(entry) for entry in regimen]
    for combination in scenario.combinations:
        lines.append(f"May be tested: {' + '.join(_word(drug_id) for drug_id in combination)}.")
    for item in evidence:
        when = f" ({item['source']}, {item['year']})" if item.get("year") else ""
        lines.append(f"Evidence{when}: {item['text']}")
    lines += [f"Option: {candidate.text}" for candidate in candidates]
    return "\n".join(lines)


def _word(name: str) -> str:
    return name.replace("_", " ")


def _words(names: Iterable[str]) -> str:
    return ", ".join(_word(name) for name in names) or "none"


def _full_line(entry: Mapping[str, Any]) -> str:
    if entry["unit"] == "product":
        return f"{entry['name']}: a new product whose ingredients are not known."
    purpose = entry["indication"]
    parts = [f"{entry['name']}, {entry['dose']:g} {entry['unit']} a day"]
    parts.append("for an unknown purpose" if purpose is None else f"for {_word(purpose)}" if purpose else "no purpose")
    if entry["product"]:
        parts.append(f"an ingredient of {entry['product']}")
    if entry["course"]:
        parts.append("a short course")
    if entry["tapering"]:
        parts.append("being tapered")
    if entry["held"]:
        parts.append("held for now")
    if entry["withdrawal"]:
        parts.append("withdrawal symptoms")
    facts = "; ".join(fact["text"] for fact in entry["facts"]) if entry["known"] else "nothing known about it"
    return f"{', '.join(parts)}: {facts}."
