"""The head of the page: banner, model, errors; the person, the regimen and its network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from polyguard_env.agents.observed import is_known
from polyguard_env.environment.messages import DISCLAIMER
from polyguard_env.knowledge.names import normalise
from polyguard_env.patients.model import Patient, RegimenItem
from polyguard_env.patients.reading import measurement_table
from polyguard_env.risk.contradictions import kidney_function
from polyguard_env.risk.findings import Finding
from polyguard_env.risk.stops import stop_warnings
from polyguard_serving.policy.types import ModelStatus
from polyguard_serving.workbench.case import Case
from polyguard_serving.workbench.drawings import network
from polyguard_serving.workbench.views.parts import EMPTY, table
from polyguard_serving.workbench.views.words import words

SOURCE_WORDS = {"grpo_adapter": "GRPO adapter", "merged": "merged model"}
DRUG_FIELD = re.compile(r"^(?:regimen|drugs)\[(\d+)\](?:\.drug)?$")
NO_UNIT = frozenset({"ratio", "text"})


def header() -> str:
    """The banner every view has."""
    return (
        "<header class='pg-head'><h1>Patient Workbench</h1>"
        "<p>Review a regimen, ask a policy what it would do, and follow what comes of it.</p></header>"
        f"<p class='pg-banner' role='note'><strong>Research only.</strong> {escape(DISCLAIMER)} "
        "Enter no real person's data.</p>"
    )


def chip(status: ModelStatus) -> str:
    """Which model would speak."""
    words_of = {
        "absent": "none: rule-based policy and agents only", "not_started": "loads when first asked",
        "loading": "loading", "ready": f"ready ({SOURCE_WORDS.get(status.source, status.source)})",
        "failed": "does not load",
    }  # fmt: skip
    name = f"Active model: {escape(status.label)}" if status.label else "Active model"
    more = f"<span class='pg-why'>{escape(status.reason)}</span>" if status.reason else ""
    if status.fallback_reason:
        more += f"<span class='pg-why'>Fallback: {escape(status.fallback_reason)}</span>"
    return (
        f"<div class='pg-chip pg-chip-{status.state}' role='status'><span class='pg-dot' aria-hidden='true'></span>"
        f"<strong>{name}</strong> <span>{escape(words_of[status.state])}</span>{more}</div>"
    )


def error(problem: Exception | None) -> str:
    """A refusal for a person; nothing without one."""
    if problem is None:
        return ""
    field, fix = _field_words(getattr(problem, "field", "input")), getattr(problem, "fix", str(problem))
    value = getattr(problem, "value", "")
    shown = f" <code>{escape(str(value)[:120])}</code>" if value not in ("", None) else ""
    return f"<div class='pg-error' role='alert'><strong>{escape(field)}</strong>{shown}: {escape(fix)}</div>"


def _field_words(field: str) -> str:
    """The name of a field: "regimen[0].drug" is "Drug 1"."""
    place = DRUG_FIELD.match(field)
    return f"Drug {int(place[1]) + 1}" if place else words(field)


def person(case: Case) -> str:
    """Who the patient is."""
    patient = case.patient()
    kidney = kidney_function(patient)
    facts = [
        ("Age", f"{patient.age}, {'woman' if patient.sex == 'F' else 'man'}"),
        ("Size", f"{patient.weight:g} kg, {patient.height:g} cm"),
        ("Kidneys", f"CrCl {kidney['crcl']:.0f} mL/min" if "crcl" in kidney else "not known"),
        ("Frailty", f"{patient.frailty} of 9"),
        ("Falls", f"{patient.falls} in the last year"),
        ("Conditions", ", ".join(words(name) for name in patient.conditions) or "none known"),
        ("Allergies", _allergies(case, patient)),
    ]
    if patient.child_pugh:
        facts.insert(3, ("Liver", f"Child-Pugh {patient.child_pugh}"))
    labs = [lab for name, value in sorted(patient.measurements.items()) if (lab := _lab(name, value))]
    if labs:
        facts.append(("Labs", ", ".join(labs)))
    hidden = case.observation.patient.get("to_check", ())
    if hidden:
        facts.append(("Not known yet", ", ".join(words(name) for name in hidden)))
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    notes = "".join(f"<li>{escape(note)}</li>" for note in case.notes)
    if case.left_out:
        left = ", ".join(words(name) for name in case.left_out)
        notes += f"<li>Reviewed, but without a formulary profile and so not part of the episode: {escape(left)}.</li>"
    return f"<h2>{escape(case.title)}</h2><dl class='pg-facts'>{rows}</dl>" + (
        f"<ul class='pg-notes'>{notes}</ul>" if notes else ""
    )


def _allergies(case: Case, patient: Patient) -> str:
    if case.given is None and case.observation.patient.get("allergies") is None:
        return "not looked up yet"
    return ", ".join(words(name) for name in patient.allergies) or "none known"


def _lab(name: str, value: float) -> str:
    if name in ("crcl", "egfr"):
        return ""
    unit = measurement_table().get(name, {}).get("unit", "")
    shown = f"{words(name)} {value:g}"
    return f"{shown}%" if unit == "%" else shown if unit in NO_UNIT else f"{shown} {unit}"


def regimen(case: Case) -> str:
    """The drugs as taken."""
    knowledge, seen = case.env.knowledge, {e["drug_id"]: e for e in case.observation.regimen}
    rows = []
    for item in case.patient().regimen:
        drug, entry = knowledge.drug(item.drug_id), seen.get(item.drug_id)
        unit = drug.profile.dose_unit if drug.profile else ""
        dose = "not known" if item.dose is None else f"{item.dose:g} {unit}/day"
        if (
            item.dose is not None
            and case.given is not None
            and not case.steps
            and _dose_was_assumed(case.given, item.drug_id)
        ):
            dose += " (usual dose, assumed)"
        marks = [
            word
            for word, mark in (
                ("short course", "course"),
                ("tapering", "tapering"),
                ("held for now", "held"),
                ("withdrawal", "withdrawal"),
            )
            if entry and entry[mark]
        ]
        for_what = words(item.indication) if item.indication else "not stated"
        roles = [f["text"] for f in entry["facts"] if f["code"]] if entry else []
        rows.append(
            f"<tr><th scope='row'>{escape(_as_listed(item, drug.name))}</th>"
            f"<td class='pg-dose'>{escape(dose)}{_tags(marks)}</td>"
            f"<td>{escape(for_what)}</td><td>{escape('; '.join(roles[:5]) or 'none listed')}</td></tr>"
        )
    for entry in case.observation.regimen:
        if not is_known(entry):
            dose = f"{entry['dose']:g} {escape(entry['unit'])}/day{_tags(['not looked up yet'])}"
            cells = "<td>not known</td><td>not known yet</td>"
            rows.append(f"<tr><th scope='row'>{escape(words(entry['name']))}</th><td>{dose}</td>{cells}</tr>")
    return table("Regimen", ("Drug", "Daily dose", "For", "Roles the agent sees"), rows) + stops(case)


def stops(case: Case) -> str:
    """What stopping each known drug of the regimen risks; a drug that no row names is no drug that may be stopped."""
    rows = []
    for drug_id in dict.fromkeys(item.drug_id for item in case.patient().regimen):
        drug = case.env.knowledge.drug(drug_id)
        for warning in stop_warnings(drug):
            box = " (boxed warning)" if warning.boxed else ""
            rows.append(
                f"<tr><th scope='row'>{escape(drug.name)}</th><td>{escape(warning.context)}</td>"
                f"<td>{escape(warning.risk + box)}</td><td>{escape(warning.action)}</td>"
                f"<td><code>{escape(warning.source)}</code> {warning.year}</td></tr>"
            )
    told = "A drug that is not named here may still need a taper." if rows else "Nothing is known here of these drugs."
    shown = table(
        "Before a drug is stopped", ("Drug", "When taken for", "Risk of a stop", "What to do", "Source"), rows
    )
    inner = f"<p>{told}</p>{shown if rows else ''}"
    return f"<details><summary>Before a drug is stopped ({len(rows)})</summary>{inner}</details>"


def _as_listed(item: RegimenItem, name: str) -> str:
    """A drug with the entry it came from, where that has another name: "Acetaminophen, listed as Norco"."""
    return f"{name}, listed as {item.entered}" if normalise(item.entered) not in ("", normalise(name)) else name


def _dose_was_assumed(patient: Patient, drug_id: str) -> bool:
    # Where several entries hold the drug, each shows what it was given with.
    return [item.dose for item in patient.regimen if item.drug_id == drug_id] == [None]


def _tags(marks: Sequence[str]) -> str:
    return "".join(f" <span class='pg-tag'>{escape(mark)}</span>" for mark in marks)


def picture(case: Case, found: Sequence[Finding]) -> str:
    """The interaction network."""
    knowledge = case.env.knowledge
    drugs = [(drug_id, knowledge.drug(drug_id).name) for drug_id in dict.fromkeys(case.patient().drug_ids)]
    if len(drugs) < 2:
        return EMPTY.format("Interactions need two drugs; this regimen has fewer.")
    return network(drugs, found)
